"""Every model judged on every data set: scores, comparisons and gate weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sklearn.metrics import average_precision_score
from torch import nn

from modelzoo.reports.tables import Row
from modelzoo.sequences.batches import in_batches
from modelzoo.studies import statistics
from modelzoo.studies.peaks.paper import is_mixture, published_auc, published_name
from modelzoo.studies.peaks.sets import LabelledSet
from modelzoo.studies.published import published

Protocol = Literal["rigorous", "paper"]

PAPER_RESAMPLES = 30


@dataclass(frozen=True)
class Performance:
    """Everything that the performance half of the report shows.

    Attributes:
        protocol: Which statistics were computed.
        models: Names of the models, in the order of every table.
        sets: Names of the data sets, likewise.
        scores: A row for each data set and model.
        comparisons: A row for each data set, mixture and other model (rigorous).
        anova: A row for each data set (paper).
        gates: A row for each data set, mixture, class and expert.
        curves: (false, true) positive rates by (data set, model).
    """

    protocol: Protocol
    models: tuple[str, ...]
    sets: tuple[str, ...]
    scores: list[Row]
    comparisons: list[Row] = field(default_factory=list)
    anova: list[Row] = field(default_factory=list)
    gates: list[Row] = field(default_factory=list)
    curves: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def logits(model: nn.Module, codes: np.ndarray, *, device: str = "cpu") -> np.ndarray:
    """Return the logits of many sequences in float64. Shape (n, tasks).

    Args:
        model: In eval mode, as `modelzoo.load` returns it.
        codes: Shape (n, L).
        device: Where the model is.
    """
    return in_batches(model, codes, batch_size=256, device=device).double().numpy()


def task_score(values: np.ndarray, tasks: Sequence[str], factor: str) -> np.ndarray:
    """Return one score per sequence from a model's tasks: is this bound by the factor?

    The task named after the factor answers if there is one. Of a factor no task is about, the
    model can only say whether something binds: the largest logit.

    Args:
        values: Logits. Shape (n, tasks).
        tasks: Names of the columns.
        factor: The factor asked about.

    Returns:
        Shape (n,).
    """
    if factor in tasks:
        return values[:, list(tasks).index(factor)]
    return values.max(axis=1)


def score(
    models: Mapping[str, Any],
    sets: Sequence[LabelledSet],
    *,
    protocol: Protocol = "rigorous",
    resamples: int = 1000,
    seed: int = 0,
    device: str = "cpu",
) -> Performance:
    """Judge every model on every data set.

    `"rigorous"` draws each peak together with its shuffle, `resamples` times, and compares every
    mixture with every other model: DeLong's test and the paired bootstrap, each corrected by Holm
    over all comparisons. `"paper"` draws 30 times row by row and puts a one-way ANOVA on the 30
    AUCs of each model, as the mixture paper did. Both give all models the same resamples.

    Args:
        models: By name, in eval mode on `device`.
        sets: The data sets.
        protocol: Which statistics to compute.
        resamples: Bootstrap resamples of the rigorous protocol.
        seed: The same seed gives the same numbers.
        device: Where the models are.
    """
    if protocol not in ("rigorous", "paper"):
        raise ValueError(f"protocol: expected 'rigorous' or 'paper', got {protocol!r}")
    if not models or not sets:
        raise ValueError("models and sets: expected at least one of each")
    result = Performance(protocol, tuple(models), tuple(s.name for s in sets), [])
    mixtures = [name for name, model in models.items() if is_mixture(model)]
    names = {name: published_name(model) for name, model in models.items()}
    for index, data in enumerate(sets):
        answers = np.stack(
            [
                task_score(logits(m, data.codes, device=device), m.tasks, data.name)
                for m in models.values()
            ]
        )
        samples = statistics.bootstrap(
            data.labels,
            answers,
            resamples=resamples if protocol == "rigorous" else PAPER_RESAMPLES,
            seed=seed + index,
            groups=data.groups if protocol == "rigorous" else None,
        )
        result.scores.extend(_score_rows(data, names, answers, samples, protocol))
        for name, row in zip(models, answers):
            result.curves[data.name, name] = statistics.roc_curve(data.labels, row)
        if protocol == "rigorous":
            for mixture in mixtures:
                result.comparisons.extend(_compare(data, list(models), mixture, answers, samples))
        elif len(models) > 1:
            result.anova.append(_anova_row(data, samples["roc_auc"], list(models)))
        for name in mixtures:
            result.gates.extend(_gate_rows(data, name, models[name], device))
    for p in ("p_delong", "p_bootstrap"):
        for row, value in zip(
            result.comparisons, statistics.holm([row[p] for row in result.comparisons])
        ):
            row[f"{p}_holm"] = float(value)
    return result


def _score_rows(
    data: LabelledSet,
    names: Mapping[str, str | None],
    answers: np.ndarray,
    samples: Mapping[str, np.ndarray],
    protocol: Protocol,
) -> list[Row]:
    aucs = statistics.auc(data.labels, answers)
    pooled = (
        statistics.anova(samples["roc_auc"]) if protocol == "paper" and len(names) > 1 else None
    )
    rows = []
    for m, (name, known_as) in enumerate(names.items()):
        row: Row = {"set": data.name, "kind": data.kind, "model": name, "roc_auc": float(aucs[m])}
        drawn = samples["roc_auc"][:, m]
        row["roc_auc_mean"], row["roc_auc_sd"] = float(drawn.mean()), float(drawn.std(ddof=1))
        low, high = statistics.interval(drawn)
        if pooled:
            low, high = drawn.mean() - pooled.half_width, drawn.mean() + pooled.half_width
        row["roc_auc_low"], row["roc_auc_high"] = float(low), float(high)
        row["average_precision"] = float(average_precision_score(data.labels, answers[m]))
        low, high = statistics.interval(samples["average_precision"][:, m])
        row["average_precision_low"], row["average_precision_high"] = float(low), float(high)
        row["disjoint_peaks"] = row["roc_auc_disjoint"] = None
        if data.shared is not None:
            kept = data.disjoint
            row["disjoint_peaks"] = int(data.labels[kept].sum())
            if row["disjoint_peaks"]:
                disjoint = statistics.auc(data.labels[kept], answers[m, kept])
                row["roc_auc_disjoint"] = float(disjoint)
        row["separation"] = float(statistics.separation(aucs[m]))
        row["paper_roc_auc"] = published_auc("moe_auc_published", data.name, known_as)
        row["authors_later_roc_auc"] = published_auc("moe_auc_rigorous", data.name, known_as)
        rows.append(row)
    return rows


def _compare(
    data: LabelledSet,
    names: list[str],
    mixture: str,
    answers: np.ndarray,
    samples: Mapping[str, np.ndarray],
) -> list[Row]:
    first = names.index(mixture)
    aucs = statistics.auc(data.labels, answers)
    rows = []
    for second, other in enumerate(names):
        if second == first:
            continue
        delong = statistics.delong_test(data.labels, answers[first], answers[second])
        drawn = samples["roc_auc"][:, first] - samples["roc_auc"][:, second]
        paired = statistics.bootstrap_comparison(drawn, delong.difference)
        precision = samples["average_precision"][:, first] - samples["average_precision"][:, second]
        low, high = statistics.interval(precision)
        effect = statistics.separation(aucs[first]) - statistics.separation(aucs[second])
        rows.append(
            {
                "set": data.name,
                "kind": data.kind,
                "model": mixture,
                "against": other,
                "roc_auc_difference": delong.difference,
                "delong_low": delong.low,
                "delong_high": delong.high,
                "p_delong": delong.p,
                "bootstrap_low": paired.low,
                "bootstrap_high": paired.high,
                "p_bootstrap": paired.p,
                "separation_difference": float(effect),
                "average_precision_difference_low": float(low),
                "average_precision_difference_high": float(high),
            }
        )
    return rows


def _anova_row(data: LabelledSet, samples: np.ndarray, names: list[str]) -> Row:
    found = statistics.anova(samples)
    paper = next((r for r in published("moe_auc_published") if r["dataset_tf"] == data.name), None)
    return {
        "set": data.name,
        "kind": data.kind,
        "f": found.f,
        "df_between": found.df_between,
        "df_within": found.df_within,
        "p": found.p,
        "best": names[int(found.means.argmax())],
        "paper_f": float(paper["F"]) if paper else None,
        "paper_p": float(paper["p"]) if paper else None,
    }


def _gate_rows(data: LabelledSet, name: str, model: Any, device: str) -> list[Row]:
    """Mean gate weights of a mixture over the peaks and over the shuffles of a data set."""
    weights = in_batches(model.gate, data.codes, batch_size=256, device=device).double()
    rows = []
    for label, what in ((1, "peaks"), (0, "shuffles")):
        chosen = weights[data.labels == label].mean(dim=0)
        for expert, weight in zip(model.experts, chosen):
            rows.append(
                {
                    "set": data.name,
                    "kind": data.kind,
                    "model": name,
                    "class": what,
                    "expert": expert,
                    "weight": float(weight),
                }
            )
    return rows
