"""The planted-motif study: ARGMINN's paper again, in one folder.

index.html        the report; tables/ and figures/ hold its parts
models/           the trained networks, as checkpoints: a stopped evaluation resumes from them
cells/            the measurements, one file each
results.json      every number, the same for the same seed
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch

from modelzoo.files import write_atomically
from modelzoo.jobs import CELLS, Where
from modelzoo.reports.folder import Report, write_json
from modelzoo.studies.planted.measures import MEASURES, measurement
from modelzoo.studies.planted.networks import KINDS, seeds, training
from modelzoo.studies.planted.report import show
from modelzoo.studies.planted.settings import QUICK, Settings


def evaluate(
    out: str | Path,
    *,
    quick: bool = False,
    seed: int = 0,
    where: Where | None = None,
    settings: Settings | None = None,
    progress: bool = True,
) -> Path | None:
    """Train and measure what is not there yet, write the report, return the path of its page.

    Args:
        out: Folder of the report, made if it does not exist.
        quick: Train and measure hardly anything: shows that everything works, and nothing else.
        seed: The same seed gives the same `results.json`.
        where: Where the parts are done; by default in one process per core, for which a script has
            to guard its main part by `if __name__ == "__main__"`. A job of many does its share of
            the first step that is not done yet, and None is returned.
        settings: How much to do, where neither `quick` nor its opposite fits.
        progress: Show a bar.

    Raises:
        ValueError: `out` was made with other settings.
    """
    chosen = settings or dataclasses.replace(QUICK if quick else Settings(), seed=seed)
    page = Report(Path(out), "ARGMINN on planted motifs", quick=quick)
    folder = page.folder
    _claim(folder, chosen)
    trainings = [
        training(folder, chosen, name, kind, own)
        for name in chosen.sets
        for kind in KINDS
        for own in seeds(chosen, kind, name)
    ]
    parts = {
        (measure, name): measurement(folder, chosen, measure, name)
        for measure, taken in MEASURES.items()
        for name in taken.sets
        if name in chosen.sets
    }
    # Instances are scanned for with the motifs.
    motifs = [part for (measure, _), part in parts.items() if measure == "motifs"]
    steps = {"training": trainings, "reading": motifs, "measuring": list(parts.values())}
    where = where or Where()
    if where.part is not None:
        where.note(folder / CELLS)
    with where.alone(folder):
        for what, some in steps.items():
            if not where.run(some, description=what, progress=progress):
                return None
    if where.part is not None:
        return None
    results = {f"{m} {name}": json.loads(part.read() or b"") for (m, name), part in parts.items()}
    show(page, results)
    if settings is None:
        quickly = " --quick" * quick
        page.made_by(f"shiftsmooth evaluate argminn{quickly} --seed {seed} -o report")
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    record = {"settings": dataclasses.asdict(chosen), "versions": versions, **results}
    write_json(folder / "results.json", record)
    return page.finish()


def _claim(folder: Path, settings: Settings) -> None:
    """Make the places in the folder; refuse the folder of another evaluation."""
    for name in ("models", CELLS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(settings), indent=1) + "\n"
    path = folder / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"out: {folder} was made with other settings; choose another folder")
    write_atomically(path, text.encode())
