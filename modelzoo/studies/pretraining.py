"""Does ARID3A's tower gain from having learnt FOXA1's peaks first, which lie at the same sites?

    python -m modelzoo.studies.pretraining -o FOLDER [--seed 0]

ARID3A's peaks in HepG2 lie at sites of FOXA, of which FOXA1's data set has many more peaks. The
shipped tower of ARID3A learnt from nothing; here it begins with the weights of FOXA1's and goes on
for half as many epochs, at a third of the rate. Peaks that share 40 bases with one of FOXA1's
training peaks are left out of the columns "apart", since the second tower has seen them. Writes
`pretraining.csv` and `pretraining.md`. A training that was stopped goes on. ARID3A's test file is
opened here too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from modelzoo.architectures.expert import Expert
from modelzoo.datasets.peaks import Peaks
from modelzoo.reports.tables import Row, Table, number, plain
from modelzoo.studies import statistics
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import LabelledSet, judged_set, with_shared
from modelzoo.studies.robust import train_into
from modelzoo.training.expert import ExpertParams, Recipe
from modelzoo.zoo.catalog import model_name
from modelzoo.zoo.hub import load

FACTOR, FIRST = "ARID3A", "FOXA1"


def study(out: Path, *, params: ExpertParams | None = None, seed: int = 0) -> list[Row]:
    """Train, measure and write; return a row for each beginning.

    Args:
        out: The folder, made if need be.
        params: Of the training that goes on; by default made of the tower's recipe.
        seed: Decides order, shuffles and dropout.
    """
    peaks, folder = Peaks([FACTOR]), out / model_name("tower", FACTOR, "pretrained")
    if params is None:
        known = Recipe.found(FACTOR, "tower").params
        params = replace(known, epochs=known.epochs // 2, learning_rate=known.learning_rate / 3)
    if not folder.exists():
        _go_on(folder, peaks, params, seed)
    codes, labels = peaks.held_out
    held_out = LabelledSet(
        FACTOR, "validation", codes, labels.numpy().ravel(), np.arange(len(codes))
    )
    sets = dict(zip(("held-out", "test"), with_shared([held_out, judged_set(FACTOR)], [FIRST])))
    models: dict[str, str | Path] = {
        "nothing": model_name("tower", FACTOR),
        f"{FIRST}'s tower": folder,
    }
    rows = []
    for start, source in models.items():
        model, row = load(source), {"start": start}
        for name, data in sets.items():
            row |= _scores(name, logits(model, data.codes)[:, 0], data)
        rows.append(row)
    table(rows).save(out)
    return rows


def _go_on(folder: Path, peaks: Peaks, params: ExpertParams, seed: int) -> None:
    model = load(model_name("tower", FIRST))
    assert isinstance(model, Expert)
    model.requires_grad_(True).tasks = (FACTOR,)
    train_into(folder, model, peaks, params, seed, "python -m modelzoo.studies.pretraining")


def _scores(name: str, scores: np.ndarray, data: LabelledSet) -> Row:
    """Return the AUC on all peaks, and on those that share nothing with what was learnt first."""
    apart = data.disjoint
    return {
        name: float(statistics.auc(data.labels, scores)),
        f"{name}, apart": float(statistics.auc(data.labels[apart], scores[apart])),
        f"{name} peaks apart": int((apart & (data.labels == 1)).sum()),
    }


def table(rows: Sequence[Row]) -> Table:
    """Return the table of the study."""
    columns = [("start", plain("start"))]
    for name in ("held-out", "test"):
        columns += [(title, number(title)) for title in (name, f"{name}, apart")]
        columns.append((f"{name} peaks apart", plain(f"{name} peaks apart")))
    return Table("pretraining", f"ROC AUC of {FACTOR}'s tower by what it began with", columns, rows)


def main() -> None:
    """Train ARID3A's tower from FOXA1's, and compare it with the shipped one."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.pretraining", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(table(study(arguments.output, seed=arguments.seed)).to_markdown())


if __name__ == "__main__":
    main()
