"""Where windows lie on their maps.

Windows that are evenly spaced, as those of a scan, are `range`s: nothing is kept for each of them,
and a slice of a range is a range. Those of any other shifts are lists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd

import torch
from torch import Tensor

from ..shifts import Numbers


@dataclass(frozen=True)
class Places:
    """The places of S windows on G maps.

    Attributes:
        members: For each map, the numbers of the windows that lie on it.
        starts: For each map, where on it these windows start.
    """

    members: tuple[Numbers, ...]
    starts: tuple[Numbers, ...]

    @classmethod
    def on_one_map(cls, starts: Numbers) -> "Places":
        """Windows that start at `starts` of a single map."""
        return cls((range(len(starts)),), (starts,))

    @property
    def maps(self) -> int:
        """The number of maps, G."""
        return len(self.members)

    @cached_property
    def count(self) -> int:
        """The number of windows, S."""
        return sum(map(len, self.members))

    @property
    def spaced(self) -> bool:
        """Whether the windows are evenly spaced, and so may be many: those of a scan.

        What they hold is then made of whole regions of a map, and the windows are next to each
        other in memory; those of shifts are taken one by one.
        """
        return isinstance(self.starts[0], range)

    @cached_property
    def of_windows(self) -> list[tuple[int, int]]:
        """For each window the map that it lies on, and where it starts there."""
        places = {
            window: (g, start)
            for g, (numbers, starts) in enumerate(zip(self.members, self.starts))
            for window, start in zip(numbers, starts)
        }
        return [places[window] for window in range(self.count)]

    def mapped(self, move: Callable[[int], int]) -> "Places":
        """Each start `n` at `move(n)`, which keeps evenly spaced ones evenly spaced."""
        return Places(self.members, tuple(_mapped(starts, move) for starts in self.starts))

    def later(self, by: int) -> "Places":
        """All windows `by` positions later."""
        return self.mapped(lambda start: start + by) if by else self

    def strided(self, stride: int) -> tuple[list[tuple[int, int]], "Places"]:
        """The places where only every `stride`-th position is kept.

        Returns:
            For each of the new maps, the old one and the first of the positions it keeps; and the
            places on the new maps.
        """
        if stride == 1:
            return [(g, 0) for g in range(self.maps)], self
        sources, members, places = [], [], []
        for g, (numbers, starts) in enumerate(zip(self.members, self.starts)):
            for indices in _by_residue(starts, stride):
                of_class = _taken(starts, indices)
                sources.append((g, of_class[0] % stride))
                members.append(_taken(numbers, indices))
                places.append(_mapped(of_class, lambda start: start // stride))
        return sources, Places(tuple(members), tuple(places))

    def distance(self, other: "Places") -> int | None:
        """How far behind `other` these are; None if that is not the same for all windows."""
        if self is other:
            return 0
        if self.members != other.members:
            return None
        found = set()
        for mine, theirs in zip(self.starts, other.starts):
            if isinstance(mine, range) and isinstance(theirs, range):
                if len(mine) > 1 and mine.step != theirs.step:
                    return None
                found.add(mine[0] - theirs[0])
            else:
                found |= {a - b for a, b in zip(mine, theirs)}
        return found.pop() if len(found) == 1 else None

    def in_order(self, rows: Sequence[Tensor]) -> Tensor:
        """Rows per map, (windows on it, ...), as one tensor (S, ...) in the windows' order."""
        if len(rows) == 1:
            return rows[0]
        order = torch.cat([torch.as_tensor(numbers) for numbers in self.members])
        return torch.cat(list(rows))[order.argsort().to(rows[0].device)]


def _mapped(starts: Numbers, function: Callable[[int], int]) -> Numbers:
    if not isinstance(starts, range):
        return [function(start) for start in starts]
    first = function(starts[0])
    if len(starts) == 1:
        return range(first, first + 1)
    step = function(starts[1]) - first
    return range(first, first + len(starts) * step, step)


def _by_residue(starts: Numbers, stride: int) -> list[slice | list[int]]:
    """Which of the starts have the same remainder, by the remainder."""
    if isinstance(starts, range):
        period = stride // gcd(starts.step, stride)
        firsts = sorted(range(min(period, len(starts))), key=lambda i: starts[i] % stride)
        return [slice(first, None, period) for first in firsts]
    residues = [start % stride for start in starts]
    return [
        [i for i, residue in enumerate(residues) if residue == wanted]
        for wanted in sorted(set(residues))
    ]


def _taken(numbers: Numbers, indices: slice | list[int]) -> Numbers:
    if isinstance(indices, slice):
        return numbers[indices]
    return [numbers[i] for i in indices]
