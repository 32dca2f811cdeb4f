"""Copies of positions out of maps, whose gradients are added up where the positions are.

Autograd alone would make, for each piece that is cut out of a map, a tensor of zeros as large as
the map. Each of these functions makes one tensor for all pieces. They keep the order of the
dimensions in memory, and can be differentiated as often as one likes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True)
class Piece:
    """The same positions of all windows: some before them, on strips, on maps, and behind them.

    Attributes:
        before: How many positions are before the windows.
        left: From which position of the left strips to which.
        places: For each window the map that it lies on, and where the positions on maps start.
        inner: How many positions are on maps.
        right: From which position of the right strips to which.
        after: How many positions are behind the windows.
        value: What is before and behind the windows.
    """

    before: int
    left: tuple[int, int]
    places: tuple[tuple[int, int], ...]
    inner: int
    right: tuple[int, int]
    after: int
    value: float

    @property
    def segments(self) -> Iterator[tuple[str, int, int]]:
        """What the positions are, where they start in the piece, and how many they are."""
        at = 0
        for kind, count in (
            ("before", self.before),
            ("left", self.left[1] - self.left[0]),
            ("inner", self.inner),
            ("right", self.right[1] - self.right[0]),
            ("after", self.after),
        ):
            if count:
                yield kind, at, count
            at += count

    @property
    def runs(self) -> tuple[tuple[int, range, range], ...]:
        """Evenly spaced windows of a map, and where their positions start; else one by one."""
        return _runs(self.places)


@lru_cache(maxsize=256)
def _runs(places: tuple[tuple[int, int], ...]) -> tuple[tuple[int, range, range], ...]:
    of_maps: dict[int, list[tuple[int, int]]] = {}
    for window, (g, start) in enumerate(places):
        of_maps.setdefault(g, []).append((window, start))
    runs: list[tuple[int, range, range]] = []
    for g, found in of_maps.items():
        windows, starts = (evenly_spaced(numbers) for numbers in zip(*found))
        if windows is not None and starts is not None:
            runs.append((g, windows, starts))
        else:
            runs += [(g, range(w, w + 1), range(at, at + 1)) for w, at in found]
    return tuple(runs)


def evenly_spaced(numbers: Sequence[int]) -> range | None:
    """`numbers` as a range, or None if they are none."""
    first, step = numbers[0], numbers[1] - numbers[0] if len(numbers) > 1 else 1
    found = range(first, first + step * len(numbers), step) if step else range(0)
    return found if tuple(found) == tuple(numbers) else None


def in_order(x: Tensor) -> bool:
    """Whether the dimensions of `x` are in memory in the order that they have."""
    strides = [stride for size, stride in zip(x.shape, x.stride()) if size > 1]
    return all(a >= b for a, b in pairwise(strides))


def empty(shape: Any, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """A tensor of `shape` whose dimensions are in memory in the order of those of `like`."""
    order, step = memory_order(like), 1
    strides = [0] * len(order)
    for d in reversed(order):
        strides[d], step = step, step * shape[d]
    return torch.empty_strided(shape, strides, dtype=dtype or like.dtype, device=like.device)


def zeros(shape: Any, like: Tensor, dtype: torch.dtype) -> Tensor:
    """Zeros of `shape`, in memory as `empty` has them."""
    order = memory_order(like)
    back = sorted(range(len(order)), key=order.__getitem__)
    sizes = [shape[d] for d in order]
    return torch.zeros(sizes, dtype=dtype, device=like.device).permute(back)


def joined(tensors: list[Tensor], dim: int) -> Tensor:
    """`tensors` along `dim`, in memory in the order of the first that is no expanded number."""
    if len(tensors) == 1:
        return tensors[0]
    first = next((x for x in tensors if any(x.stride())), tensors[0])
    if in_order(first):
        return torch.cat(tensors, dim)
    order = memory_order(first)
    back = sorted(range(first.dim()), key=order.__getitem__)
    return torch.cat([x.permute(order) for x in tensors], order.index(dim)).permute(back)


def memory_order(x: Tensor) -> list[int]:
    """The dimensions of `x`, as they are in memory."""
    strides = x.stride()
    return sorted(range(x.dim()), key=lambda d: (-strides[d], d))


def cut(
    maps: Tensor,
    left: Tensor | None,
    right: Tensor | None,
    count: int,
    axis: int,
    pieces: list[Piece],
) -> tuple[Tensor, list[Tensor]]:
    """Pieces of windows, and the maps themselves for whatever else is made of them.

    Args:
        maps: (count * B, ..., M, ...).
        left: The left strips, (windows * B, ..., l, ...), or None.
        right: The right strips, or None.
        count: How many maps there are.
        axis: The dimension of the positions.
        pieces: Which positions.

    Returns:
        The maps, and for each piece (windows * B, ..., positions, ...).
    """
    shared, *found = _Cut.apply(maps, left, right, count, axis, pieces)
    return shared, found


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        left: Tensor | None,
        right: Tensor | None,
        count: int,
        axis: int,
        pieces: list[Piece],
    ) -> Any:
        ctx.set_materialize_grads(False)
        ctx.cut = count, axis, pieces
        ctx.like = maps.detach(), *(None if x is None else x.detach() for x in (left, right))
        rows, strips = maps.unflatten(0, (count, -1)), {"left": left, "right": right}
        found = []
        for piece in pieces:
            shape = list(maps.shape)
            shape[0] = len(piece.places) * (shape[0] // count)
            shape[axis] = sum(n for _, _, n in piece.segments)
            whole = empty(shape, maps)
            for kind, at, n in piece.segments:
                part = whole.narrow(axis, at, n)
                strip = strips.get(kind)
                if kind in ("before", "after"):
                    part.fill_(piece.value)
                elif strip is not None:
                    part.copy_(strip.narrow(axis, getattr(piece, kind)[0], n))
                elif maps.device.type == "cpu":
                    torch.cat(_blocks(maps, count, axis, n, piece), out=part)
                else:
                    copy_in_runs(part, rows, axis, n, piece)
            found.append(whole)
        return maps, *found

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, *gradients: Tensor | None) -> Any:
        count, axis, pieces = ctx.cut
        maps, left, right = ctx.like
        # In float32 at least, since here the gradients of all shifts are summed.
        wide = torch.float32 if maps.dtype in HALF else maps.dtype
        if gradient is None:
            gradient = zeros(maps.shape, maps, wide)
        total = gradient.to(wide, copy=True)
        strips = {
            kind: zeros(x.shape, x, x.dtype)
            for kind, x in (("left", left), ("right", right))
            if x is not None
        }
        for whole, piece in zip(gradients, pieces):
            if whole is None:
                continue
            for kind, at, n in piece.segments:
                part = whole.narrow(axis, at, n)
                if kind in strips:
                    strips[kind].narrow(axis, getattr(piece, kind)[0], n).add_(part)
                elif kind == "inner" and maps.device.type == "cpu":
                    views = _blocks(total, count, axis, n, piece)
                    _add(views, part.chunk(len(views)))
                elif kind == "inner":
                    add_in_runs(total.unflatten(0, (count, -1)), part.to(wide), axis, n, piece)
        return total.to(maps.dtype), strips.get("left"), strips.get("right"), None, None, None


def _blocks(maps: Tensor, count: int, axis: int, n: int, piece: Piece) -> list[Tensor]:
    """Views of `n` positions of each window; there are hundreds, so each is made in one call."""
    shape, strides = list(maps.shape), maps.stride()
    shape[0], shape[axis] = shape[0] // count, n
    first, to_map, to_next = maps.storage_offset(), shape[0] * strides[0], strides[axis]
    at = (first + g * to_map + start * to_next for g, start in piece.places)
    return [maps.as_strided(shape, strides, offset) for offset in at]


def copy_in_runs(part: Tensor, maps: Tensor, axis: int, n: int, piece: Piece) -> None:
    """Copy `n` positions of all windows out of maps, with few kernels, whose calls a GPU waits for.

    Args:
        part: (windows * B, ..., n, ...), what to write.
        maps: (count, B, ..., M, ...).
        axis: The dimension of the positions in `part`.
        n: How many positions.
        piece: Where they are.
    """
    rows = part.unflatten(0, (len(piece.places), -1))
    for g, windows, starts in piece.runs:
        reach = max(starts) - min(starts)
        region = maps[g].narrow(axis, min(starts), reach + n)
        blocks = region.unfold(axis, n, abs(starts.step)).movedim((axis, -1), (0, axis + 1))
        blocks = blocks if starts.step > 0 else blocks.flip(0)
        rows[windows.start : windows.stop : windows.step].copy_(blocks)


def add_in_runs(maps: Tensor, part: Tensor, axis: int, n: int, piece: Piece) -> None:
    """Add `n` positions of all windows to maps: the gradient of `copy_in_runs`."""
    rows = part.unflatten(0, (len(piece.places), -1))
    for g, windows, starts in piece.runs:
        reach = max(starts) - min(starts)
        region = maps[g].narrow(axis, min(starts), reach + n)
        blocks = rows[windows.start : windows.stop : windows.step]
        blocks = blocks if starts.step > 0 else blocks.flip(0)
        blocks = blocks.movedim((0, axis + 1), (axis, -1))
        step = abs(starts.step)
        region += torch.ops.aten.unfold_backward(blocks, region.shape, axis, n, step)


def _add(views: list[Tensor], parts: tuple[Tensor, ...]) -> None:
    """Adds `parts` to `views`, one after the other, since the views overlap."""
    if not torch.is_grad_enabled():
        torch._foreach_add_(views, parts)
        return
    for view, part in zip(views, parts):
        view.add_(part)


def apart(x: Tensor, count: int) -> tuple[Tensor, ...]:
    """Each of `count` maps, (B, ...)."""
    return (x,) if count == 1 else _Apart.apply(x, count)


class _Apart(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int) -> Any:
        ctx.count, ctx.like = count, x.detach()
        return tuple(part.clone() for part in x.chunk(count))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        total = empty(ctx.like.shape, ctx.like)
        for g, gradient in enumerate(gradients):
            total.narrow(0, g * len(gradient), len(gradient)).copy_(gradient)
        return total, None


def cropped(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    """Some positions of `x`."""
    if (start, length) == (0, x.size(axis)):
        return x
    return _Crop.apply(x, axis, start, length)


class _Crop(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, axis: int, start: int, length: int) -> Tensor:
        ctx.crop, ctx.like = (axis, start, length), x.detach()
        return x.narrow(axis, start, length)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        axis, start, length = ctx.crop
        total = empty(ctx.like.shape, ctx.like, gradient.dtype)
        behind = start + length
        total.narrow(axis, 0, start).zero_()
        total.narrow(axis, start, length).copy_(gradient)
        total.narrow(axis, behind, total.size(axis) - behind).zero_()
        return total, None, None, None


def regions(
    x: Tensor, axis: int, start: int, reach: int, inner: int, kind: str
) -> tuple[Tensor, Tensor, Tensor]:
    """What all windows on a map have in common, pooled, and what is before and behind it.

    Args:
        x: The map.
        axis: The dimension of the positions.
        start: Where the first window starts.
        reach: How far from there the last one starts.
        inner: How many positions from there on all windows have in common.
        kind: "max" or "sum", or "none" for the positions as they are.

    Returns:
        The pool, or the positions; `reach` positions before and `reach` behind, as they are.
    """
    return _Regions.apply(x, axis, start, reach, inner, kind)


class _Regions(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, axis: int, start: int, reach: int, inner: int, kind: str
    ) -> Any:
        ctx.set_materialize_grads(False)
        ctx.regions, ctx.like = (axis, start, reach, inner, kind), x.detach()
        core = x.narrow(axis, start + reach, inner)
        if kind == "max":
            pool, place = largest(core, axis)
            ctx.save_for_backward(place)
        else:
            pool = core.sum(axis) if kind == "sum" else core.clone()
        ends = [x.narrow(axis, at, reach) for at in (start, start + reach + inner)]
        return pool, *(end.clone() if reach else torch.empty_like(end) for end in ends)

    @staticmethod
    def backward(ctx: Any, pool: Tensor | None, before: Tensor | None, after: Tensor | None) -> Any:
        axis, start, reach, inner, kind = ctx.regions
        total = zeros(ctx.like.shape, ctx.like, ctx.like.dtype)
        core = total.narrow(axis, start + reach, inner)
        if pool is not None and kind == "max":
            core.scatter_(axis, ctx.saved_tensors[0], pool.unsqueeze(axis))
        elif pool is not None:
            core.copy_(pool.unsqueeze(axis) if kind == "sum" else pool)
        for at, part in ((start, before), (start + reach + inner, after)):
            if part is not None:
                total.narrow(axis, at, reach).copy_(part)
        return total, None, None, None, None, None


def largest(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The largest values along a dimension, and where the first of each is: (..., 1, ...)."""
    if x.dim() == 3 and axis == 2 and x.device.type == "cpu" and not in_order(x):
        flat = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        values, place = F.max_pool2d(flat, (1, x.size(2)), return_indices=True)
        return values.flatten(1), place.squeeze(2)
    values, place = x.max(axis, keepdim=True)
    return values.squeeze(axis), place


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
