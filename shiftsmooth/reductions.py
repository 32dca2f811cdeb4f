"""What is made of the attributions of all shifts: `REDUCTIONS` is the one list of them.

A reduction is given chunk after chunk, and then asked for its result.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

from .arguments import Tensors
from .shifts import Dims, Shifts


class Reduction(ABC):
    """One number per position, from those of all shifts.

    Attributes:
        linear: Whether a sum over shifts is enough, so that it may come from one backward pass.
    """

    linear: ClassVar[bool] = False

    def __init__(self, shifts: Shifts) -> None:
        self.shifts = shifts

    @abstractmethod
    def add(self, attributions: Tensors) -> None:
        """Add a chunk's attributions, (S, B, ...) each; `linear` ones may come summed, S = 1."""

    @abstractmethod
    def result(self, dims: tuple[Dims, ...]) -> Tensors:
        """The reduction, (B, ...) each, of attributions that are shifted along `dims`."""


class Powers(Reduction):
    """Means of powers of the attributions.

    Attributes:
        powers: Which powers.
    """

    powers: ClassVar[tuple[int, ...]]

    def __init__(self, shifts: Shifts) -> None:
        super().__init__(shifts)
        self._totals: list[Tensors] = []

    def add(self, attributions: Tensors) -> None:
        """Add the sums of the powers."""
        sums = [tuple(a.pow(power).sum(0) for a in attributions) for power in self.powers]
        if self._totals:
            sums = [tuple(a + b for a, b in zip(*pair)) for pair in zip(self._totals, sums)]
        self._totals = sums

    def means(self, dims: tuple[Dims, ...]) -> list[Tensors]:
        """For each power, its mean over the shifts that reach a position."""
        return [
            tuple(self.shifts.mean(total, d) for total, d in zip(totals, dims))
            for totals in self._totals
        ]


class Mean(Powers):
    """The mean, as in the paper."""

    linear = True
    powers = (1,)

    def result(self, dims: tuple[Dims, ...]) -> Tensors:
        """The mean."""
        return self.means(dims)[0]


class MeanSquare(Powers):
    """The mean of the squares, as NoiseTunnel's `smoothgrad_sq`."""

    powers = (2,)

    def result(self, dims: tuple[Dims, ...]) -> Tensors:
        """The mean of the squares."""
        return self.means(dims)[0]


class Variance(Powers):
    """The variance, as NoiseTunnel's `vargrad`."""

    powers = (1, 2)

    def result(self, dims: tuple[Dims, ...]) -> Tensors:
        """The variance."""
        mean, square = self.means(dims)
        # Rounding can make a variance of zero slightly negative.
        return tuple((m2 - m1 * m1).clamp_min(0) for m1, m2 in zip(mean, square))


REDUCTIONS: dict[str, type[Reduction]] = {
    "mean": Mean,
    "mean_square": MeanSquare,
    "variance": Variance,
}


def reduction_of(name: str, shifts: Shifts) -> Reduction:
    """The reduction that a call names, over its shifts."""
    if name not in REDUCTIONS:
        raise ValueError(f"reduction: expected one of {list(REDUCTIONS)}, got {name!r}")
    return REDUCTIONS[name](shifts)
