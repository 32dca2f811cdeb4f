"""The ChIP-seq files: which there are, where they are fetched from, and their checksums.

`chipseq.toml` lists them. Everything else reads there which data sets there are.
"""

from __future__ import annotations

import os
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from modelzoo.files import sha256

FACTORS = ("ARID3A", "FOXM1", "GATA3")  # the mixture paper's experts
OOD_FACTORS = ("BCLAF1", "CTCF", "POLR2A", "RBBP5", "SAP30", "STAT3")

# Where files are fetched from, by how their names in `SHA256` begin. After the address comes the
# whole rest of a name, or just its last part where a home keeps all of its files in one folder.
_RAW = "https://raw.githubusercontent.com"
HOMES = {
    "deepbind/": f"{_RAW}/jisraeli/DeepBind/a9bbf5ffcdf62f2832b0bbdede43a36f4dc19426/data/encode/",
    "": f"{_RAW}/lab-rasool/TFBS/67a2ecf547a83f8ef6545b1f1604fe69482e4d6f/data/",
}

SHA256: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

LIMIT = 1 << 24  # bytes of a file
SECONDS = 300.0  # for a file
IDLE = 30.0  # seconds without a byte

_CHUNK = 1 << 16


def sets(split: str) -> dict[str, str]:
    """Return the files of a split by the names of their data sets.

    A data set is called by its factor, and by factor and cell line where the factor has one
    already: `ARID3A`, `ARID3A-K562`.

    Args:
        split: `"train"`, `"test"` or `"ood"`.
    """
    found: dict[str, str] = {}
    for name in SHA256:
        *_, folder, file = name.split("/")
        if folder == split:
            factor, cell, *_ = file.split("_")
            found[f"{factor}-{cell}" if factor in found else factor] = name
    return found


def cell_line(name: str) -> str | None:
    """Return the cell line of a data set of `sets("train")`; None for anything else."""
    path = sets("train").get(name)
    return path.rpartition("/")[2].split("_")[1] if path else None


def file(split: str, name: str) -> Path:
    """Return the path of a data set's file, fetched on first use.

    `MODELZOO_DATA_DIR` may name a folder that already holds the files, as `SHA256` names them.
    Either way the bytes are checked against their checksum.

    Args:
        split: `"train"`, `"test"` or `"ood"`.
        name: The data set, one of `sets(split)`.

    Raises:
        ValueError: There is no such file, or its bytes are not the published ones.
        OSError: The file can be neither found nor fetched.
    """
    known = sets(split)
    if name not in known:
        every = ", ".join(f"{s}/{n}" for s in ("train", "test", "ood") for n in sets(s))
        raise ValueError(f"split, name: expected one of {every}; got {split}/{name}")
    folder = os.environ.get("MODELZOO_DATA_DIR")
    path = known[name]
    return _fetch(path) if folder is None else _checked(Path(folder) / path, SHA256[path])


def _fetch(name: str) -> Path:
    import pooch
    from filelock import FileLock

    prefix, home = next((p, home) for p, home in HOMES.items() if name.startswith(p))
    url = home + quote(name.rpartition("/")[2] if prefix else name)
    cache = Path(pooch.os_cache("shiftsmooth")) / "tfbs"
    (cache / name).parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / f"{name}.lock"):  # a second process finds what the first fetched
            fetched = pooch.retrieve(
                url, SHA256[name], fname=name, path=cache, downloader=_download
            )
    except OSError as error:  # what requests raises is an OSError too
        raise OSError(
            f"{name} could not be fetched from {home} ({error}). Try again with a network, or set "
            "MODELZOO_DATA_DIR to a folder that holds train/, test/ and ood/"
        ) from error
    return Path(fetched)


def _download(url: str, output_file: str, pooch: object) -> None:
    """Download as pooch's own downloader does, but resume where an earlier call was cut off."""
    import requests
    from tqdm.auto import tqdm

    name = unquote(url.rpartition("/")[2])
    partial = Path(output_file).with_name(f"{name}.part")
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    until = time.monotonic() + SECONDS
    with requests.get(url, headers=headers, stream=True, timeout=IDLE) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            # The partial file is already as long as the real one, so it is something else.
            partial.unlink()
            return _download(url, output_file, pooch)
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        start = have if resumed else 0
        size = start + int(response.headers.get("Content-Length", 0))
        with (
            open(partial, "ab" if resumed else "wb") as file,
            tqdm(desc=name, initial=start, total=size, unit="B", unit_scale=True) as bar,
        ):
            # As bytes arrive, and not when there are enough: a server may send one by one.
            for chunk in _arriving(response.raw):
                file.write(chunk)
                bar.update(len(chunk))
                if file.tell() > LIMIT:
                    partial.unlink()
                    raise OSError(f"expected at most {LIMIT} bytes, got more")
                if time.monotonic() > until:
                    raise TimeoutError(f"it took longer than {SECONDS:.0f} s")
            if file.tell() < size:
                raise OSError(f"the connection broke after {file.tell()} of {size} bytes")
    os.replace(partial, output_file)  # pooch checks its checksum


def _arriving(body: Any) -> Iterator[bytes]:
    from urllib3.exceptions import HTTPError

    try:
        while chunk := body.read1(_CHUNK, decode_content=False):
            yield chunk
    except HTTPError as error:
        raise OSError(str(error)) from error


def _checked(path: Path, expected: str) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"MODELZOO_DATA_DIR: expected the file {path}, which is not there")
    if (found := sha256(path.read_bytes())) != expected:
        raise ValueError(f"{path}: expected sha256 {expected}, got {found}")
    return path
