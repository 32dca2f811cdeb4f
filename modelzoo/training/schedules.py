"""Schedules: how the learning rate, and ARGMINN's regularisers, change over a training."""

from __future__ import annotations

import math


def one_cycle(done: float) -> float:
    """Return the factor on the learning rate: up to 1 in the first fifth, then a cosine to 0."""
    if done < 0.2:
        return 0.04 + 0.96 * done / 0.2
    return 0.5 * (1 + math.cos(math.pi * (done - 0.2) / 0.8))


def ramp(epoch: int, epochs: int, bounds: tuple[float, float]) -> float:
    """Return a regulariser's weight: none for a quarter of the epochs, then rising, then level.

    From a quarter to three quarters it rises from one bound to the other, evenly on a logarithmic
    scale: with 40 epochs it is the paper's schedule.

    Args:
        epoch: Counted from 0.
        epochs: Of the whole run.
        bounds: The first weight and the last.
    """
    start, stop = epochs // 4, epochs - epochs // 4
    if epoch < start:
        return 0.0
    done = min(1.0, (epoch - start) / max(1, stop - 1 - start))
    low, high = map(math.log, bounds)
    return math.exp(low + (high - low) * done)


def falling(done: float) -> float:
    """Return the factor on the learning rate: from 1 to 0 along half a cosine."""
    return (1 + math.cos(math.pi * done)) / 2
