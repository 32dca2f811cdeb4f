"""From attributions, or from sequences alone, to a folder of named motifs; nothing half-written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
from tqdm.auto import tqdm

from modelzoo.discovery.report import Finding, write_report
from modelzoo.motifs.instances import find_instances, syntax
from modelzoo.motifs.jaspar import GROUP, RELEASE, annotate, jaspar
from modelzoo.motifs.modisco import SEQLETS, modisco
from modelzoo.motifs.motif import Motif
from modelzoo.sequences import AMBIGUOUS
from modelzoo.training import run_folder as provenance


def motifs_of_attributions(
    attributions: str | Path,
    out: str | Path,
    *,
    max_seqlets: int = SEQLETS,
    release: str = RELEASE,
    group: str | None = GROUP,
    progress: bool = True,
) -> Path:
    """Writes the motifs of attributions, their matches, instances and syntax; returns the page.

    Args:
        attributions: The file `attributions.h5` of `shiftsmooth attribute`, or any with its
            `one_hot`, `hypothetical` (n, 4, L) and `ids`.
        out: The folder to make.
        max_seqlets: How many of either sign TF-MoDISco looks at, at most.
        release: Of JASPAR.
        group: A taxonomic group of it; None is all.
        progress: Show a bar.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: The file holds no finished attributions.
        RuntimeError: There is no motif in them.
    """
    out = Path(out)
    folder = provenance.partial(out)
    database = jaspar(release, group)
    one_hot, hypothetical, names, facts = _read(Path(attributions))
    with tqdm(total=4, disable=not progress) as bar:
        bar.set_description("TF-MoDISco")
        patterns = modisco(one_hot, hypothetical, max_seqlets=max_seqlets)
        if not patterns:
            raise RuntimeError(
                f"no motif found in {attributions}: TF-MoDISco needs 100 stretches of high"
                f" attribution that resemble each other; there are {len(names)} sequences"
            )
        bar.update()
        motifs = [pattern.motif for pattern in patterns]
        findings = _named(motifs, database, bar)
        bar.set_description("FIMO")
        codes = np.where(one_hot.any(1), one_hot.argmax(1), AMBIGUOUS).astype(np.uint8)
        instances = find_instances([motif.trimmed() for motif in motifs], codes)
        bar.update()
        bar.set_description("logos and page")
        folder.mkdir(parents=True, exist_ok=True)
        write_report(
            folder,
            "Motifs of attributions",
            {"sequences": f"{len(names):,}", **facts, "database": f"{release} {group or 'all'}"},
            findings,
            instances=instances,
            names=names,
            pairs=syntax(instances, [motif.name for motif in motifs]),
        )
        bar.update()
    os.replace(folder, out)
    return out / "index.html"


def _named(motifs: Sequence[Motif], database: Sequence[Motif], bar: tqdm) -> list[Finding]:
    bar.set_description("Tomtom")
    found = annotate(motifs, database)
    bar.update()
    return [Finding(motif, matches) for motif, matches in zip(motifs, found)]


def _read(path: Path) -> tuple[np.ndarray, np.ndarray, list[str], dict[str, str]]:
    """One-hot, hypothetical, names, and what the page says of the attributions."""
    try:
        file = h5py.File(path)
    except OSError as error:
        raise ValueError(f"{path}: expected an HDF5 file of attributions ({error})") from error
    with file:
        if missing := [key for key in ("one_hot", "hypothetical", "ids") if key not in file]:
            raise ValueError(f"{path}: expected one_hot, hypothetical and ids, got no {missing[0]}")
        count = len(file["ids"])
        if "done" in file and (done := int(file["done"][()])) < count:
            raise ValueError(
                f"{path}: {done} of {count} sequences are attributed; expected all. Run"
                " `shiftsmooth attribute` again"
            )
        told = ("method", "max_shift", "task")
        facts = {key: str(file.attrs[key]) for key in told if key in file.attrs}
        return (
            file["one_hot"][()],
            file["hypothetical"][()],
            file["ids"].asstr()[()].tolist(),
            facts,
        )
