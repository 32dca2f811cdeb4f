"""What the cells say together: means, paired differences with their q values, and the frontier.

A cell is a model on a set with one seed. Where a model has not learned its set, a map cannot show
what decides: only cells with a validation AUC of `Settings.learned` or more are summarised.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import false_discovery_control

from modelzoo.reports.tables import Row
from modelzoo.studies import statistics
from modelzoo.studies.benchmark.measures import (
    METRICS,
    MOST_CHECKED,
    MOVES,
    RANDOMISED,
    Values,
    key,
)
from modelzoo.studies.benchmark.methods import COMPARED, ISM, PLAIN, RIVAL, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS

JUDGED = ("average_precision", "faithfulness", "stability")  # what the frontier is of
SHOWN = (*JUDGED, "auroc")
Q_VALUE = 0.05
ALL = "all"
REAL = "peaks"  # the set of real sequences
MARGIN = 0.001  # what a method must be better by to beat another: the last digit that is shown

Key = tuple[str, str, int]  # set, model, seed


@dataclass
class Found:
    """Everything that the report shows.

    Attributes:
        models: A row for each model and set: its AUCs, and how many of its seeds learned.
        methods: A row for each method and correction: its means over all learned cells, its cost,
            and whether it is on the frontier.
        gains: A row for each method, model and metric: the paired difference from the gradient.
        sets: The same, for each set in place of the model, of ShiftSmooth alone.
        rivals: The same as `gains` from mutagenesis, of ShiftSmooth with a large N: on all sets,
            and on the real ones.
        frontiers: A row for each model and method: which others beat it, whatever they cost.
        checks: A row for each model: the audit's prediction beside what was measured.
        sanity: A row for each method: similarity to maps of models that learned nothing.
    """

    models: list[Row] = field(default_factory=list)
    methods: list[Row] = field(default_factory=list)
    gains: list[Row] = field(default_factory=list)
    sets: list[Row] = field(default_factory=list)
    rivals: list[Row] = field(default_factory=list)
    frontiers: list[Row] = field(default_factory=list)
    checks: list[Row] = field(default_factory=list)
    sanity: list[Row] = field(default_factory=list)


def summarise(
    cells: Mapping[Key, Values],
    randomised: Mapping[Key, Values],
    *,
    methods: Sequence[str] = tuple(COMPARED),
    learned_from: float,
    resamples: int,
    seed: int,
) -> Found:
    """Return what the report shows.

    Args:
        cells: What was measured.
        randomised: What was measured on models that learned nothing, by the cell whose maps theirs
            are compared with.
        methods: Keys of `COMPARED`.
        learned_from: The least validation AUC of a cell that is looked at.
        resamples: Of every interval.
        seed: Of the resamples.
    """
    learned = {k: v for k, v in cells.items() if v["validation_auc"] >= learned_from}
    others = [m for m in methods if m not in (PLAIN, ISM)]
    models = list(dict.fromkeys(model for _, model, _ in learned))
    sets = list(dict.fromkeys(name for name, *_ in learned))
    settings: dict[str, Any] = {"resamples": resamples, "seed": seed}
    gains = [
        {"model": model, **row}
        for model in (*models, *([ALL] if models else []))
        for row in _gains(_of(learned, model=model), [*others, ISM], **settings)
    ]
    by_set = [
        {"set": name, **row}
        for name in sets
        for row in _gains(_of(learned, name=name), [m for m in others if m == SHIFTED], **settings)
    ]
    rivals = [
        {"model": model, "set": name, **row}
        for name in (ALL, REAL)
        for model in (*models, ALL)
        if RIVAL in methods and (own := _of(learned, model=model, name=name))
        for row in _gains(own, [RIVAL], base=ISM, **settings)
    ]
    return Found(
        _model_rows(cells, learned),
        _method_rows(learned, methods),
        with_q_values(gains),
        with_q_values(by_set),
        with_q_values(rivals),
        [
            row
            for m in models
            for row in _frontier_rows(_of(learned, model=m), m, others, **settings)
        ],
        _check_rows(learned, models),
        _sanity_rows([v for k, v in randomised.items() if k in learned], methods),
    )


def with_q_values(rows: list[Row]) -> list[Row]:
    """Add to rows of tests their q values (Benjamini and Hochberg), over all of them."""
    for row, q in zip(rows, false_discovery_control([row["p"] for row in rows]) if rows else ()):
        row["q"] = float(q)
    return rows


def frontier(rows: Sequence[Row]) -> list[bool]:
    """Return which methods no other beats: as good by every measure and as cheap, better in one.

    Args:
        rows: With `evaluations` and the measures `JUDGED`; a missing one is the worst.
    """
    table = np.array([[-row["evaluations"], *(_worst(row[m]) for m in JUDGED)] for row in rows])
    return [
        not any((other >= own).all() and (other > own).any() for other in table) for own in table
    ]


def beaten(points: np.ndarray) -> np.ndarray:
    """Return which of some points each is beaten by: no worse by any measure, better by one.

    Args:
        points: Shape (..., points, measures); NaN is the worst.

    Returns:
        Whether the second beats the first, (..., points, points).
    """
    filled = np.where(np.isfinite(points), points, -1.0)
    more = filled[..., None, :, :] - filled[..., :, None, :]
    return np.logical_and((more >= 0).all(-1), (more >= MARGIN).any(-1))


def predicted_gain(varying: float, max_shift: int) -> float:
    """Return the stability that ShiftSmooth adds, by the share of power that varies.

    The formula of docs/how.md for windows that have nothing but their common part in common, as
    the mean over `MOVES`.

    Args:
        varying: The share p.
        max_shift: N.
    """
    count, kept = 2 * max_shift + 1, 1 - varying
    after = [1 - varying * min(s, count) / (count * (count * kept + varying)) for s in MOVES]
    return float(np.mean(after)) - kept


def _of(cells: Mapping[Key, Values], *, model: str = ALL, name: str = ALL) -> dict[Key, Values]:
    return {k: v for k, v in cells.items() if (name in (ALL, k[0])) and (model in (ALL, k[1]))}


def _model_rows(cells: Mapping[Key, Values], learned: Mapping[Key, Values]) -> list[Row]:
    rows = []
    for name, model in dict.fromkeys(k[:2] for k in cells):
        own = [v for k, v in cells.items() if k[:2] == (name, model)]
        rows.append(
            {
                "model": model,
                "set": name,
                "test_auc": float(np.mean([v["test_auc"] for v in own])),
                "validation_auc": float(np.mean([v["validation_auc"] for v in own])),
                "learned": sum(k[:2] == (name, model) for k in learned),
                "seeds": len(own),
            }
        )
    return rows


def _method_rows(learned: Mapping[Key, Values], methods: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for method in methods if learned else ():
        compared = COMPARED[method]
        costs = [compared.evaluations(SETS[name].length) for name, *_ in learned]
        for corrected in compared.corrections:
            means = {
                metric: _mean(v[key(method, corrected, metric)] for v in learned.values())
                for metric in METRICS
            }
            row: Row = {
                "method": method,
                "title": compared.method.title,
                "corrected": corrected,
                "evaluations": float(np.mean(costs)),
            }
            rows.append(row | means)
    for row, best in zip(rows, frontier(rows)):
        row["frontier"] = best
    return rows


def _gains(
    cells: Mapping[Key, Values],
    methods: Sequence[str],
    *,
    base: str = PLAIN,
    resamples: int,
    seed: int,
) -> list[Row]:
    """Paired differences from a method, where both are corrected if they can be."""
    groups = np.concatenate([_numbers(k, v) for k, v in cells.items()])
    rows = []
    for metric in METRICS:
        table = _numbers_of(cells, [base, *methods], metric)
        differences = table[:, 1:] - table[:, :1]
        observed, drawn = statistics.paired_means(
            differences, resamples=resamples, seed=seed, groups=groups
        )
        for i, method in enumerate(methods):
            itself = metric == "faithfulness" and ISM in (method, base)
            if itself or not np.isfinite(observed[i]):
                continue  # which agrees with itself
            found = statistics.bootstrap_comparison(
                drawn[np.isfinite(drawn[:, i]), i], float(observed[i])
            )
            rows.append(
                {
                    "metric": metric,
                    "method": method,
                    "base": _mean([table[:, 0]]),
                    "difference": found.difference,
                    "low": found.low,
                    "high": found.high,
                    "p": found.p,
                    "sequences": int(np.isfinite(differences[:, i]).sum()),
                }
            )
    return rows


def _numbers_of(cells: Mapping[Key, Values], methods: Sequence[str], metric: str) -> np.ndarray:
    """A metric of methods, corrected where they can be, (sequences of all cells, methods)."""
    columns = [
        [v[key(method, COMPARED[method].corrections[-1], metric)] for v in cells.values()]
        for method in methods
    ]
    return np.stack([np.concatenate(column) for column in columns], axis=1)


def _frontier_rows(
    cells: Mapping[Key, Values], model: str, others: Sequence[str], *, resamples: int, seed: int
) -> list[Row]:
    """Who beats each method but mutagenesis, whose agreement with itself says nothing."""
    methods = [PLAIN, *others]
    groups = np.concatenate([_numbers(k, v) for k, v in cells.items()])
    told = [
        statistics.paired_means(
            _numbers_of(cells, methods, metric), resamples=resamples, seed=seed, groups=groups
        )
        for metric in JUDGED
    ]
    points, drawn = (np.stack([pair[i] for pair in told], axis=-1) for i in (0, 1))
    by, share = beaten(points), 1 - beaten(drawn).any(-1).mean(0)
    return [
        {
            "model": model,
            "method": method,
            **dict(zip(JUDGED, points[i].tolist())),
            "beaten_by": [methods[j] for j in np.flatnonzero(by[i])],
            "share": float(share[i]),
        }
        for i, method in enumerate(methods)
    ]


def _numbers(name: Key, cell: Values) -> np.ndarray:
    """The same number for the same sequence of a set, whichever model and seed explains it."""
    count = len(cell[key(PLAIN, True, "auroc")])
    return 100_000 * list(SETS).index(name[0]) + np.arange(count)


def _check_rows(learned: Mapping[Key, Values], models: Sequence[str]) -> list[Row]:
    rows = []
    for model in models:
        own = list(_of(learned, model=model).values())
        if key(SHIFTED, True, "stability") not in own[0]:
            continue
        row: Row = {"model": model, "title": MODELS[model].title}
        row["varying"] = float(np.mean([v["varying"] for v in own]))
        row["total_stride"] = int(max(v["total_stride"] for v in own))
        row["by_share"] = float(
            np.mean([predicted_gain(float(v["varying"]), MOST_CHECKED) for v in own])
        )
        row["by_windows"] = float(np.mean([v["predicted"][-1] - v["predicted"][0] for v in own]))
        for metric in SHOWN:
            before, after = (_mean(v[key(m, True, metric)] for v in own) for m in (PLAIN, SHIFTED))
            row[metric] = None if before is None or after is None else after - before
        rows.append(row)
    return rows


def _sanity_rows(randomised: Sequence[Values], methods: Sequence[str]) -> list[Row]:
    rows: list[Row] = []
    for method in methods if randomised else ():
        corrected = COMPARED[method].corrections[-1]
        row: Row = {"method": method, "title": COMPARED[method].method.title}
        for what in RANDOMISED:
            row[what] = _mean(v[key(method, corrected, what)] for v in randomised)
        rows.append(row)
    return rows


def _mean(values: Iterable[np.ndarray]) -> float | None:
    whole = np.concatenate(list(values))
    kept = whole[np.isfinite(whole)]
    return float(kept.mean()) if len(kept) else None


def _worst(value: Any) -> float:
    return -np.inf if value is None else float(value)
