"""The measures of attributions: a number for each peak or planted sequence.

- faithfulness: Spearman correlation with in-silico mutagenesis;
- stability under a moved window, over the real neighbouring bases, and under mutations outside the
  motif: correlation of the importances before and after;
- localisation on JASPAR hits in the peaks, and on planted motifs, where the truth is known;
- EvalAttAI: how far the logit rises when the map is added to the input.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.attribution.methods import (
    METHODS,
    ROWS,
    Method,
    finished,
    importance,
    maps,
    raw_maps,
    unseeded,
)
from modelzoo.sequences import columns
from modelzoo.studies.peaks.compared import MAX_SHIFTS, Explainer
from modelzoo.studies.peaks.problems import FLANK, WINDOW, Problem, window
from modelzoo.workers import threads
from shiftsmooth import ShiftSmooth, metrics

SHIFTS = (3,)  # of the window, for its stability
MUTATIONS = 3  # outside the motif
END = 20  # bases at either end of a window, within reach of its padding in these models
METRICS = {
    "faithfulness": "faithfulness to ISM",
    "window_stability": "stability, moved window",
    "mutation_stability": "stability, mutations",
    "hit_auroc": "JASPAR hits, AUROC",
    "hit_average_precision": "JASPAR hits, AP",
    "planted_auroc": "planted motifs, AUROC",
    "planted_average_precision": "planted motifs, AP",
    "evalattai": "EvalAttAI, rise of the logit",
}

Values = dict[str, np.ndarray]


_GRADIENT = METHODS["gradient"]


def measure(
    problem: Problem,
    model: nn.Module,
    *,
    method: Method,
    seed: int,
    reference: Values | None = None,
) -> Values:
    """Return all metrics of a method: `METRIC` and `METRIC-corrected`, each of shape (n,).

    Args:
        problem: The sequences.
        model: In eval mode, without gradients of its parameters.
        method: The attribution method.
        seed: Of noise, shuffles and mutations.
        reference: What this function gives for mutagenesis; None for mutagenesis itself, whose
            importances are then among the values.
    """
    explainer = Explainer(model, method, seed)
    x, hits = columns(problem.peaks), torch.from_numpy(problem.hits)
    planted = columns(window(problem.planted)).contiguous()
    truth = torch.from_numpy(window(problem.truth).copy())
    values: Values = {}
    if reference is None:
        values["reference"] = explainer.importance(False)(x).numpy()
        values["planted_reference"] = explainer.importance(False)(planted).numpy()
    faithful = torch.from_numpy((reference or values)["reference"])

    def logit(inputs: Tensor) -> Tensor:
        return torch.cat([model(part)[:, 0] for part in inputs.split(ROWS)])

    for corrected in (False, True):
        explain = explainer.importance(corrected)
        position = explain(x)
        moved = metrics.shift_stability(explain, x, SHIFTS, edges="flanks").mean(1)
        mutated = metrics.mutation_stability(
            explain, x, hits, n_mutations=MUTATIONS, n_trials=1, seed=seed
        ).mean(1)
        curve = metrics.evalattai(logit, x, explainer.maps(x, corrected))
        found = explain(planted)
        suffix = "-corrected" if corrected else ""
        for name, value in {
            "faithfulness": metrics.faithfulness(position, faithful),
            "window_stability": moved,
            "mutation_stability": mutated,
            "hit_auroc": metrics.auroc(position, hits),
            "hit_average_precision": metrics.average_precision(position, hits),
            "planted_auroc": metrics.auroc(found, truth),
            "planted_average_precision": metrics.average_precision(found, truth),
            "evalattai": (curve[:, 1:] - curve[:, :1]).mean(1),
        }.items():
            values[name + suffix] = value.double().numpy()
    return values


def compare_edges(problem: Problem, model: nn.Module, *, reference: Values) -> Values:
    """Return how ShiftSmooth does on planted sequences, wrapped round and over the real flanks.

    Args:
        problem: The sequences.
        model: In eval mode, without gradients of its parameters.
        reference: What `measure` gives for mutagenesis.

    Returns:
        `METRIC-EDGES-N` and `METRIC-EDGES-N-corrected`, each of shape (m,); N = 0 is the gradient.
    """
    whole = columns(problem.planted)
    inner = window(whole).contiguous()
    truth = torch.from_numpy(window(problem.truth).copy())
    faithful = torch.from_numpy(reference["planted_reference"])
    smooth = ShiftSmooth(model)
    raw = {("circular", 0): raw_maps(_GRADIENT.on(model), inner, ROWS, 0)}
    for n in MAX_SHIFTS:
        wrapped = partial(smooth.attribute, target=0, max_shift=n)
        raw["circular", n] = raw_maps(unseeded(wrapped), inner, ROWS // 3, 0)
        flanked = whole[..., FLANK - n : FLANK + WINDOW + n].contiguous()
        raw["flanks", n] = raw_maps(
            unseeded(partial(wrapped, edges="flanks")), flanked, ROWS // 3, 0
        )[..., n:-n]
    values: Values = {}
    for corrected in (False, True):
        suffix = "-corrected" if corrected else ""
        found = {
            key: importance(finished(_GRADIENT, value, inner, corrected), inner)
            for key, value in raw.items()
        }
        for (edges, n), position in found.items():
            name = f"{edges}-{n}{suffix}"
            values[f"faithfulness-{name}"] = metrics.faithfulness(position, faithful).numpy()
            values[f"planted_auroc-{name}"] = metrics.auroc(position, truth).numpy()
            precision = metrics.average_precision(position, truth)
            values[f"planted_average_precision-{name}"] = precision.numpy()
        for n in MAX_SHIFTS:
            same = metrics.faithfulness(found["circular", n], found["flanks", n])
            values[f"agreement-both-{n}{suffix}"] = same.numpy()
    return values


def move_window(problem: Problem, model: nn.Module) -> Values:
    """Return what moves when the window moves by `SHIFTS[0]` over the real bases of peaks.

    `whole-N` is the correlation of the importances before and after, and `inner-N` that without
    `END` bases at either end, for ShiftSmooth at N and, as N = 0, the gradient. `winners` is the
    share of the trunk's maps whose highest position is another one afterwards; nan without a trunk.
    """
    x, step = columns(problem.peaks), SHIFTS[0]
    still, moved = x[..., step:].contiguous(), x[..., :-step].contiguous()
    trunk = getattr(model, "trunk", None)
    smooth = ShiftSmooth(model)
    values = {}
    for n in (0, *MAX_SHIFTS):
        explain = unseeded(partial(smooth.attribute, target=0, max_shift=n))
        a, b = (
            importance(finished(_GRADIENT, raw_maps(explain, w, ROWS // 3, 0), w, True), w)
            for w in (still, moved)
        )
        a, b = a[:, :-step], b[:, step:]
        values[f"whole-{n}"] = _correlation(a, b)
        values[f"inner-{n}"] = _correlation(a[:, END:-END], b[:, END:-END])
    values["winners"] = np.full(len(x), np.nan)
    if trunk is not None:
        with torch.no_grad():
            before, after = (
                torch.cat([trunk(part) for part in w.split(ROWS)]).max(-1) for w in (still, moved)
            )
        alive = (before.values > 0) | (after.values > 0)
        changed = alive & (after.indices != before.indices + step)
        values["winners"] = (changed.sum(1) / alive.sum(1)).double().numpy()
    return values


def _correlation(a: Tensor, b: Tensor) -> np.ndarray:
    """Pearson's correlation of the rows of (n, L). Shape (n,)."""
    a, b = (m.double() - m.double().mean(1, keepdim=True) for m in (a, b))
    return torch.cosine_similarity(a, b, dim=1).numpy()


def seconds_for_thousand(model: nn.Module, x: Tensor, method: Method) -> float:
    """Return how long one core takes to attribute a thousand sequences like these."""
    with threads(1):
        maps(model, x[:2], method)  # warm-up: checks, and caches
        start = time.process_time()
        maps(model, x, method)
        return (time.process_time() - start) / len(x) * 1000
