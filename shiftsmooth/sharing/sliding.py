"""Pools over every window of a long tensor, at a cost that hardly grows with the window's width.

A pool over 2q positions is one over q positions joined with the one over the next q. So a table of
pools over 1, 2, 4, ... positions gives that over any number of them in O(log) joins, and without
the cancellation of differences of running sums.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Pool = tuple[Tensor, ...]  # the tensors of one pool, (..., positions) each


def sliding(x: Tensor, extent: int, step: int, kind: str) -> Pool:
    """The pools of the windows of `extent` positions that start at every `step`-th position.

    Args:
        x: (..., positions), where the last window ends at the last position.
        extent: The positions of a window.
        step: How far a window starts behind the one before.
        kind: "max", whose gradient goes to the first of equal values; "amax", where each of them
            gets a share; "sum" or "mean", which both give the sum.

    Returns:
        (..., windows); for "amax" also how many values reach the largest.
    """
    if kind == "amax":
        return _Shares().slide((x, torch.ones_like(x)), extent, step)
    if kind != "max":
        return _Sum().slide((x,), extent, step)
    if not (x.requires_grad and torch.is_grad_enabled()):
        return _Largest().slide((x,), extent, step)
    with torch.no_grad():
        places = torch.arange(x.size(-1), device=x.device)
        _, places = _First().slide((x, places), extent, step)
    return (x.gather(-1, places.expand(*x.shape[:-1], -1)),)


class _Pooling(ABC):
    """A pool, by how two of them are joined."""

    overlaps = False  # whether positions may be in both of two pools that are joined

    @abstractmethod
    def join(self, left: Pool, right: Pool) -> Pool:
        """The pool over the positions of both."""

    @abstractmethod
    def whole(self, pool: Pool) -> Pool:
        """The pool over the last dimension."""

    def table(self, pool: Pool, count: int) -> Pool:
        """The pools over every `count` neighbours along the last dimension."""
        windows = pool[0].size(-1) - count + 1
        size, done = 1, 0
        found: Pool | None = None
        while True:
            if count & size and not self.overlaps:
                piece = _cut(pool, done, windows)
                found = piece if found is None else self.join(found, piece)
                done += size
            if 2 * size > count:
                break
            length = pool[0].size(-1) - size
            pool = self.join(_cut(pool, 0, length), _cut(pool, size, length))
            size *= 2
        if found is not None:
            return found
        if size == count:
            return pool
        return self.join(_cut(pool, 0, windows), _cut(pool, count - size, windows))

    def slide(self, pool: Pool, extent: int, step: int) -> Pool:
        """The pools of windows: each step is pooled once, and what a window holds beyond them."""
        if step == 1:
            return self.table(pool, extent)
        count = (pool[0].size(-1) - extent) // step + 1
        steps, rest = divmod(extent, step)
        if not steps:
            return self.whole(tuple(x.unfold(-1, extent, step) for x in pool))
        blocks = tuple(x[..., : (count - 1 + steps) * step].unflatten(-1, (-1, step)) for x in pool)
        found = self.table(self.whole(blocks), steps)
        if not rest:
            return found
        beyond = self.whole(tuple(x[..., steps * step :].unfold(-1, rest, step) for x in pool))
        return self.join(found, beyond)


def _cut(pool: Pool, start: int, length: int) -> Pool:
    return tuple(x.narrow(-1, start, length) for x in pool)


class _Largest(_Pooling):
    """The largest value, where nobody asks for a gradient."""

    overlaps = True

    def join(self, left: Pool, right: Pool) -> Pool:
        return (torch.maximum(left[0], right[0]),)

    def whole(self, pool: Pool) -> Pool:
        return (pool[0].amax(-1),)


class _First(_Pooling):
    """The largest value and the first of the positions that have it."""

    overlaps = True

    def join(self, left: Pool, right: Pool) -> Pool:
        keep = (left[0] >= right[0]) | left[0].isnan()
        return torch.where(keep, left[0], right[0]), torch.where(keep, left[1], right[1])

    def whole(self, pool: Pool) -> Pool:
        values, where = pool[0].max(-1)
        return values, pool[1][..., 0] + where


class _Shares(_Pooling):
    """The largest value and how many have it, each of which gets a share of the gradient."""

    def join(self, left: Pool, right: Pool) -> Pool:
        with torch.no_grad():
            (a, n), (b, m) = left, right
            n, m = torch.where(a >= b, n, 0), torch.where(b >= a, m, 0)
        return _Joined.apply(a, b, n / (n + m)), n + m

    def whole(self, pool: Pool) -> Pool:
        largest = pool[0].amax(-1)
        return largest, (pool[0].detach() == largest.detach()[..., None]).to(largest).sum(-1)


class _Joined(torch.autograd.Function):
    """The larger of two values; `part` of its gradient goes to the first."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, part: Tensor) -> Tensor:
        ctx.save_for_backward(part)
        return torch.maximum(a, b)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (part,) = ctx.saved_tensors
        first = gradients[0] * part
        return first, gradients[0] - first, None


class _Sum(_Pooling):
    """The sum."""

    def join(self, left: Pool, right: Pool) -> Pool:
        return (left[0] + right[0],)

    def whole(self, pool: Pool) -> Pool:
        return (pool[0].sum(-1),)

    def table(self, pool: Pool, count: int) -> Pool:
        return pool if count == 1 else (_Sums.apply(pool[0], count),)


class _Sums(torch.autograd.Function):
    """The sums of every `count` neighbours; a gradient goes back as such sums too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int) -> Tensor:
        ctx.count = count
        return _Pooling.table(_Sum(), (x,), count)[0]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        padded = F.pad(gradients[0], (ctx.count - 1, ctx.count - 1))
        return _Pooling.table(_Sum(), (padded,), ctx.count)[0], None
