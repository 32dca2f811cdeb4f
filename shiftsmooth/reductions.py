"""What is made of the attributions of all shifts: `REDUCTIONS` is the one list of them.

A reduction is given chunk after chunk, and then asked for its result. Where strands or models are
averaged too, it is given all shifts of each of them.
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

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
    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The reduction, (B, ...) each.

        Args:
            dims: For each attribution the dimensions along which it is shifted.
            times: How often all shifts were added.
        """


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
        sums = [
            tuple((a if power == 1 else a.pow(power)).sum(0) for a in attributions)
            for power in self.powers
        ]
        if self._totals:
            sums = [tuple(a + b for a, b in zip(*pair)) for pair in zip(self._totals, sums)]
        self._totals = sums

    def means(self, dims: tuple[Dims, ...], times: int) -> list[Tensors]:
        """For each power, its mean over the shifts that reach a position."""
        means = [
            tuple(self.shifts.mean(total, d) for total, d in zip(totals, dims))
            for totals in self._totals
        ]
        return means if times == 1 else [tuple(mean / times for mean in each) for each in means]


class Mean(Powers):
    """The mean, as in the paper."""

    linear = True
    powers = (1,)

    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The mean."""
        return self.means(dims, times)[0]


class MeanSquare(Powers):
    """The mean of the squares, as NoiseTunnel's `smoothgrad_sq`."""

    powers = (2,)

    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The mean of the squares."""
        return self.means(dims, times)[0]


class Variance(Powers):
    """The variance, as NoiseTunnel's `vargrad`."""

    powers = (1, 2)

    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The variance."""
        mean, square = self.means(dims, times)
        # Rounding can make a variance of zero slightly negative.
        return tuple((m2 - m1 * m1).clamp_min(0) for m1, m2 in zip(mean, square))


class MeanAndStd(Variance):
    """The mean and the standard deviation, stacked: (2, B, ...)."""

    def add(self, attributions: Tensors) -> None:
        """Add the sums in float64, since a root makes small rounding errors large."""
        super().add(tuple(a.double() for a in attributions))

    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The mean and the standard deviation."""
        mean, variance = self.means(dims, times)[0], super().result(dims, times)
        return tuple(torch.stack((m, v.sqrt())) for m, v in zip(mean, variance))


class Median(Reduction):
    """The median, between the two middle ones of an even number. It keeps all attributions."""

    def __init__(self, shifts: Shifts) -> None:
        super().__init__(shifts)
        self._chunks: list[Tensors] = []

    def add(self, attributions: Tensors) -> None:
        """Keep the attributions."""
        self._chunks.append(attributions)

    def result(self, dims: tuple[Dims, ...], times: int = 1) -> Tensors:
        """The median over the shifts that reach a position."""
        return tuple(
            self._median(torch.cat(chunks), d, times) for chunks, d in zip(zip(*self._chunks), dims)
        )

    def _median(self, each: Tensor, dims: Dims, times: int) -> Tensor:
        reached = torch.cat([self.shifts.reached(each[0], dims)] * times)
        count = reached.sum(0)
        ordered = each.masked_fill(~reached, torch.inf).sort(0).values  # not reached: last
        low, high = ((count + step).div(2, rounding_mode="floor") - 1 for step in (1, 2))
        middle = [ordered.gather(0, i.clamp_min(0).expand_as(each[0])[None]) for i in (low, high)]
        median = torch.stack(middle).mean(0)[0]
        return median.masked_fill((count == 0).expand_as(median), 0)


REDUCTIONS: dict[str, type[Reduction]] = {
    "mean": Mean,
    "mean_square": MeanSquare,
    "variance": Variance,
    "mean_and_std": MeanAndStd,
    "median": Median,
}


def reduction_of(name: str, shifts: Shifts) -> Reduction:
    """The reduction that a call names, over its shifts."""
    if name not in REDUCTIONS:
        raise ValueError(f"reduction: expected one of {list(REDUCTIONS)}, got {name!r}")
    return REDUCTIONS[name](shifts)
