"""The statistics of reports, as pure functions of labels and scores.

Scores are arrays of shape (models, n): the models answer the same n sequences, so every comparison
is paired. Whatever is random takes a seed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn import metrics

_RESAMPLES_AT_ONCE = 256  # keeps the temporary arrays of a bootstrap to a few megabytes


@dataclass(frozen=True)
class Comparison:
    """Two models on the same sequences, first minus second.

    Attributes:
        difference: The difference of the two scores.
        low: Lower end of its 95 % confidence interval.
        high: Upper end.
        p: Two-sided p value of no difference.
    """

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Anova:
    """A one-way analysis of variance.

    Attributes:
        f: Ratio of the variance between groups to that within.
        df_between: Groups - 1.
        df_within: Observations - groups.
        p: Probability of an F as large if all groups have one mean.
        means: Mean of each group. Shape (groups,).
        half_width: Half the 95 % confidence interval of each mean, from the pooled variance.
    """

    f: float
    df_between: int
    df_within: int
    p: float
    means: np.ndarray
    half_width: float


def auc(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve; ties count half.

    Args:
        labels: 0 or 1. Shape (n,).
        scores: Shape (..., n).

    Returns:
        Shape (...).
    """
    positive = _positive(labels, scores)
    p, n = positive.sum(), (~positive).sum()
    ranks = stats.rankdata(scores, axis=-1)[..., positive].sum(axis=-1)
    return (ranks - p * (p + 1) / 2) / (p * n)


def delong(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return AUCs and their covariance (DeLong et al. 1988) from midranks (Sun and Xu 2014).

    The cost is that of sorting, O(n log n); the definition compares all pairs.

    Args:
        labels: 0 or 1, at least two of each. Shape (n,).
        scores: Shape (models, n).

    Returns:
        The AUCs, shape (models,), and their covariance, shape (models, models).
    """
    scores = np.atleast_2d(scores)
    positive = _positive(labels, scores)
    p, n = int(positive.sum()), int((~positive).sum())
    if min(p, n) < 2:
        raise ValueError(f"labels: expected at least two of each class, got {p} ones and {n} zeros")
    ranks = stats.rankdata(scores, axis=1)
    above_negatives = ranks[:, positive] - stats.rankdata(scores[:, positive], axis=1)
    above_positives = ranks[:, ~positive] - stats.rankdata(scores[:, ~positive], axis=1)
    of_positives = above_negatives / n  # how many negatives each positive beats
    of_negatives = 1 - above_positives / p  # how many positives beat each negative
    covariance = np.cov(of_positives) / p + np.cov(of_negatives) / n
    return of_positives.mean(axis=1), np.atleast_2d(covariance)


def delong_test(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> Comparison:
    """Return DeLong's test of two AUCs on the same sequences.

    Args:
        labels: 0 or 1. Shape (n,).
        first: Scores of the first model. Shape (n,).
        second: Scores of the second. Shape (n,).
    """
    aucs, covariance = delong(labels, np.stack([first, second]))
    difference = float(aucs[0] - aucs[1])
    # Rounding can leave a variance of zero slightly below it.
    error = np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0))
    if error < 1e-12:
        return Comparison(difference, difference, difference, 1.0 if difference == 0 else 0.0)
    margin = float(stats.norm.ppf(0.975) * error)
    p = float(2 * stats.norm.sf(abs(difference) / error))
    return Comparison(difference, difference - margin, difference + margin, p)


def bootstrap(
    labels: np.ndarray,
    scores: np.ndarray,
    *,
    resamples: int = 1000,
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return ROC AUC and average precision of every model on the same resamples.

    Args:
        labels: 0 or 1. Shape (n,).
        scores: Shape (models, n).
        resamples: How many times the n sequences are drawn with replacement.
        seed: The same seed gives the same resamples.
        groups: Sequences with the same number are drawn together, such as a peak and its shuffle.
            Shape (n,). By default each sequence is drawn by itself.

    Returns:
        `"roc_auc"` and `"average_precision"`, each of shape (resamples, models).
    """
    scores = np.atleast_2d(scores)
    positive = _positive(labels, scores)
    rng = np.random.default_rng(seed)
    unit = np.arange(len(positive)) if groups is None else np.unique(groups, return_inverse=True)[1]
    sizes = [
        min(_RESAMPLES_AT_ONCE, resamples - i) for i in range(0, resamples, _RESAMPLES_AT_ONCE)
    ]
    parts = []
    for size in sizes:
        weights = _draw(unit, positive, size, rng)
        parts.append([_weighted(positive, row, weights) for row in scores])
    both = np.concatenate(parts, axis=-1)  # (models, 2, resamples)
    return {"roc_auc": both[:, 0].T, "average_precision": both[:, 1].T}


def bootstrap_comparison(samples: np.ndarray, observed: float) -> Comparison:
    """Return the percentile interval and the two-sided p of a difference from paired resamples.

    The p value is that of the difference divided by its bootstrap standard error. Counting the
    resamples beyond 0 instead would need many thousands of them, to be left with anything after
    a correction for many tests.

    Args:
        samples: The difference in each resample. Shape (resamples,).
        observed: The difference on the sequences themselves.
    """
    low, high = interval(samples)
    error = samples.std(ddof=1)
    if error < 1e-12:
        return Comparison(observed, float(low), float(high), 1.0 if observed == 0 else 0.0)
    p = float(2 * stats.norm.sf(abs(observed) / error))
    return Comparison(observed, float(low), float(high), p)


def interval(samples: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Return the central percentile interval of resampled values, without NaNs.

    Args:
        samples: Shape (resamples, ...).
        level: The probability it covers.

    Returns:
        Low and high. Shape (2, ...).
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered")
        return np.nanquantile(samples, [(1 - level) / 2, (1 + level) / 2], axis=0)


def paired_means(
    values: np.ndarray, *, resamples: int = 1000, seed: int, groups: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return means of several quantities measured on the same sequences, and resampled means.

    The difference of two columns of the resamples is the paired bootstrap of their difference.
    NaNs (a quantity that a sequence does not have) are left out of the means.

    Args:
        values: Shape (n, quantities).
        resamples: How many times the n rows are drawn with replacement.
        seed: The same seed gives the same resamples.
        groups: Rows with the same number are drawn together. Shape (n,).

    Returns:
        The means, shape (quantities,), and resampled means, shape (resamples, quantities).
    """
    rng = np.random.default_rng(seed)
    unit = np.arange(len(values)) if groups is None else np.unique(groups, return_inverse=True)[1]
    present = np.isfinite(values)
    filled = np.where(present, values, 0.0)
    units = int(unit.max()) + 1
    drawn = rng.multinomial(units, np.full(units, 1 / units), resamples)[:, unit].astype(float)
    with np.errstate(invalid="ignore"):
        return filled.sum(axis=0) / present.sum(axis=0), (drawn @ filled) / (drawn @ present)


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return p values after Holm's step-down correction for the whole family of tests.

    Args:
        p: The p values of the family. Shape (tests,).

    Returns:
        The adjusted p values, in the order given.
    """
    values = np.asarray(p, dtype=float)
    if ((values < 0) | (values > 1)).any() or np.isnan(values).any():
        raise ValueError(f"p: expected values between 0 and 1, got {values}")
    order = np.argsort(values)
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def separation(auc: np.ndarray | float) -> np.ndarray:
    """Return the effect size of an AUC: Cohen's d of two normal classes with that AUC.

    The difference of two separations is comparable across data sets; that of two AUCs is not,
    because an AUC near 1 can hardly rise.

    Args:
        auc: Any shape.
    """
    return np.sqrt(2) * stats.norm.ppf(auc)


@dataclass(frozen=True)
class Paired:
    """Differences of two measurements of the same things.

    Attributes:
        mean: Their mean.
        p: Two-sided p value of a t test that it is 0.
        effect: Cohen's d: the mean in units of the standard deviation.
    """

    mean: float
    p: float
    effect: float


def paired_test(differences: np.ndarray) -> Paired:
    """Test whether the mean of paired differences is 0.

    Args:
        differences: At least two. Shape (n,).
    """
    mean, spread = float(differences.mean()), float(differences.std(ddof=1))
    if spread < 1e-12:
        return Paired(mean, 1.0 if abs(mean) < 1e-12 else 0.0, 0.0)
    return Paired(mean, float(stats.ttest_1samp(differences, 0).pvalue), mean / spread)


def anova(samples: np.ndarray) -> Anova:
    """Return a one-way ANOVA over groups of equal size, as the mixture paper uses it.

    Args:
        samples: Shape (observations, groups).
    """
    n, groups = samples.shape
    f, p = stats.f_oneway(*samples.T)
    within = groups * (n - 1)
    pooled = samples.var(axis=0, ddof=1).mean()
    half = stats.t.ppf(0.975, within) * np.sqrt(pooled / n)
    return Anova(float(f), groups - 1, within, float(p), samples.mean(axis=0), float(half))


def reliability(
    labels: np.ndarray, probabilities: np.ndarray, bins: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each bin the mean probability, the fraction of positives and the share of all.

    Bins hold equally many sequences, as nearly as can be, in the order of their probabilities.

    Args:
        labels: 0 or 1. Shape (n,).
        probabilities: Shape (n,).
        bins: How many, at most n.
    """
    parts = np.array_split(np.argsort(probabilities, kind="stable"), min(bins, len(labels)))
    means = [(probabilities[part].mean(), labels[part].mean(), len(part)) for part in parts]
    expected, observed, counts = np.array(means).T
    return expected, observed, counts / len(labels)


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 10) -> float:
    """Return the expected calibration error: how far fractions are from probabilities, on average.

    Args:
        labels: 0 or 1. Shape (n,).
        probabilities: Shape (n,).
        bins: As of `reliability`.
    """
    expected, observed, share = reliability(labels, probabilities, bins)
    return float((share * np.abs(expected - observed)).sum())


def roc_curve(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates, from (0, 0) to (1, 1).

    Args:
        labels: 0 or 1. Shape (n,).
        scores: Shape (n,).
    """
    false, true, _ = metrics.roc_curve(labels, scores)
    return false, true


def _positive(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or np.shape(scores)[-1] != len(labels):
        raise ValueError(
            f"labels and scores: expected shapes (n,) and (..., n), got {labels.shape} and"
            f" {np.shape(scores)}"
        )
    if not np.isin(labels, [0, 1]).all() or labels.min() == labels.max():
        raise ValueError(f"labels: expected zeros and ones, both, got {np.unique(labels)}")
    if not np.isfinite(scores).all():
        raise ValueError("scores: expected finite numbers")
    return labels == 1


def _draw(
    unit: np.ndarray, positive: np.ndarray, size: int, rng: np.random.Generator
) -> np.ndarray:
    """How often each sequence is in each resample. Shape (size, n), both classes in each."""
    units = int(unit.max()) + 1
    chance = np.full(units, 1 / units)
    weights = rng.multinomial(units, chance, size)[:, unit]
    while True:
        ones = weights[:, positive].sum(axis=1)
        one_class = (ones == 0) | (ones == weights.sum(axis=1))
        if not one_class.any():
            return weights
        weights[one_class] = rng.multinomial(units, chance, int(one_class.sum()))[:, unit]


def _weighted(
    positive: np.ndarray, scores: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUC and average precision of one model under each row of weights. Shapes (resamples,)."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)  # of runs of ties
    ordered = weights[:, order]
    true = np.cumsum(ordered * positive[order], axis=1)[:, ends].astype(float)
    false = np.cumsum(ordered * ~positive[order], axis=1)[:, ends].astype(float)
    new_true = np.diff(true, axis=1, prepend=0)
    new_false = np.diff(false, axis=1, prepend=0)
    above = true - new_true / 2  # positives above a tied run, half of those in it
    total_true, total_false = true[:, -1], false[:, -1]
    precision = true / np.maximum(true + false, 1)
    return (
        (new_false * above).sum(axis=1) / (total_true * total_false),
        (new_true * precision).sum(axis=1) / total_true,
    )
