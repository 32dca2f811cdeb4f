"""Calibration after Platt (1999): what probability does a logit mean?

p = sigmoid(slope * logit + intercept), fitted by maximum likelihood on examples that were not
trained on. The targets are Platt's, (n1 + 1) / (n1 + 2) for positives and 1 / (n0 + 2) for
negatives, so that the fit stays finite where the classes do not overlap.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from torch import Tensor


def platt(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return slope and intercept. The slope is not negative, so that the order stays.

    Args:
        logits: Shape (n,).
        labels: 0 or 1. Shape (n,).
    """
    positive = labels == 1
    high, low = (positive.sum() + 1) / (positive.sum() + 2), 1 / ((~positive).sum() + 2)
    targets = np.where(positive, high, low)
    logits = logits.astype(np.float64)

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        z = values[0] * logits + values[1]
        error = 1 / (1 + np.exp(-z)) - targets
        gradient = np.array([(error * logits).mean(), error.mean()])
        return float((np.logaddexp(0, z) - targets * z).mean()), gradient

    found = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0, None), (None, None)], tol=1e-12)
    slope, intercept = found.x.tolist()
    return slope, intercept


def calibration(logits: Tensor, labels: Tensor) -> list[list[float]]:
    """Return slope and intercept of every task; labels are NaN where they are missing.

    Args:
        logits: Shape (n, tasks).
        labels: Shape (n, tasks).
    """
    found = []
    for task, y in zip(logits.T.double().numpy(), labels.T.numpy()):
        known = ~np.isnan(y)
        found.append(list(platt(task[known], y[known])))
    return found
