"""The ChIP-seq files: which there are, where they are fetched from, and their checksums."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from urllib.parse import quote, unquote

FACTORS = ("ARID3A", "FOXM1", "GATA3")
OOD_FACTORS = ("BCLAF1", "CTCF", "POLR2A", "RBBP5", "SAP30", "STAT3")

COMMIT = "67a2ecf547a83f8ef6545b1f1604fe69482e4d6f"
URL = f"https://raw.githubusercontent.com/lab-rasool/TFBS/{COMMIT}/data/"

SHA256 = {
    "ood/BCLAF1_K562_BCLAF1_(SC-101388)_HudsonAlpha_B.seq.gz": (
        "d20cb17103810d46e2810f0df58edae0117e23304516726506b1e366beecef5e"
    ),
    "ood/CTCF_NH-A_CTCF_Broad_B.seq.gz": (
        "983114a084d23102f3caab4420119cc477f5a7ee744bfddccde0843f2e8ac53e"
    ),
    "ood/POLR2A_A549_Pol2_UT-A_B.seq.gz": (
        "e95c54750ea51a44803144822705870a7085e63b436ed509a16700aadc78a2a8"
    ),
    "ood/RBBP5_H1-hESC_RBBP5_(A300-109A)_Broad_B.seq.gz": (
        "11a0d84537fdf9cdab2f7ad4e7e44ad684895e2b34fa5b96b577610aaf72ad63"
    ),
    "ood/SAP30_K562_SAP30_(39731)_Broad_B.seq.gz": (
        "f9fcaa48946ffdcb97e1dc4c199750be67660838e954e5ced8bb3f6f9da026cc"
    ),
    "ood/STAT3_HeLa-S3_STAT3_Stanford_B.seq.gz": (
        "58241d49f7100735a18e1b3a931e8ee951cf56dfe957f6ec589bb7eb6dc91992"
    ),
    "test/ARID3A_HepG2_ARID3A_(NB100-279)_Stanford_B.seq.gz": (
        "1c4c7f829cbb82426e789fe5133975d3f9bca9a3af4a3af95f1ac899d8d67df9"
    ),
    "test/FOXM1_GM12878_FOXM1_(SC-502)_HudsonAlpha_B.seq.gz": (
        "cb23f0b99348c3ce3bab2c4b6f75d7f903cee197dd2023fbc26ea82830782291"
    ),
    "test/GATA3_SH-SY5Y_GATA3_(SC-269)_USC_B.seq.gz": (
        "8cc03f18b5a3b1db00dfa6c98d5212fb1612c33dfbe90de43e3aa3699a19c76b"
    ),
    "train/ARID3A_HepG2_ARID3A_(NB100-279)_Stanford_AC.seq.gz": (
        "8a45e540a8aabd5dc1990bbf5e1e7f49bb1e3822082e603cda2fd0e0036a7233"
    ),
    "train/FOXM1_GM12878_FOXM1_(SC-502)_HudsonAlpha_AC.seq.gz": (
        "60c9ca8c5a7ffc64d97b46f54677d055d054f32fbeb0a3ffbb4986910f27f784"
    ),
    "train/GATA3_SH-SY5Y_GATA3_(SC-269)_USC_AC.seq.gz": (
        "a5d27aaedd5e52a6c226ae6690b0c00d4147ffe175b97196b04743007a2ce9c3"
    ),
}

_CHUNK = 4096  # bytes; the last, broken one of a cut download is lost


def file(split: str, factor: str) -> Path:
    """Return the path of one of the paper's files, fetched on first use.

    ``MODELZOO_DATA_DIR`` may name a folder that already holds ``train/``, ``test/`` and ``ood/``.
    Either way the bytes are checked against their sha256.

    Args:
        split: ``"train"``, ``"test"`` or ``"ood"``.
        factor: One of :data:`FACTORS`, or of :data:`OOD_FACTORS` for ``"ood"``.

    Raises:
        ValueError: There is no such file, or its bytes are not the published ones.
        OSError: The file can be neither found nor fetched.
    """
    names = [name for name in SHA256 if name.startswith(f"{split}/{factor}_")]
    if not names:
        known = ", ".join(sorted(name.partition("_")[0] for name in SHA256))
        raise ValueError(f"split, factor: expected one of {known}; got {split}/{factor}")
    name = names[0]
    folder = os.environ.get("MODELZOO_DATA_DIR")
    return _fetch(name) if folder is None else _checked(Path(folder) / name, SHA256[name])


def _fetch(name: str) -> Path:
    import pooch
    from filelock import FileLock

    cache = Path(pooch.os_cache("shiftsmooth")) / f"tfbs-{COMMIT[:12]}"
    (cache / name).parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cache / f"{name}.lock"):  # a second process finds what the first fetched
            fetched = pooch.retrieve(
                URL + quote(name), SHA256[name], fname=name, path=cache, downloader=_resume
            )
    except OSError as error:  # what requests raises is an OSError too
        raise OSError(
            f"{name} could not be fetched from {URL} ({error}). Try again with a network, or set "
            "MODELZOO_DATA_DIR to a folder that holds train/, test/ and ood/"
        ) from error
    return Path(fetched)


def _resume(url: str, output_file: str, pooch: object) -> None:
    """Download as pooch's own downloader does, but from where an earlier call was cut off."""
    import requests
    from tqdm.auto import tqdm

    name = unquote(url.rpartition("/")[2])
    partial = Path(output_file).with_name(f"{name}.part")
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            partial.unlink()  # nothing lies beyond it: it was not this file's beginning
            return _resume(url, output_file, pooch)
        response.raise_for_status()
        resumed = response.status_code == requests.codes.partial_content
        start = have if resumed else 0
        size = start + int(response.headers.get("Content-Length", 0))
        with (
            open(partial, "ab" if resumed else "wb") as file,
            tqdm(desc=name, initial=start, total=size, unit="B", unit_scale=True) as bar,
        ):
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    os.replace(partial, output_file)  # whose sum pooch checks


def _checked(path: Path, sha256: str) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"MODELZOO_DATA_DIR: expected the file {path}, which is not there")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != sha256:
        raise ValueError(f"{path}: expected sha256 {sha256}, got {found}")
    return path
