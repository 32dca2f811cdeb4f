"""Motif discovery from attributions: TF-MoDISco, named, located and put on a page."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from contextlib import nullcontext
from functools import partial
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
from tqdm.auto import tqdm

from modelzoo.discovery.findings import Finding, Findings
from modelzoo.discovery.report import database_options, write_report
from modelzoo.jobs import Job, Where, key_of
from modelzoo.motifs import Motif, jaspar, modisco
from modelzoo.motifs.jaspar import GROUP, RELEASE
from modelzoo.motifs.modisco import SEQLETS, Pattern
from modelzoo.sequences import Interval, from_columns
from modelzoo.tracks.h5 import read_placed
from modelzoo.tracks.trial import refuse_damaged
from modelzoo.training import run_folder


def motifs_of_attributions(
    attributions: str | Path,
    out: str | Path,
    *,
    max_seqlets: int = SEQLETS,
    release: str = RELEASE,
    group: str | None = GROUP,
    where: Where | None = None,
    progress: bool = True,
) -> Path | None:
    """Write the motifs of attributions, their matches, instances and syntax; return the page.

    TF-MoDISco's own file is kept as `modisco.h5`.

    Args:
        attributions: The file `attributions.h5` of `shiftsmooth attribute`, or any with its
            `one_hot`, `hypothetical` (n, 4, L) and `ids`.
        out: The folder to make.
        max_seqlets: The largest number of seqlets of either sign for TF-MoDISco.
        release: The release of JASPAR.
        group: A taxonomic group of it; None is all.
        where: Where TF-MoDISco works, as the one part of this run; by default here. Returns None
            for a job of many.
        progress: Show a bar.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: The file holds no finished attributions.
        RuntimeError: There is no motif in them.
    """
    out = Path(out)
    folder = run_folder.partial(out)
    database = jaspar(release, group)
    one_hot, hypothetical, names, intervals, facts = _read(Path(attributions))
    where = where or Where()
    with (
        tqdm(total=4, disable=not progress) as bar,
        Job(out, where) if where.asked else nullcontext() as job,
    ):
        bar.set_description("TF-MoDISco")
        results = folder / "modisco.h5"
        if job is not None:
            patterns = _in_a_part(job, Path(attributions).absolute(), max_seqlets, results)
        else:
            patterns = modisco(one_hot, hypothetical, max_seqlets=max_seqlets, results=results)
        if patterns is None:
            return None
        if not patterns:
            raise RuntimeError(
                f"no motif found in {attributions}: TF-MoDISco needs 100 stretches of high"
                f" attribution that resemble each other; there are {len(names)} sequences"
            )
        bar.update()
        bar.set_description("Tomtom")
        motifs = [pattern.motif for pattern in patterns]
        findings = Finding.among(motifs, database)
        bar.update()
        bar.set_description("FIMO")
        found = Findings.of(findings, findings, from_columns(one_hot), names, intervals)
        bar.update()
        bar.set_description("logos and page")
        folder.mkdir(parents=True, exist_ok=True)
        found.write(folder)
        facts = {"sequences": f"{len(names):,}", **facts, "database": f"{release} {group or 'all'}"}
        command = f"shiftsmooth motifs --from-attributions {Path(attributions).name} -o motifs"
        command += database_options(release, group)
        write_report(folder, "Motifs of attributions", facts, found, command)
        bar.update()
    os.replace(folder, out)
    return out / "index.html"


def _in_a_part(job: Job, path: Path, max_seqlets: int, results: Path) -> list[Pattern] | None:
    with open(path, "rb") as file:
        given = hashlib.file_digest(file, "sha256").hexdigest()
    about = {"version": version("modisco"), "attributions": given, "seqlets": max_seqlets}
    works = [partial(_patterns, path, max_seqlets)]
    contents = job.contents(works, key_of(about), progress=False)
    if contents is None:
        return None
    (content,) = contents
    described, _, written = content.partition(b"\n")
    results.parent.mkdir(parents=True, exist_ok=True)
    results.write_bytes(written)
    return [
        Pattern(Motif(name, np.array(matrix), sites), np.array(contributions))
        for name, matrix, sites, contributions in json.loads(described)
    ]


def _patterns(path: Path, max_seqlets: int) -> bytes:
    """Return TF-MoDISco's patterns in a file of attributions, as a line of JSON, and its file."""
    one_hot, hypothetical, *_ = _read(path)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "modisco.h5"
        found = modisco(one_hot, hypothetical, max_seqlets=max_seqlets, results=results)
        written = results.read_bytes() if results.exists() else b""
    described = [
        [p.motif.name, p.motif.matrix.tolist(), p.motif.sites, p.contributions.tolist()]
        for p in found
    ]
    return json.dumps(described).encode() + b"\n" + written


def _read(
    path: Path,
) -> tuple[np.ndarray, np.ndarray, list[str], list[Interval], dict[str, str]]:
    """Return one-hot sequences, hypothetical attributions, names, intervals, and facts."""
    refuse_damaged(path, "run `shiftsmooth attribute` again")
    with h5py.File(path) as file:
        if missing := [key for key in ("one_hot", "hypothetical", "ids") if key not in file]:
            raise ValueError(f"{path}: expected one_hot, hypothetical and ids, got no {missing[0]}")
        keys = "one_hot", "hypothetical"
        shapes = [tuple(getattr(file[key], "shape", None) or ()) for key in keys]
        if shapes[0] != shapes[1] or len(shapes[0]) != 3 or shapes[0][1] != 4:
            raise ValueError(f"{path}: expected one_hot and hypothetical (n, 4, L), got {shapes}")
        count = shapes[0][0]
        try:
            done = int(file["done"][()]) if "done" in file else count
            names = file["ids"].asstr()[()].tolist()
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path}: expected texts in ids, a number in done: {error}") from error
        if not isinstance(names, list) or len(names) != count:
            raise ValueError(f"{path}: expected {count} ids, one per sequence, got others")
        if done < count:
            raise ValueError(
                f"{path}: expected all of {count} sequences to be attributed, got {done}; run"
                " `shiftsmooth attribute` again"
            )
        facts = {
            key: str(file.attrs[key])
            for key in ("method", "max_shift", "task")
            if key in file.attrs
        }
        intervals = read_placed(file) or []
        return file["one_hot"][()], file["hypothetical"][()], names, intervals, facts
