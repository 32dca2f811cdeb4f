"""Copies of positions out of maps, whose gradients are added up where the positions are.

Autograd alone would make, for each piece that is cut out of a map, a tensor of zeros as large as
the map. Each of these functions makes one tensor for all pieces. They keep the order of the
dimensions in memory, and can be differentiated as often as one likes.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

HALF = (torch.float16, torch.bfloat16)

# For each row block of a piece: the map that it lies on, and where it starts.
Places = tuple[tuple[int, int], ...]


def in_order(x: Tensor) -> bool:
    """Whether the dimensions of `x` are in memory in the order that they have."""
    strides = [stride for size, stride in zip(x.shape, x.stride()) if size > 1]
    return all(a >= b for a, b in zip(strides, strides[1:]))


def empty(shape: Any, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of `shape` whose dimensions are in memory in the order of those of `like`."""
    order = _order(like)
    strides, step = [0] * len(order), 1
    for d in reversed(order):
        strides[d], step = step, step * shape[d]
    return torch.empty_strided(shape, strides, dtype=dtype or like.dtype, device=like.device)


def joined(tensors: list[Tensor], dim: int) -> Tensor:
    """`tensors` along `dim`, with the dimensions in memory in the order of the first one's."""
    first = tensors[0]
    if len(tensors) == 1:
        return first
    if in_order(first):
        return torch.cat(tensors, dim)
    order = _order(first)
    back = sorted(range(first.dim()), key=order.__getitem__)
    return torch.cat([x.permute(order) for x in tensors], order.index(dim)).permute(back)


def _order(x: Tensor) -> list[int]:
    """The dimensions of `x`, as they are in memory."""
    return sorted(range(x.dim()), key=lambda d: (-x.stride(d), d))


def cut(
    maps: Tensor, count: int, axis: int, pieces: list[tuple[Places, int]]
) -> tuple[Tensor, list[Tensor]]:
    """The maps themselves, for whatever else is made of them, and pieces of them.

    Args:
        maps: (count * B, ..., M, ...).
        count: How many maps there are.
        axis: The dimension of the positions.
        pieces: The places of each piece, and how many positions it has.

    Returns:
        The maps, and each piece, (places * B, ..., positions, ...).
    """
    if not pieces:
        return maps, []
    shared, *found = _Cut.apply(maps, count, axis, pieces)
    return shared, found


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, maps: Tensor, count: int, axis: int, pieces: list[tuple[Places, int]]
    ) -> Any:
        ctx.set_materialize_grads(False)
        ctx.cut, ctx.like = (count, axis, pieces), maps.detach()
        rows, order = maps.unflatten(0, (count, -1)), _order(maps)
        found = []
        for places, length in pieces:
            shape = list(maps.shape)
            shape[0], shape[axis] = len(places) * (shape[0] // count), length
            piece = empty(shape, maps)
            blocks = [rows[g].narrow(axis, start, length).permute(order) for g, start in places]
            torch.cat(blocks, order.index(0), out=piece.permute(order))
            found.append(piece)
        return maps, *found

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        count, axis, pieces = ctx.cut
        dtype = ctx.like.dtype
        # In float32 at least, since here the gradients of all shifts are summed.
        wide = torch.float32 if dtype in HALF else dtype
        if gradients[0] is None:
            total = empty(ctx.like.shape, ctx.like, wide).zero_()
        else:
            total = gradients[0].to(wide, copy=True)
        rows = total.unflatten(0, (count, -1))
        for gradient, (places, length) in zip(gradients[1:], pieces):
            if gradient is None:
                continue
            for (g, start), part in zip(places, gradient.chunk(len(places))):
                rows[g].narrow(axis, start, length).add_(part)
        return total.to(dtype), None, None, None


def phases(x: Tensor, count: int, axis: int, step: int) -> Tensor:
    """Every `step`-th position of `count` maps, from each of the first `step` positions on.

    Args:
        x: (count * B, ..., M, ...).
        count: How many maps there are.
        axis: The dimension of the positions.
        step: The number of phases.

    Returns:
        (count * step * B, ..., ceil(M / step), ...), phase after phase of each map, 0 behind it.
    """
    return x if step == 1 else _Phases.apply(x, count, axis, step)


class _Phases(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int, axis: int, step: int) -> Tensor:
        ctx.split, ctx.like = (count, axis, step), x.detach()
        shape = list(x.shape)
        shape[0], shape[axis] = shape[0] * step, -(-x.size(axis) // step)
        found = empty(shape, x)
        if x.size(axis) % step:
            found.narrow(axis, shape[axis] - 1, 1).zero_()
        for of, to in _strided(x, found, count, axis, step):
            to.copy_(of)
        return found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        total = empty(ctx.like.shape, ctx.like)
        for to, of in _strided(total, gradient, *ctx.split):
            to.copy_(of)
        return total, None, None, None


def _strided(
    x: Tensor, split: Tensor, count: int, axis: int, step: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For each phase its positions in the maps, and among the phases."""
    maps, rows = x.unflatten(0, (count, -1)), split.unflatten(0, (count, step, -1))
    for r in range(step):
        index = (slice(None),) * (axis + 1) + (slice(r, None, step),)
        of = maps[index]
        yield of, rows[:, r].narrow(axis + 1, 0, of.size(axis + 1))
