"""All there is to see in a trained ExplaiNN, in one folder: its motifs, weights and importances.

    python -m modelzoo.studies.explainn explainn-arid3a-foxm1-gata3 -o FOLDER

| file | what it holds |
|---|---|
| `motifs.meme`, `matrices.tsv` | the motif of every unit, for the MEME suite and as a table |
| `matches.tsv` | JASPAR's motifs that it resembles, q <= 0.05, as Tomtom writes them |
| `units.tsv` | a row a unit: its best match, its final weights, its median importances |
| `weights.svg` | the final weights as a clustered heat map |
| `importance-<task>.svg` | box plots of the importances of the twenty foremost units |
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.attribution.explainn_units import importance_boxes, importances, weights_map
from modelzoo.datasets.examples import examples
from modelzoo.motifs import (
    Motif,
    annotate,
    correctly_predicted,
    filter_motifs,
    label,
    write_matches,
    write_matrices,
    write_meme,
)
from modelzoo.motifs.files import write_table
from modelzoo.zoo.hub import load


def describe(
    model: ExplaiNN,
    codes: np.ndarray,
    labels: np.ndarray,
    out: str | Path,
    *,
    database: Sequence[Motif] | None = None,
) -> Path:
    """Write what the module's table says into a folder, and return the folder.

    Args:
        model: In eval mode.
        codes: (n, L) sequences, of which those that are predicted correctly are looked at.
        labels: (n, tasks), NaN where nobody knows.
        out: The folder; created if missing.
        database: Of motifs with names; JASPAR's vertebrates by default.

    Raises:
        ValueError: No sequence is predicted correctly.
    """
    right = codes[correctly_predicted(model, codes, labels)]
    if not len(right):
        raise ValueError("codes: expected some that the model predicts correctly, got none")
    found = importances(model, right)
    motifs = filter_motifs(model.activations, right, model.width)
    there = [unit for unit, motif in enumerate(motifs) if motif is not None]
    kept = [motif for motif in motifs if motif is not None]
    matches = annotate(kept, database)
    names = [""] * len(motifs)
    for unit, matched in zip(there, matches):
        names[unit] = label(matched)
    labelled = [f"{unit} {name}".strip() for unit, name in zip(found.units, names)]

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    write_meme(folder / "motifs.meme", kept)
    write_matrices(folder / "matrices.tsv", kept)
    write_matches(folder / "matches.tsv", kept, matches)
    weights = model.final.weight.detach().cpu().numpy().T
    header = [
        "unit",
        "motif",
        *(f"weight {task}" for task in model.tasks),
        *(f"median importance {task}" for task in model.tasks),
        "active sequences",
    ]
    numbers = np.concatenate([weights, found.medians], axis=1)
    write_table(
        folder / "units.tsv",
        header,
        (
            [unit, name, *(f"{value:.4g}" for value in row), active]
            for unit, name, row, active in zip(
                found.units, names, numbers, found.active.sum(axis=0).tolist()
            )
        ),
    )
    weights_map(model, labelled).savefig(folder / "weights.svg", bbox_inches="tight")
    for column, task in enumerate(model.tasks):
        figure = importance_boxes(found, column, labels=labelled)
        figure.savefig(folder / f"importance-{task}.svg")
    return folder


def main() -> None:
    """Describe a model on the held-out tenth of its training files."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.explainn", description=main.__doc__
    )
    parser.add_argument("model", help="a name of the catalog, or a folder")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument(
        "--data", nargs="+", help="what it was trained on; by default the factors of its tasks"
    )
    arguments = parser.parse_args()
    model = load(arguments.model)
    if not isinstance(model, ExplaiNN):
        parser.error(f"model: expected an ExplaiNN, got a {type(model).__name__}")
    codes, labels = examples(arguments.data or model.tasks).held_out
    print(describe(model, codes, labels.numpy(), arguments.output))


if __name__ == "__main__":
    main()
