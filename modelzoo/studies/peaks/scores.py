"""Models x data sets: what each model says about each sequence, and how good that is."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from modelzoo.datasets import chipseq
from modelzoo.reports.tables import Row
from modelzoo.sequences import columns, encode, read_seq
from modelzoo.studies import statistics

Protocol = Literal["rigorous", "paper"]

PAPER_RESAMPLES = 30
MIXTURE = "MoE"  # the mixture's name in the paper's tables


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """A data set to be judged on.

    Attributes:
        name: Name of the factor.
        kind: `"in distribution"` or `"out of distribution"`.
        codes: The sequences, codes as of `modelzoo.sequences.encode`. Shape (n, L).
        labels: 1 for a peak. Shape (n,).
        groups: A peak and its shuffle have the same number. Shape (n,).
        seen: How many rows are also training rows, of whichever factor and on either strand.
    """

    name: str
    kind: str
    codes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    seen: int = 0

    @property
    def sha256(self) -> str:
        """The sum of the sequences and labels as they are used."""
        return hashlib.sha256(self.codes.tobytes() + self.labels.astype("u1").tobytes()).hexdigest()


@dataclass(frozen=True)
class Performance:
    """Everything the performance half of the report shows.

    Attributes:
        protocol: Which statistics were made.
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


def paper_sets(names: Sequence[str] | None = None) -> list[LabelledSet]:
    """The test and out-of-distribution sets of the mixture paper.

    Args:
        names: Factors to keep; by default all nine.
    """
    known = (*chipseq.FACTORS, *chipseq.OOD_FACTORS)
    wrong = [name for name in names or () if name not in known]
    if wrong:
        raise ValueError(f"names: expected factors among {', '.join(known)}, got {wrong[0]!r}")
    training = _training_rows()
    sets = []
    for name in names or known:
        inside = name in chipseq.FACTORS
        records = list(read_seq(chipseq.file("test" if inside else "ood", name)))
        pair = [record.name.rpartition("_")[0] for record in records]  # seq_7_peak, seq_7_shuf
        codes = encode([record.sequence for record in records])
        sets.append(
            LabelledSet(
                name=name,
                kind="in distribution" if inside else "out of distribution",
                codes=codes,
                labels=np.array([record.label for record in records]),
                groups=np.unique(pair, return_inverse=True)[1],
                seen=sum(row in training for row in _strandless(codes)),
            )
        )
    return sets


def logits(
    model: nn.Module, codes: np.ndarray, *, batch_size: int = 256, device: str = "cpu"
) -> np.ndarray:
    """What a model says about many sequences.

    Args:
        model: In eval mode, as `modelzoo.load` returns it.
        codes: Shape (n, L).
        batch_size: Sequences at once.
        device: Where the model is.

    Returns:
        Shape (n, tasks), float64.
    """
    with torch.inference_mode():
        parts = [model(x.to(device)).cpu() for x in columns(codes).split(batch_size)]
    return torch.cat(parts).double().numpy()


def task_score(values: np.ndarray, tasks: Sequence[str], factor: str) -> np.ndarray:
    """One score a sequence from a model's tasks: is this bound by the factor?

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


def is_mixture(model: nn.Module) -> bool:
    """Whether a model weighs experts by a gate."""
    return hasattr(model, "gate") and hasattr(model, "experts")


def published_name(model: Any) -> str | None:
    """What a model is called in the mixture paper's tables, None if it is not one of them."""
    if is_mixture(model):
        experts = {getattr(expert, "architecture", None) for expert in model.experts.children()}
        return MIXTURE if experts == {"deepbind"} else None
    tasks: tuple[str, ...] = getattr(model, "tasks", ())
    is_expert = getattr(model, "architecture", None) == "deepbind" and len(tasks) == 1
    return tasks[0] if is_expert and tasks[0] in chipseq.FACTORS else None


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
        protocol: Which statistics to make.
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


@cache
def published(name: str) -> list[dict[str, str]]:
    """The rows of one of the tables in `published/`.

    Args:
        name: Name of the file without `.csv`.
    """
    file = resources.files("modelzoo.studies.peaks") / "published" / f"{name}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def published_auc(table: str, factor: str, model: str | None) -> float | None:
    """A published mean AUC, None where there is none.

    Args:
        table: `"moe_auc_published"` or `"moe_auc_rigorous"`.
        factor: The data set.
        model: A name as of `published_name`.
    """
    for row in published(table):
        if row["dataset_tf"] == factor and f"mean_{model}" in row:
            return float(row[f"mean_{model}"])
    return None


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
    x = columns(data.codes).to(device)
    with torch.inference_mode():
        weights: Tensor = torch.cat([model.gate(part) for part in x.split(256)]).cpu()
    rows = []
    for label, what in ((1, "peaks"), (0, "shuffles")):
        chosen = weights[torch.from_numpy(data.labels == label)].double().mean(dim=0)
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


@cache
def _training_rows() -> frozenset[bytes]:
    return frozenset(row for f in chipseq.FACTORS for row in _strandless(chipseq.peaks(f)))


def _strandless(codes: np.ndarray) -> list[bytes]:
    """Each sequence as bytes, the same for both of its strands."""
    other = np.where(codes < 4, 3 - codes, codes)[:, ::-1]
    return [min(a.tobytes(), b.tobytes()) for a, b in zip(codes, other)]
