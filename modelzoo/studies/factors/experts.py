"""Every expert on its own test set: against shuffles, against other factors' peaks, calibrated?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from modelzoo.architectures.expert import Expert
from modelzoo.datasets.negatives import factor_of
from modelzoo.datasets.overlap import Stretches
from modelzoo.datasets.peaks import read_peaks
from modelzoo.reports.tables import Row
from modelzoo.studies import statistics
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import LabelledSet

BINS = 10


@dataclass(frozen=True)
class Judged:
    """What the report says of experts.

    Attributes:
        scores: A row for each expert, on the test set of its own factor.
        specificity: A row for each expert and data set: the AUC of its own factor's test peaks
            against that set's; of its own set, against their shuffles.
        curves: By expert, the probabilities of equal bins and the fractions of peaks in them.
    """

    scores: list[Row]
    specificity: list[Row]
    curves: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def judge(
    experts: Mapping[str, Expert],
    kinds: Mapping[str, str],
    sets: Sequence[LabelledSet],
    *,
    resamples: int = 1000,
    seed: int = 0,
) -> Judged:
    """Judge experts on the test sets of the factors that have one.

    Args:
        experts: By name.
        kinds: By the same names, the negatives that they were trained against.
        sets: The test sets, with their `shared` peaks found; those of the experts are among them.
        resamples: Bootstrap resamples of every interval.
        seed: The same seed gives the same numbers.
    """
    others = other_peaks(sets)
    by_name = {data.name: data for data in sets}
    result = Judged([], [])
    for name, expert in experts.items():
        own = by_name[expert.tasks[0]]
        answers = logits(expert, own.codes)[:, 0]
        against = {
            other: logits(expert, codes)[:, 0]
            for other, codes in others[own.name].items()
            if len(codes)
        }
        peaks, shuffles = answers[own.labels == 1], answers[own.labels == 0]
        row = _score(own, answers, resamples, seed)
        told = [
            {"expert": name, "own": own.name, "set": other, "roc_auc": _auc(peaks, scores)}
            for other, scores in against.items()
        ]
        row["roc_auc_others"] = float(np.mean([entry["roc_auc"] for entry in told]))
        labels, values = _mixed(kinds[name], peaks, shuffles, list(against.values()), seed)
        probabilities = expert.probabilities(values[:, None])[:, 0].numpy()
        row["ece"] = statistics.calibration_error(labels, probabilities, BINS)
        row["ece_before"] = statistics.calibration_error(labels, values.sigmoid().numpy(), BINS)
        result.curves[name] = statistics.reliability(labels, probabilities, BINS)[:2]
        result.scores.append({"expert": name, "negatives": kinds[name], **row})
        told.append({"expert": name, "own": own.name, "set": own.name, "roc_auc": row["roc_auc"]})
        result.specificity.extend(told)
    return result


def other_peaks(sets: Sequence[LabelledSet]) -> dict[str, dict[str, np.ndarray]]:
    """Return, for each set, the test peaks of the other factors that do not overlap with its own.

    Its own peaks are those of its test set and of its training set.
    """
    peaks = [data.codes[data.labels == 1] for data in sets]
    stretches = Stretches(np.concatenate(peaks))
    owner = np.repeat(np.arange(len(sets)), [len(codes) for codes in peaks])
    every = np.concatenate(peaks)
    found = {}
    for data, own in zip(sets, peaks):
        apart = ~stretches.shared_with(own) & ~stretches.shared_with(read_peaks(data.name))
        found[data.name] = {
            other.name: every[apart & (owner == number)]
            for number, other in enumerate(sets)
            if factor_of(other.name) != factor_of(data.name)
        }
    return found


def _mixed(
    kind: str, peaks: np.ndarray, shuffles: np.ndarray, others: Sequence[np.ndarray], seed: int
) -> tuple[np.ndarray, torch.Tensor]:
    """Return labels and logits of as many negatives as peaks, of the kind trained against."""
    drawn = np.random.default_rng(seed).permutation(np.concatenate(others))[: len(peaks)]
    both = np.concatenate([shuffles[::2], drawn[1::2]])
    negatives = {"shuffles": shuffles, "others": drawn, "both": both}[kind]
    labels = np.repeat([1, 0], [len(peaks), len(negatives)])
    return labels, torch.from_numpy(np.concatenate([peaks, negatives]))


def _score(data: LabelledSet, answers: np.ndarray, resamples: int, seed: int) -> Row:
    """Return the AUC on a test set with its interval, and on its disjoint peaks if it has any."""
    drawn = statistics.bootstrap(
        data.labels, answers, resamples=resamples, seed=seed, groups=data.groups
    )
    low, high = statistics.interval(drawn["roc_auc"][:, 0])
    kept = data.disjoint
    peaks = int(data.labels[kept].sum())
    return {
        "set": data.name,
        "roc_auc": float(statistics.auc(data.labels, answers)),
        "roc_auc_low": float(low),
        "roc_auc_high": float(high),
        "disjoint_peaks": peaks,
        "roc_auc_disjoint": (
            float(statistics.auc(data.labels[kept], answers[kept])) if peaks else None
        ),
    }


def _auc(peaks: np.ndarray, others: np.ndarray) -> float:
    labels = np.repeat([1, 0], [len(peaks), len(others)])
    return float(statistics.auc(labels, np.concatenate([peaks, others])))
