"""The benchmark, in one folder.

index.html        the report; tables/ and figures/ hold its parts
models/           the trained models
cells/            the measurements, a file for each model, set and seed
results.json      every number of the report
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
from modelzoo.studies.benchmark.measures import cell, sanity, values
from modelzoo.studies.benchmark.report import findings, show
from modelzoo.studies.benchmark.settings import QUICK, Settings
from modelzoo.studies.benchmark.summaries import summarise
from modelzoo.studies.benchmark.training import SEEDS, training


def evaluate(
    out: str | Path,
    *,
    quick: bool = False,
    seeds: int | None = None,
    seed: int = 0,
    where: Where | None = None,
    settings: Settings | None = None,
    progress: bool = True,
) -> Path | None:
    """Train and measure what is not there yet, write the report, return the path of its page.

    Args:
        out: Folder of the report, created if missing.
        quick: Train and measure hardly anything: shows that everything works, and nothing else.
        seeds: Models of each architecture on each set; three by default, one if `quick`. A later
            call with more of them adds to what is there.
        seed: Decides everything random.
        where: Where the parts are done; by default in one process per core, for which a script has
            to guard its main part by `if __name__ == "__main__"`. A job of many does its share of
            the first step that is not done yet, and None is returned.
        settings: How much to do, where neither `quick` nor its opposite fits.
        progress: Show a bar.

    Raises:
        ValueError: `out` was made with other settings.
    """
    chosen = settings or dataclasses.replace(QUICK if quick else Settings(), seed=seed)
    chosen = dataclasses.replace(chosen, seeds=chosen.seeds if seeds is None else seeds)
    if not 1 <= chosen.seeds < SEEDS:
        raise ValueError(f"seeds: expected 1 to {SEEDS - 1}, got {chosen.seeds}")
    page = Report(Path(out), "Attribution methods against truth", quick=quick)
    folder = page.folder
    _claim(folder, chosen)
    cells = {
        (name, model, number): cell(folder, chosen, name, model, number)
        for number in range(chosen.seeds)
        for name in chosen.sets
        for model in chosen.models
    }
    tried = [key for key in cells if key[0] in chosen.randomised]
    compared = {key: sanity(folder, chosen, *key) for key in tried}
    trainings = [training(folder, chosen, *key) for key in cells]
    trainings += [training(folder, chosen, *key, permuted=True) for key in tried]
    steps = {"training": trainings, "measuring": [*cells.values(), *compared.values()]}
    where = where or Where()
    if where.part is not None:
        where.note(folder / CELLS)
    with where.alone(folder):
        for what, parts in steps.items():
            if not where.run(parts, description=what, progress=progress):
                return None
    if where.part is not None:
        return None
    found = summarise(
        {key: values(part) for key, part in cells.items()},
        {key: values(part) for key, part in compared.items()},
        methods=chosen.methods,
        learned_from=chosen.learned,
        resamples=chosen.resamples,
        seed=chosen.seed,
    )
    show(page, found, chosen)
    lines = "".join(f"- {text}\n" for text in findings(found, chosen))
    write_atomically(folder / "tables" / "findings.md", lines.encode())
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    record = {"settings": dataclasses.asdict(chosen), "quick": quick, "versions": versions}
    write_json(folder / "results.json", record | dataclasses.asdict(found))
    return page.finish()


def _claim(folder: Path, settings: Settings) -> None:
    """Make the places in the folder; refuse that of another evaluation, but for more seeds."""
    for name in ("models", CELLS):
        (folder / name).mkdir(parents=True, exist_ok=True)
    same = {k: v for k, v in dataclasses.asdict(settings).items() if k != "seeds"}
    text = json.dumps(same, indent=1) + "\n"
    path = folder / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"out: {folder} was made with other settings; choose another folder")
    write_atomically(path, text.encode())
