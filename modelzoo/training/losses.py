"""Losses of (N, tasks) outputs against labels, of which any may be missing: NaN.

A missing label adds nothing to a loss and nothing to its gradient; the mean is over the labels that
are there. All take logits, or for counts the logarithm of the rate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def binary(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy of logits (N, tasks) against labels from 0 to 1."""
    return _over_known(F.binary_cross_entropy_with_logits, logits, labels)


def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared error, (N, tasks)."""
    return _over_known(F.mse_loss, outputs, labels)


def poisson(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return the Poisson deviance without its constant; outputs (N, tasks) are log rates."""
    return _over_known(F.poisson_nll_loss, outputs, labels)


def multiclass(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy of the classes, one a column; (N, classes).

    Labels are 1 in the column of a row's class and 0 elsewhere, or probabilities. A row with a
    missing label is left out.
    """
    known = ~labels.isnan().any(dim=1)
    if not known.any():
        return logits.sum() * 0
    return F.cross_entropy(logits[known], labels[known])


def pearson(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return 1 - the correlation over tasks of a row's outputs and labels, averaged over rows.

    It asks for the profile of a sequence over the tasks, not for its level; (N, tasks). Rows with
    fewer than two known labels, or with equal ones, are left out.
    """
    known = ~labels.isnan()
    weights = known / known.sum(dim=1, keepdim=True).clamp(min=1)

    def centred(values: Tensor) -> Tensor:
        values = torch.where(known, values, 0)
        return torch.where(known, values - (weights * values).sum(1, keepdim=True), 0)

    y, t = centred(outputs), centred(labels)
    usable = (t**2).sum(1) > 0
    if not usable.any():
        return outputs.sum() * 0
    y, t = y[usable], t[usable]
    norms = (t**2).sum(1).sqrt() * ((y**2).sum(1) + 1e-12).sqrt()  # constant outputs: 0, not NaN
    return 1 - ((y * t).sum(1) / norms).mean()


def filter_overlap(activations: Tensor, weight: Tensor) -> Tensor:
    """Return how much filters attend to bases that a stronger filter attends to, Eq. 2, a scalar.

    At each position i the strongest filter a(i) protects its window. Every other filter b that is
    active at i + d, |d| < width, pays its activation times the L1 norms of both filters' weights
    where the windows overlap. These norms depend on (a, b, d) alone, so what each activation pays
    in all is a convolution of where a(i) is. A position where no filter is active protects nothing.

    Args:
        activations: (B, filters, T), not negative.
        weight: (filters, 4, width).

    Returns:
        The sum of Eq. 2, divided by B * T * filters * (2 * width - 1) and by (4 * width)^2.
    """
    filters, letters, width = weight.shape
    # A window shifted by d overlaps with the last (first) width - |d| positions of this filter.
    norms = weight.abs().sum(dim=1)
    firsts = norms.cumsum(dim=1)
    lasts = norms.flip(1).cumsum(dim=1)
    shared = torch.cat([firsts, lasts[:, :-1].flip(1)], dim=1)  # (filters, 2 * width - 1)
    kernel = shared[:, None] * shared.flip(1)
    kernel = kernel * (1 - torch.eye(filters, dtype=weight.dtype, device=weight.device))[..., None]
    strongest, which = activations.detach().max(dim=1, keepdim=True)
    protecting = torch.zeros_like(activations).scatter_(1, which, (strongest > 0).to(weight.dtype))
    charged = activations * F.conv1d(protecting, kernel, padding=width - 1)
    return charged.mean() / ((2 * width - 1) * (letters * width) ** 2)


LOSSES: dict[str, Loss] = {
    "binary": binary,
    "multiclass": multiclass,
    "mse": mse,
    "poisson": poisson,
    "pearson": pearson,
}


def _over_known(loss: Loss, outputs: Tensor, labels: Tensor) -> Tensor:
    known = ~labels.isnan()
    if not known.any():
        return outputs.sum() * 0  # keeps the graph, so that a step is a step of nothing
    return loss(outputs[known], labels[known])
