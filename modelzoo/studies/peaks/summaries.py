"""From a number for each peak to means, intervals and paired comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from modelzoo.reports.tables import Row
from modelzoo.studies import statistics
from modelzoo.studies.peaks.compared import MAX_SHIFTS
from modelzoo.studies.peaks.measures import METRICS


@dataclass(frozen=True)
class Measured:
    """The values measured for one factor, model class (expert or mixture) and method."""

    factor: str
    model_class: str
    method: str
    values: Mapping[str, np.ndarray]


def _table(
    measured: Sequence[Measured], metric: str, model_class: str, corrected: bool, factor: str
) -> Any:
    """The values of one metric, a column a method. Methods, and shape (peaks, methods)."""
    key = metric + ("-corrected" if corrected else "")
    columns_: dict[str, list[np.ndarray]] = {}
    for one in measured:
        if one.model_class == model_class and factor in ("all", one.factor):
            columns_.setdefault(one.method, []).append(one.values[key])
    return list(columns_), np.stack([np.concatenate(c) for c in columns_.values()], axis=1)


def summarise(measured: Sequence[Measured], resamples: int, seed: int) -> list[Row]:
    """Return a row for each metric, model class, factor (or all), correction and method."""
    rows = []
    factors = list(dict.fromkeys(one.factor for one in measured))
    for metric in METRICS:
        for model_class in _classes(measured):
            for factor in ("all", *factors):
                for corrected in (False, True):
                    names, table = _table(measured, metric, model_class, corrected, factor)
                    means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                    low, high = statistics.interval(drawn)
                    for i, name in enumerate(names):
                        rows.append(
                            {
                                "metric": metric,
                                "model_class": model_class,
                                "factor": factor,
                                "method": name,
                                "corrected": corrected,
                                "mean": _number(means[i]),
                                "low": _number(low[i]),
                                "high": _number(high[i]),
                                "n": int(np.isfinite(table[:, i]).sum()),
                            }
                        )
    return rows


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """ShiftSmooth against gradient and SmoothGrad; with noise and over a path, against each."""
    shifted = [f"shiftsmooth-{n}" for n in MAX_SHIFTS]
    pairs = [(first, second) for first in shifted for second in ("gradient", "smoothgrad")]
    pairs += [("shift-and-noise", other) for other in ("gradient", "smoothgrad", "shiftsmooth-5")]
    others = ("gradient", "smoothgrad", "integrated-gradients", "shift-and-noise")
    pairs += [("shiftsmooth-ig", other) for other in others]
    return [pair for pair in pairs if set(pair) <= set(names)]


def compare(measured: Sequence[Measured], resamples: int, seed: int) -> list[Row]:
    """Return paired differences over the peaks of all factors, corrected by Holm over all rows."""
    rows = []
    for metric in METRICS:
        for model_class in _classes(measured):
            for corrected in (False, True):
                names, table = _table(measured, metric, model_class, corrected, "all")
                _, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                for first, second in _pairs(names):
                    i, j = names.index(first), names.index(second)
                    rows.append(
                        {
                            "metric": metric,
                            "model_class": model_class,
                            "corrected": corrected,
                            "method": first,
                            "against": second,
                            **_paired(table[:, i] - table[:, j], drawn[:, i] - drawn[:, j]),
                        }
                    )
    for row, p in zip(rows, statistics.holm([row["p"] for row in rows])):
        row["p_holm"] = float(p)
    return rows


def _paired(differences: np.ndarray, drawn: np.ndarray) -> Row:
    """Mean difference with the interval of its resamples, the p of a paired t test, and d."""
    differences = differences[np.isfinite(differences)]
    if len(differences) < 2:
        return {"difference": None, "low": None, "high": None, "p": 1.0, "effect": None}
    low, high = statistics.interval(drawn)
    found = statistics.paired_test(differences)
    return {"difference": found.mean, "low": float(low), "high": float(high)} | {
        "p": found.p,
        "effect": found.effect,
    }


def summarise_edges(measured: Sequence[Measured], resamples: int, seed: int) -> list[Row]:
    """Return what ShiftSmooth changes, wrapped round and over real flanks, and their difference."""
    rows = []
    for model_class in _classes(measured):
        results = [one.values for one in measured if one.model_class == model_class]
        for corrected in (False, True):
            suffix = "-corrected" if corrected else ""
            for n in MAX_SHIFTS:
                agreement = np.concatenate([v[f"agreement-both-{n}{suffix}"] for v in results])
                for metric in ("faithfulness", "planted_auroc", "planted_average_precision"):
                    before, wrapped, real = (
                        np.concatenate([v[f"{metric}-{kind}{suffix}"] for v in results])
                        for kind in ("circular-0", f"circular-{n}", f"flanks-{n}")
                    )
                    table = np.stack([wrapped - before, real - before, wrapped - real], axis=1)
                    means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
                    row: Row = {
                        "metric": metric,
                        "model_class": model_class,
                        "corrected": corrected,
                        "max_shift": n,
                        "gradient": _number(np.nanmean(before)),
                        "agreement": _number(np.nanmean(agreement)),
                    }
                    for i, name in enumerate(("circular", "flanks", "wrap_around")):
                        low, high = statistics.interval(drawn[:, i])
                        row[name] = _number(means[i])
                        row[f"{name}_low"], row[f"{name}_high"] = _number(low), _number(high)
                    rows.append(row)
    return rows


def summarise_windows(measured: Sequence[Measured], resamples: int, seed: int) -> list[Row]:
    """Return stability with and without the ends of the window, and its relation to pooling."""
    rows = []
    for model_class in _classes(measured):
        results = [one.values for one in measured if one.model_class == model_class]
        joined = {key: np.concatenate([v[key] for v in results]) for key in results[0]}
        winners = joined["winners"]
        for n in (0, *MAX_SHIFTS):
            whole, inner = joined[f"whole-{n}"], joined[f"inner-{n}"]
            table = np.stack([whole, inner], axis=1)
            means, drawn = statistics.paired_means(table, resamples=resamples, seed=seed)
            row: Row = {"model_class": model_class, "max_shift": n}
            for i, name in enumerate(("whole", "inner")):
                low, high = statistics.interval(drawn[:, i])
                row[name] = _number(means[i])
                row[f"{name}_low"], row[f"{name}_high"] = _number(low), _number(high)
            row["winners"] = _number(np.mean(winners))
            both = np.ptp(winners) > 0 and np.ptp(inner) > 0
            row["winners_correlation"] = (
                _number(spearmanr(winners, inner).statistic) if both else None
            )
            rows.append(row)
    return rows


def _classes(measured: Sequence[Measured]) -> list[str]:
    return list(dict.fromkeys(one.model_class for one in measured))


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
