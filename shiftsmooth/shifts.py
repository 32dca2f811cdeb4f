"""What a shift is: which shifts, how a tensor is shifted and how its attribution comes back.

Shift n moves a sequence n positions to the right; `Shifts.back` moves an attribution n positions
to the left again (Eqs. 15 and 16 of arXiv 2507.09754). All of it is pure functions of tensors.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import index
from typing import Any

import torch
from torch import Tensor

Dims = tuple[int, ...]
Numbers = list[int] | range  # evenly spaced numbers are a range, which does not grow with them
MOST = 1_000_000  # the largest shift that is looked at: a tuple of all shifts has to be made
DEFAULT = 5  # the largest shift, where it is not given and the sequence is long enough


@dataclass(frozen=True)
class Shifts:
    """The shifts of one call.

    Attributes:
        values: The shifts, in the order in which they are taken.
        edges: "circular": what leaves at one end enters at the other. "flanks": the tensor carries
            `reach` more positions on each side, and shift n is the window that starts n earlier.
        region: With "circular", roll only `[start, stop)` of the sequence.
        free: Whether the caller left the choice of shifts to us.
    """

    values: tuple[int, ...]
    edges: str = "circular"
    region: tuple[int, int] | None = None
    free: bool = False

    @classmethod
    def of(
        cls,
        max_shift: int | None,
        shifts: Iterable[int] | None,
        edges: str,
        region: tuple[int, int] | None,
    ) -> "Shifts":
        """The shifts of `attribute`'s arguments; an error names the argument that is bad."""
        if edges not in ("circular", "flanks"):
            raise ValueError(f"edges: expected 'circular' or 'flanks', got {edges!r}")
        if region is not None:
            if edges == "flanks":
                raise ValueError(
                    "region: expected None with edges='flanks', where nothing is rolled, "
                    f"got {region}"
                )
            bounds = integers("region", region)
            if len(bounds) != 2:
                raise ValueError(f"region: expected (start, stop), got {region}")
            region = (bounds[0], bounds[1])
        if shifts is None:
            bound = DEFAULT if max_shift is None else integer("max_shift", max_shift)
            if bound < 0:
                raise ValueError(f"max_shift: expected 0 or more, got {bound}")
            if bound > MOST:
                raise ValueError(f"max_shift: expected {MOST} at most, got {bound}")
            return cls(_around(bound), edges, region, free=max_shift is None)
        values = integers("shifts", shifts, 2 * MOST + 1)
        if not values:
            raise ValueError("shifts: expected at least one shift, or None, got an empty sequence")
        if len(set(values)) < len(values):
            raise ValueError(f"shifts: expected every shift once, got {list(values)}")
        return cls(values, edges, region)

    @property
    def reach(self) -> int:
        """The largest distance of a shift from 0: the flank that each side carries."""
        return max(abs(n) for n in self.values)

    def span(self, x: Tensor, dim: int) -> tuple[int, int]:
        """The `(start, stop)` that is rolled along `dim`."""
        return self.region or (0, x.size(dim))

    def fitted(self, lengths: Iterable[int]) -> "Shifts":
        """These shifts, or fewer, where the choice is ours and one of `lengths` is too short."""
        if not self.free:
            return self
        start, stop = self.region or (0, 0)
        flanks = self.edges == "flanks"
        fits = [(n - 1) // 2 if flanks else (stop - start or n) - 1 for n in lengths]
        return replace(self, values=_around(max(0, min([DEFAULT, *fits]))))

    def check(self, name: str, x: Tensor, dims: Dims) -> None:
        """Raise a ValueError if `x`, called `name`, is too short along one of `dims`."""
        for dim in dims:
            length = x.size(dim)
            if self.edges == "flanks":
                if length <= 2 * self.reach:
                    raise ValueError(
                        f"{name}: expected more than {2 * self.reach} positions along dim {dim}, "
                        f"for a window between flanks of {self.reach} on each side, got {length}"
                    )
                continue
            start, stop = self.span(x, dim)
            if not 0 <= start < stop <= length:
                raise ValueError(
                    f"region: expected 0 <= start < stop <= {length}, the length of {name} along "
                    f"dim {dim}, got {self.region}"
                )
            if self.reach >= stop - start:
                raise ValueError(
                    f"max_shift, shifts: expected shifts below {stop - start}, the length of what "
                    f"is rolled in {name} along dim {dim}, got {self.reach}"
                )

    def shift(self, x: Tensor, dims: Dims, n: int) -> Tensor:
        """`x` shifted by `n` along each of `dims`."""
        if self.edges == "flanks":
            for dim in dims:
                x = x.narrow(dim, self.reach - n, x.size(dim) - 2 * self.reach)
            return x
        return self._roll(x, dims, n)

    def back(self, a: Tensor, dims: Dims, n: int) -> Tensor:
        """The attribution `a` of `shift(x, dims, n)`, where the positions of `x` are.

        With "flanks", positions outside the window get 0.
        """
        if self.edges == "flanks":
            for dim in dims:
                padding = [0] * (2 * -dim)
                padding[-2:] = self.reach - n, self.reach + n
                a = torch.nn.functional.pad(a, padding)
            return a
        return self._roll(a, dims, -n)

    def around(self, x: Tensor, dim: int, chunk: Sequence[int]) -> tuple[Tensor, Numbers, int]:
        """What the windows of these shifts lie on, where each starts, and how long they are."""
        length = x.size(dim)
        if self.edges == "flanks":
            return x, [self.reach - n for n in chunk], length - 2 * self.reach
        before, after = max(0, *chunk), max(0, *(-n for n in chunk))
        x = torch.cat((x.narrow(dim, length - before, before), x, x.narrow(dim, 0, after)), dim)
        return x, [before - n for n in chunk], length

    def mean(self, total: Tensor, dims: Dims) -> Tensor:
        """`total`, a sum of `back(...)` over all shifts, divided by how many reach a position.

        A position that no window contains has nothing to average and stays 0.
        """
        if self.edges == "circular" or not dims:
            return total / len(self.values)
        return total / self.reached(total, dims).sum(0).clamp_min(1).to(total)

    def reached(self, x: Tensor, dims: Dims) -> Tensor:
        """Whether the window of each shift holds each position: (S, ...), broadcasting to `x`."""
        shape = [x.size(d) if d in dims else 1 for d in range(-x.dim(), 0)]
        if self.edges == "circular" or not dims:
            return torch.ones(len(self.values), *shape, dtype=torch.bool, device=x.device)
        inner = [n - 2 * self.reach * (d - x.dim() in dims) for d, n in enumerate(shape)]
        window = torch.ones(inner, dtype=torch.bool, device=x.device)
        return torch.stack([self.back(window, dims, n) for n in self.values])

    def _roll(self, x: Tensor, dims: Dims, n: int) -> Tensor:
        if self.region is None:
            return torch.roll(x, (n,) * len(dims), dims) if dims else x
        start, stop = self.region
        for dim in dims:
            head, middle, tail = x.tensor_split((start, stop), dim)
            x = torch.cat((head, torch.roll(middle, n, dim), tail), dim)
        return x


@dataclass(frozen=True)
class Spaced(Shifts):
    """Windows of one width, each so many positions after the one before: those of a scan.

    Attributes:
        values: Where the windows start, a `range`.
        width: Their length.
    """

    values: range  # type: ignore[assignment]
    width: int = 1

    def shift(self, x: Tensor, dims: Dims, n: int) -> Tensor:
        """The window of `x` that starts at `n`."""
        for dim in dims:
            x = x.narrow(dim, n, self.width)
        return x

    def around(self, x: Tensor, dim: int, chunk: Sequence[int]) -> tuple[Tensor, range, int]:
        """The part of `x` that these windows cover, where each starts in it, and their length."""
        first, step = chunk[0], self.values.step
        starts = range(0, len(chunk) * step, step)
        return x.narrow(dim, first, starts[-1] + self.width), starts, self.width


def _around(bound: int) -> tuple[int, ...]:
    return tuple(range(-bound, bound + 1))


def dims_of(dim: Any, inputs: tuple[Tensor, ...], is_tuple: bool) -> tuple[Dims, ...]:
    """For each input the dimensions that are shifted, counted from the end.

    Args:
        dim: An int for all inputs; a tuple for a single tensor, which is then shifted along all of
            these dimensions together; for a tuple of inputs, one entry per input, each an int, a
            tuple of ints, or None for an input that is not shifted.
        inputs: The inputs, batch first.
        is_tuple: Whether the caller gave a tuple.
    """
    entries = dim if is_tuple and isinstance(dim, tuple | list) else (dim,) * len(inputs)
    if len(entries) != len(inputs):
        raise ValueError(
            f"dim: expected one entry per input, {len(inputs)}, got {len(entries)}: {dim}"
        )
    return tuple(
        _dims(entry, f"inputs[{i}]", x) for i, (entry, x) in enumerate(zip(entries, inputs))
    )


def sequence_dims(name: str, shape: tuple[int, ...], batch: int, like: Tensor, dims: Dims) -> Dims:
    """The dimension of `shape`, counted from the end, that runs along the sequence of `like`.

    It is the one as long as the sequence; where several are, the one at the same place from the
    front, where `like` has its own.

    Args:
        name: What an error calls the tensor.
        shape: The shape of a mask, of position ids, of a layer's output.
        batch: The number of examples; a first dimension of that size is the batch.
        like: The input that is shifted.
        dims: The dimensions along which `like` is shifted.
    """
    found = []
    for dim in dims:
        first = 1 if len(shape) > 1 and shape[0] == batch else 0
        candidates = [d for d in range(first, len(shape)) if shape[d] == like.size(dim)]
        place = like.dim() + dim
        if len(candidates) != 1 and place not in candidates:
            raise ValueError(
                f"{name}: expected one dimension of length {like.size(dim)}, the sequence's, got "
                f"{len(candidates)} in shape {tuple(shape)}"
            )
        found.append((place if place in candidates else candidates[0]) - len(shape))
    return tuple(found)


def _dims(dim: Any, name: str, x: Tensor) -> Dims:
    if dim is None:
        return ()
    dims = tuple(dim) if isinstance(dim, tuple | list) else (dim,)
    counted = []
    for d in integers("dim", dims):
        if not -x.dim() <= d < x.dim():
            raise ValueError(f"dim: expected a dimension of {name}, {tuple(x.shape)}, got {d}")
        if d % x.dim() == 0:
            raise ValueError(
                f"dim: expected the sequence dimension of {name}, {tuple(x.shape)}, or None for "
                f"an input that is not shifted, got {d}, the batch"
            )
        counted.append(d % x.dim() - x.dim())
    if len(set(counted)) < len(counted):
        raise ValueError(f"dim: expected every dimension of {name} once, got {dim}")
    return tuple(counted)


def integer(name: str, value: Any) -> int:
    """`value` as an int; a TypeError calls it `name`."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an integer, got {value!r}") from None


def integers(name: str, values: Iterable[Any], most: int | None = None) -> tuple[int, ...]:
    """`values` as ints, `most` of them at most; an error calls them `name`."""
    if not isinstance(values, Iterable) or isinstance(values, str):
        raise TypeError(f"{name}: expected integers, got {values!r}")
    found = tuple(integer(name, value) for value in islice(values, most and most + 1))
    if most is not None and len(found) > most:
        raise ValueError(f"{name}: expected {most} integers at most, got more")
    return found
