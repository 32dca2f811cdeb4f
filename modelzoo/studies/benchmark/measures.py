"""The measures of one cell, a model on a set with one seed: a number for each sequence.

- localisation: AUROC, average precision and recall of the positions that decide the label; where
  there are decoys, AUROC of those positions against the decoys alone;
- faithfulness: Spearman correlation with in-silico mutagenesis;
- stability: correlation before and after the window moves over real bases;
- similarity, of another model: Spearman correlation of sizes with those of the trained model.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.sequences import columns
from modelzoo.studies.benchmark.drawn import FLANK, Drawn
from modelzoo.studies.benchmark.methods import COMPARED, ISM
from modelzoo.studies.benchmark.sets import positives, sequences
from modelzoo.studies.benchmark.settings import CHECKED, Settings
from modelzoo.studies.benchmark.training import built, loaded, training
from modelzoo.studies.peaks.compared import Explainer
from modelzoo.workers import Part, threads
from shiftsmooth import check, metrics

MOVES = (1, 3)  # of the window
MOST_CHECKED = 5  # N of the audit's prediction; it and the moves fit into the flanks
METRICS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall": "recall",
    "over_decoys": "AUROC over decoys",
    "faithfulness": "faithfulness",
    "stability": "stability",
}
RANDOMISED = ("labels", "weights")
_VERSION = 1  # raised when a part of the same settings would come out differently

Values = dict[str, np.ndarray]


def key(method: str, corrected: bool, metric: str) -> str:
    """Return the name of a method's values of a metric in a cell."""
    return f"{method}|{int(corrected)}|{metric}"


def cell(folder: Path, settings: Settings, name: str, model: str, seed: int) -> Part:
    """Return the measurement of a trained model as a part; arguments as of `training`."""
    part = training(folder, settings, name, model, seed)
    return Part(
        path=folder / "cells" / f"{name}-{model}-{seed}.part",
        work=partial(_archive, measured, settings, part, name, model),
        key=f"{_VERSION} {part.key} {settings.methods} {settings.explained}",
    )


def sanity(folder: Path, settings: Settings, name: str, model: str, seed: int) -> Part:
    """Return the comparison with randomised models as a part; arguments as of `training`."""
    part = training(folder, settings, name, model, seed)
    other = training(folder, settings, name, model, seed, permuted=True)
    return Part(
        path=folder / "cells" / f"{name}-{model}-{seed}-randomised.part",
        work=partial(_archive, randomised, settings, part, other, name, model, seed),
        key=f"{_VERSION} {part.key} {other.key} {settings.methods} {settings.explained}",
    )


def values(part: Part) -> Values:
    """Return what a part of this file holds."""
    with np.load(io.BytesIO(part.read() or b""), allow_pickle=False) as file:
        return dict(file)


def measured(settings: Settings, part: Part, name: str, model: str) -> Values:
    """Return every metric of every method for a trained model, and what its audit says."""
    network, scores = loaded(part, name, model)
    drawn = _explained(settings, name)
    flanked = columns(drawn.codes)
    x = flanked[..., FLANK:-FLANK].contiguous()
    near = flanked[..., FLANK - max(MOVES) : -(FLANK - max(MOVES))].contiguous()
    found: Values = {score: np.array(value) for score, value in scores.items()}
    found |= audited(network, settings, name)
    explainers = {
        method: Explainer(network, COMPARED[method].method, settings.seed)
        for method in settings.methods
    }
    reference = explainers[ISM].importance(True)(x)
    for method, explainer in explainers.items():
        for corrected in COMPARED[method].corrections:
            explain = explainer.importance(corrected)
            position = explain(x)
            moved = metrics.shift_stability(explain, near, MOVES, edges="flanks")
            told = localised(position, drawn) | {
                "faithfulness": metrics.faithfulness(position, reference),
                "stability": moved.mean(1),
            }
            for metric, numbers in told.items():
                found[key(method, corrected, metric)] = numbers.double().numpy()
    return found


def localised(position: Tensor, drawn: Drawn) -> dict[str, Tensor]:
    """Return how well importances (n, L) find the truth of sequences; nan without decoys."""
    truth, decoys = (torch.from_numpy(drawn.window(m)) for m in (drawn.truth, drawn.decoys))
    over = torch.full((len(position),), torch.nan, dtype=torch.double)
    for row in torch.nonzero(decoys.any(1)).flatten().tolist():
        kept = truth[row] | decoys[row]
        over[row] = metrics.auroc(position[row : row + 1, kept], truth[row : row + 1, kept])[0]
    return {
        "auroc": metrics.auroc(position, truth),
        "average_precision": metrics.average_precision(position, truth),
        "recall": metrics.top_k_hit_rate(position, truth),
        "over_decoys": over,
    }


def audited(network: nn.Module, settings: Settings, name: str) -> Values:
    """Return what the audit says of a model, from validation sequences."""
    drawn = sequences(name, "validation", settings.validation, settings.seed)
    told = check(
        network,
        columns(drawn.codes[drawn.labels == 1][:CHECKED]),
        max_shift=MOST_CHECKED,
        moved=max(MOVES),
        edges="flanks",
    )
    predicted = [told.predicted[n] for n in range(MOST_CHECKED + 1)]
    return {
        "varying": np.array(told.varying),
        "predicted": np.array(predicted),
        "total_stride": np.array(told.total_stride),
    }


def randomised(
    settings: Settings, part: Part, other: Part, name: str, model: str, seed: int
) -> Values:
    """Return how alike maps are to those of models that learned nothing, for every method."""
    drawn = _explained(settings, name)
    x = columns(drawn.window(drawn.codes))
    networks = (
        loaded(part, name, model)[0],
        loaded(other, name, model)[0],
        built(name, model, settings.seed + 10_000 + seed).requires_grad_(False),
    )
    found: Values = {}
    for method in settings.methods:
        corrected = COMPARED[method].corrections[-1]
        before, *after = (
            Explainer(network, COMPARED[method].method, settings.seed)
            .importance(corrected)(x)
            .abs()
            for network in networks
        )
        for what, position in zip(RANDOMISED, after):
            same = metrics.faithfulness(position, before)
            found[key(method, corrected, what)] = same.double().numpy()
    return found


def _explained(settings: Settings, name: str) -> Drawn:
    drawn = sequences(name, "test", settings.test, settings.seed)
    return positives(drawn, settings.explained)


def _archive(work: Callable[..., Values], *arguments: Any) -> bytes:
    content = io.BytesIO()
    with threads(1):
        np.savez(content, **work(*arguments))  # type: ignore[arg-type]
    return content.getvalue()
