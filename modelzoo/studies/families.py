"""All models side by side: how good, how large, how long in training, how fast to attribute.

    python -m modelzoo.studies.families -o FOLDER [--runs RUNS]

writes `families.csv` and `families.md`. Scores are those of the catalog, which were measured
once on the test files; the rest is measured here, on a processor, with the threads torch has.
Weights that are not shipped are taken from `--runs`; without them a model has its scores alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from modelzoo.architectures.dnabert import DNABERT
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.layers import as_input
from modelzoo.attribution.methods import MAX_SHIFT
from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import Peaks
from modelzoo.files import write_atomically
from modelzoo.motifs import annotate, correctly_predicted, filter_motifs, label
from modelzoo.reports import tables
from modelzoo.reports.tables import MISSING, Row
from modelzoo.sequences import columns
from modelzoo.zoo import catalog
from modelzoo.zoo.hub import load
from shiftsmooth import ShiftSmooth

TIMED = 64  # sequences
FAMILIES = {"ARID3A": "ARID", "FOXM1": "FOX", "GATA3": "GATA"}  # how the right motifs' names begin
PUBLISHED_DNABERT = "not run: no weights; the paper has AUROC 0.703 on GATA3"


def compare(runs: Path | None = None, *, progress: bool = True) -> list[Row]:
    """Return a row for every model of the catalog that was judged on the ChIP-seq files.

    Args:
        runs: Folder of trained models by name, for weights that are not shipped.
        progress: Show a bar.
    """
    models = [i for i in map(catalog.info, catalog.list_models()) if set(FAMILIES) <= set(i.scores)]
    rows = []
    for info in tqdm(models, unit="model", disable=not progress):
        row = scores(info)
        source = info.name if info.shipped else str(runs / info.name) if runs else None
        if source is not None and (info.shipped or Path(source).is_dir()):
            model = load(source)
            row["parameters"] = sum(p.numel() for p in model.parameters())
            row["seconds a thousand attributions"] = 1000 * seconds_an_attribution(model)
            row |= matching_filters(model)
        rows.append(row)
    return rows


def scores(info: catalog.ModelInfo) -> Row:
    """Return what the catalog and the recipe say about a model."""
    recipe = info.recipe
    row: Row = {"model": info.name, "shipped": "yes" if info.shipped else "no"}
    seconds = recipe.get("processor_seconds_an_epoch")
    row["training minutes"] = seconds * recipe["epochs"] / 60 if seconds else None
    row["validation AUROC"] = recipe.get("validation_auc")
    for metric, short in (("roc_auc", "AUROC"), ("average_precision", "AUPRC")):
        for name, measured in info.scores.items():
            row[f"{short} {name}"] = measured[metric]
        for kind, factors in (("inside", chipseq.FACTORS), ("outside", chipseq.OOD_FACTORS)):
            row[f"{short} {kind}"] = fmean(info.scores[name][metric] for name in factors)
    return row


def seconds_an_attribution(model: nn.Module) -> float:
    """Return the time that ShiftSmooth takes for a sequence of 101 positions."""
    generator = torch.Generator().manual_seed(0)
    x = columns(torch.randint(4, (TIMED, 101), generator=generator))
    method = ShiftSmooth(model)
    method.attribute(x[:8], target=0, max_shift=MAX_SHIFT)  # warm-up: checks, and caches
    start = time.perf_counter()
    method.attribute(x, target=0, max_shift=MAX_SHIFT)
    return (time.perf_counter() - start) / TIMED


def matching_filters(model: Any) -> Row:
    """Return how many first-layer filters there are, and match a motif of the right factors.

    A filter's motif is made of the held-out peaks and shuffles that the model predicts correctly;
    it matches where, of JASPAR's motifs at q <= 0.05, the best is of the factor's family. Among the
    others there is nearly always one: JASPAR has dimers of most families with each other.
    """
    tasks = [task for task in model.tasks if task in FAMILIES]
    layer = first_layer(model)
    if layer is None or not tasks:
        return {}
    activations, width, first = layer
    data = Peaks(tasks)
    codes, labels = data.held_out
    known = np.full((len(codes), len(model.tasks)), np.nan)
    for column, task in enumerate(tasks):
        known[:, model.tasks.index(task)] = labels[:, column]
    right = codes[correctly_predicted(model, codes, known)]
    motifs = filter_motifs(activations, right, width, first=first)
    found = annotate([motif for motif in motifs if motif is not None])
    row: Row = {"filters": len(motifs)}
    for task in tasks:
        row[f"filters like {task}"] = sum(
            label(matches).upper().startswith(FAMILIES[task]) for matches in found
        )
    return row


def first_layer(model: Any) -> tuple[Callable[[Tensor], Tensor], int, int] | None:
    """Return a model's first activations, its filters' width and the first one's start.

    A filter of a layer that reads both strands counts once. None for a mixture, which has no
    filters of its own.
    """
    if isinstance(model, Expert):
        stem = model.trunk[0]  # type: ignore[index]
        filters, _, width = stem.weight.shape

        def forward(x: Tensor) -> Tensor:
            return stem(as_input(x, stem.weight))[:, :filters].relu()

        return forward, width, -(width // 2)
    if hasattr(model, "activations"):
        convolution = model.trunk[0] if hasattr(model, "trunk") else model.scanners
        return model.activations, convolution.kernel_size[0], -convolution.padding[0]
    return None


def to_markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table, with DNABERT's, which was not run."""
    header = list(dict.fromkeys(column for row in rows for column in row))
    lines = [[_text(row.get(column)) for column in header] for row in rows]
    lines.append([DNABERT.architecture, PUBLISHED_DNABERT, *[MISSING] * (len(header) - 2)])
    return tables.to_markdown(header, lines)


def _text(value: Any) -> str:
    if value is None:
        return MISSING
    if isinstance(value, float):
        return f"{value:.3f}" if value < 1 else f"{value:.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    """Write the table of all models."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.families", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--runs", type=Path, help="trained models that are not shipped")
    arguments = parser.parse_args()
    rows = compare(arguments.runs)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.output / "families.csv", tables.to_csv(rows).encode())
    write_atomically(arguments.output / "families.md", to_markdown(rows).encode())
    print(to_markdown(rows), end="")


if __name__ == "__main__":
    main()
