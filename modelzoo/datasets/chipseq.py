"""The ChIP-seq files: which there are, where they are fetched from, and their checksums.

To add a data set, add its files to `SHA256`; everything else reads them there.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, unquote

from modelzoo.files import sha256

FACTORS = ("ARID3A", "FOXM1", "GATA3")  # the mixture paper's experts
OOD_FACTORS = ("BCLAF1", "CTCF", "POLR2A", "RBBP5", "SAP30", "STAT3")

# Where files are fetched from, by how their names below begin. What follows the address is the
# whole rest of a name, or just its last part where a home keeps all of its files in one folder.
_RAW = "https://raw.githubusercontent.com"
HOMES = {
    "deepbind/": f"{_RAW}/jisraeli/DeepBind/a9bbf5ffcdf62f2832b0bbdede43a36f4dc19426/data/encode/",
    "": f"{_RAW}/lab-rasool/TFBS/67a2ecf547a83f8ef6545b1f1604fe69482e4d6f/data/",
}

# [home/]split/FACTOR_CELLLINE_... and the checksum. Training files hold peaks alone; in test and
# out-of-distribution files, every peak is followed by a dinucleotide shuffle of it.
SHA256 = {
    "train/ARID3A_HepG2_ARID3A_(NB100-279)_Stanford_AC.seq.gz": (
        "8a45e540a8aabd5dc1990bbf5e1e7f49bb1e3822082e603cda2fd0e0036a7233"
    ),
    "train/FOXM1_GM12878_FOXM1_(SC-502)_HudsonAlpha_AC.seq.gz": (
        "60c9ca8c5a7ffc64d97b46f54677d055d054f32fbeb0a3ffbb4986910f27f784"
    ),
    "train/GATA3_SH-SY5Y_GATA3_(SC-269)_USC_AC.seq.gz": (
        "a5d27aaedd5e52a6c226ae6690b0c00d4147ffe175b97196b04743007a2ce9c3"
    ),
    "deepbind/train/ARID3A_K562_ARID3A_(sc-8821)_Stanford_AC.seq.gz": (
        "928d75f354dbadbb4f083cb298e85df6fa11f001afacd9d577c0d9c9ce831712"
    ),
    "deepbind/train/CTCFL_K562_CTCFL_(SC-98982)_HudsonAlpha_AC.seq.gz": (
        "823589ed0c049dea20ed2a20b196d72ac63d76a04693bb2f43313e4a0c55c3da"
    ),
    "deepbind/train/ELK1_GM12878_ELK1_(1277-1)_Stanford_AC.seq.gz": (
        "3e44bb851d81e1ea9a9f0c3a600574e4151bff8d510c8fc5d21e87b18715075f"
    ),
    "deepbind/train/FOXA1_HepG2_FOXA1_(SC-101058)_HudsonAlpha_AC.seq.gz": (
        "d7444da917c588312ef6231785b8ef508cdbeb6f2550798fb0f101876b47b5bd"
    ),
    "deepbind/train/GABPA_GM12878_GABP_HudsonAlpha_AC.seq.gz": (
        "627505bae74920366a5b9b5125e7972b073f611f0bdb258c9d32b9c33bb7529b"
    ),
    "deepbind/train/MYC_H1-hESC_c-Myc_Stanford_AC.seq.gz": (
        "a12d118206d0f4f0d41712313ebc95606fffaee5249709c5f48c39dfdd980cde"
    ),
    "deepbind/train/REST_GM12878_NRSF_HudsonAlpha_AC.seq.gz": (
        "b5063130dc151f7529f3f02fe1d89ff7d9175a559f6151a72a7927ee217e1ca9"
    ),
    "deepbind/train/SP1_GM12878_SP1_HudsonAlpha_AC.seq.gz": (
        "131c5c30e277ea7e283b374fd78c362ab6fd7f9b1222322df33cf8f048254cbe"
    ),
    "deepbind/train/USF1_HepG2_USF-1_HudsonAlpha_AC.seq.gz": (
        "eb8fb406abe10b62075670c6a04b68757e46985fdb8efb386586e6974ef020a0"
    ),
    "deepbind/train/ZBTB7A_HepG2_ZBTB7A_(SC-34508)_HudsonAlpha_AC.seq.gz": (
        "b60c7d2de6a45864c11c17bbe2d1820fb8a004f973f9fd6a4d5287d012500d43"
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
    "deepbind/test/ARID3A_K562_ARID3A_(sc-8821)_Stanford_B.seq.gz": (
        "aad6ee8ac42ea66791897a447ad01252f26955d2dd8b5a7865f2c233db807c09"
    ),
    "deepbind/test/CTCFL_K562_CTCFL_(SC-98982)_HudsonAlpha_B.seq.gz": (
        "707696ec7ca64695e6435859c558940bd86ba8dea836a31cf807386eba383b97"
    ),
    "deepbind/test/ELK1_GM12878_ELK1_(1277-1)_Stanford_B.seq.gz": (
        "5eec8cc3d433dfcadb5cf1d23919e5ee6896e6479af52f756adcbd461fe6b805"
    ),
    "deepbind/test/FOXA1_HepG2_FOXA1_(SC-101058)_HudsonAlpha_B.seq.gz": (
        "4634d4a688627cb2009e8598e7ad67687d37d14205daaedb8e96f6705d9e530c"
    ),
    "deepbind/test/GABPA_GM12878_GABP_HudsonAlpha_B.seq.gz": (
        "b3f4da33cd690a3d72bb0033e3d4b5e9eec25405669fd521938b3c7e50ffbe15"
    ),
    "deepbind/test/MYC_H1-hESC_c-Myc_Stanford_B.seq.gz": (
        "5d5d44a679c2ca2b8efa2e6d183172c1d1d4519b0325c4f56c9ede0ab2bc453d"
    ),
    "deepbind/test/REST_GM12878_NRSF_HudsonAlpha_B.seq.gz": (
        "63aba192660e35154421b66f8129aeb449027bb1af25ff7903069fee861d679d"
    ),
    "deepbind/test/SP1_GM12878_SP1_HudsonAlpha_B.seq.gz": (
        "8ef012ed4a8818ebcb0c46f126b0523825170e6d6f2af9f876b6beb4a7f36594"
    ),
    "deepbind/test/USF1_HepG2_USF-1_HudsonAlpha_B.seq.gz": (
        "999b5f5d920c73f1e6229f2a6704d8fbf7e8c73e2359686402cbecfe93d39696"
    ),
    "deepbind/test/ZBTB7A_HepG2_ZBTB7A_(SC-34508)_HudsonAlpha_B.seq.gz": (
        "998ab846950b28f61a20b28dc6fe86c9d143c847965f4edced9a953b7e7fe9a8"
    ),
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
}

_CHUNK = 4096  # bytes; the last, broken one of a cut download is lost


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
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
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
            for chunk in response.iter_content(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    os.replace(partial, output_file)  # pooch checks its checksum


def _checked(path: Path, expected: str) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"MODELZOO_DATA_DIR: expected the file {path}, which is not there")
    if (found := sha256(path.read_bytes())) != expected:
        raise ValueError(f"{path}: expected sha256 {expected}, got {found}")
    return path
