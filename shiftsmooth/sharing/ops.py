"""How each operation runs on the parts of windows."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten, tree_unflatten

from .windows import HANDLERS, Handler, NotShareable, Windows, by_map


def _dispatch(name: str, func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    if isinstance(args[0], Windows) and (name in _WRITES or kwargs.get("inplace")):
        return _write(name, func, *args, **kwargs)
    if isinstance(args[0], Windows) and name.endswith("_") and not name.startswith("__"):
        return _write(name[:-1], getattr(Tensor, name[:-1]), *args, **kwargs)
    if name in _POINTWISE:
        return _pointwise(func, *args, **kwargs)
    return HANDLERS[name](*args, **kwargs) if name in HANDLERS else NotImplemented


def _slide(
    x: Windows, extent: int, stride: int, function: Callable[[Tensor], Tensor]
) -> Windows | Tensor:
    """`function`, which sees `extent` positions and steps by `stride`, without padding."""
    width = x.size(-1)
    left, right = x.ends
    new_width = (width - extent) // stride + 1
    new_left = -(-left // stride)
    new_right = new_width - 1 - (width - right - extent) // stride
    maps = sorted({(g, start % stride) for g, start in zip(x.maps, x.starts)})
    if new_left + new_right >= new_width or len(maps) * x.shared.size(-1) >= len(x.starts) * width:
        return function(x.dense())
    shared = x.shared
    if stride > 1 or len(maps) > 1:
        # Zeros on the right make the maps equally long; no window reaches them.
        padded = F.pad(shared, (0, stride - 1)).unflatten(0, (max(x.maps) + 1, -1))
        shared = torch.cat([padded[g, ..., r : r + shared.size(-1)] for g, r in maps])
    return Windows(
        function(shared),
        function(x.piece(0, (new_left - 1) * stride + extent)) if new_left else None,
        function(x.piece((new_width - new_right) * stride, (new_width - 1) * stride + extent))
        if new_right
        else None,
        [maps.index((g, start % stride)) for g, start in zip(x.maps, x.starts)],
        [start // stride for start in x.starts],
        new_width,
    )


def _pad(x: Windows, padding: tuple[int, int], value: float) -> Windows:
    """`x` with a constant at its ends: the strips grow."""

    def grown(strip: Tensor | None, before: int, after: int) -> Tensor | None:
        if strip is None:
            if not before + after:
                return None
            return x.shared.new_full((*x.shape[:-1], before + after), value)
        return F.pad(strip, (before, after), value=value)

    before, after = padding
    return Windows(
        x.shared,
        grown(x.left, before, 0),
        grown(x.right, 0, after),
        x.maps,
        [start - before for start in x.starts],
        x.size(-1) + before + after,
    )


def _align(tensors: list[Windows]) -> list[Windows] | None:
    """The windows, with strips and maps that cover the same positions; None if they cannot."""
    first = tensors[0]
    moves = [{a - b for a, b in zip(x.starts, first.starts)} for x in tensors]
    if any(
        len(move) > 1 or x.maps != first.maps or x.size(-1) != first.size(-1)
        for x, move in zip(tensors, moves)
    ):
        return None
    left, right = (max(widths) for widths in zip(*(x.ends for x in tensors)))
    width = first.size(-1)
    if left + right >= width:
        return None
    places = [move.pop() for move in moves]
    low = min(places)
    length = min(x.shared.size(-1) - (place - low) for x, place in zip(tensors, places))
    return [
        Windows(
            x.shared.narrow(-1, place - low, length),
            x.piece(0, left) if left else None,
            x.piece(width - right, width) if right else None,
            x.maps,
            [start - (place - low) for start in x.starts],
            width,
        )
        for x, place in zip(tensors, places)
    ]


def _pointwise(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`func`, which treats every position alike, on the parts."""
    leaves, spec = tree_flatten((args, kwargs))
    if kwargs.get("training") or not all(_same_everywhere(leaf) for leaf in leaves):
        return NotImplemented
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Windows)]
    aligned = _align([leaves[i] for i in places])
    if aligned is None:
        return NotImplemented

    def on(*parts: Tensor) -> Tensor:
        for i, part in zip(places, parts):
            leaves[i] = part
        part_args, part_kwargs = tree_unflatten(leaves, spec)
        return func(*part_args, **part_kwargs)

    return aligned[0].each(on, *aligned[1:])


def _same_everywhere(value: Any) -> bool:
    """Whether an operand is the same for every window and position; channels may differ."""
    if isinstance(value, Windows) or not isinstance(value, Tensor) or value.dim() == 0:
        return True
    return value.size(-1) == 1 and value.shape[:-2] in ((), (1,))


def _write(name: str, func: Callable[..., Any], x: Windows, *args: Any, **kwargs: Any) -> Windows:
    """An in-place function: the parts are replaced."""
    kwargs.pop("inplace", None)
    result = _pointwise(func, x, *args, **kwargs) if name in _POINTWISE else None
    if not isinstance(result, Windows) or result.shape != x.shape:
        raise NotShareable(f"{name} writes into the windows")
    x.__dict__.update(result.__dict__)
    return x


def _batch_norm(x: Windows, mean: Any, var: Any, *args: Any, **kwargs: Any) -> Any:
    if mean is None or kwargs.get("training") or (len(args) > 2 and args[2]):
        return NotImplemented

    return x.each(lambda part: F.batch_norm(part, mean, var, *args, **kwargs))


def _conv1d(
    x: Any,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    if not isinstance(x, Windows):
        return NotImplemented
    (stride, dilation), extent = (_one(stride), _one(dilation)), weight.size(-1)
    extent = _one(dilation) * (extent - 1) + 1
    if padding == "same":
        padded = _pad(x, ((extent - 1) // 2, extent - 1 - (extent - 1) // 2), 0.0)
    else:
        width = 0 if padding == "valid" else _one(padding)
        padded = _pad(x, (width, width), 0.0)

    def run(part: Tensor) -> Tensor:
        return F.conv1d(part, weight, bias, stride, 0, dilation, groups)

    return _slide(padded, extent, stride, run)


def _max_pool1d(
    x: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if ceil_mode or return_indices:
        return NotImplemented
    kernel, dilation, width = _one(kernel_size), _one(dilation), _one(padding)
    stride = kernel if stride in (None, []) else _one(stride)
    extent = dilation * (kernel - 1) + 1
    if kernel == x.size(-1) and not width:
        return _reduce(x, "max", True)
    padded = _pad(x, (width, width), -float("inf"))
    return _slide(
        padded, extent, stride, lambda part: F.max_pool1d(part, kernel, stride, 0, dilation)
    )


def _avg_pool1d(
    x: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    kernel, width = _one(kernel_size), _one(padding)
    stride = kernel if stride in (None, [], ()) else _one(stride)
    if ceil_mode or (width and not count_include_pad):
        return NotImplemented
    if kernel == x.size(-1) and not width:
        return _reduce(x, "mean", True)
    return _slide(
        _pad(x, (width, width), 0.0),
        kernel,
        stride,
        lambda part: F.avg_pool1d(part, kernel, stride),
    )


def _constant_pad(x: Windows, pad: Any, mode: str = "constant", value: float | None = None) -> Any:
    if mode != "constant" or len(pad) != 2 or min(pad) < 0:
        return NotImplemented
    return _pad(x, tuple(pad), value or 0.0)


def _adaptive(kind: str) -> Handler:
    def pool(x: Windows, output_size: Any, return_indices: bool = False) -> Any:
        if _one(output_size) != 1 or return_indices:
            return NotImplemented
        return _reduce(x, kind, True)

    return pool


def _along_sequence(kind: str) -> Handler:
    def reduce(x: Windows, dim: Any = None, keepdim: bool = False, **kwargs: Any) -> Any:
        dims = tuple(dim) if isinstance(dim, tuple | list) else (dim,)
        if kwargs or dims not in ((-1,), (2,)):
            return NotImplemented
        values = _reduce(x, kind, keepdim)
        if kind != "max" or values is NotImplemented:
            return values
        # Tensor.max also tells where the largest value is; here that would be a place in a part.
        return torch.return_types.max((values, None))  # type: ignore[arg-type]

    return reduce


def _reduce(x: Windows, kind: str, keepdim: bool) -> Any:
    """The pool over all positions of each window, from the pools of the parts.

    What all windows on a map have in common is pooled once; what is left of each of them there are
    a few positions before and behind.
    """
    left, right = x.ends
    order: list[int] = []
    pieces: list[tuple[Tensor, ...]] = []
    for one_map, members in by_map(x):
        starts = torch.tensor([x.starts[s] for s in members], device=x.device)
        first, last = int(starts.min()), int(starts.max())
        low, high = last + left, first + x.size(-1) - right
        if low >= high:
            return NotImplemented
        order += members
        steps = starts - first
        before, after = one_map[..., first + left : low].flip(-1), one_map[..., high:]
        core = _pool(one_map[..., low:high], kind)
        pieces.append(
            (
                *_leading(before, last - first - steps, kind, prefer_last=True),
                *(pool.expand(len(members), *pool.shape) for pool in core),
                *_leading(after[..., : last - first], steps, kind),
            )
        )
    inner = [torch.cat(piece) for piece in zip(*pieces)]
    if order != sorted(order):
        back = sorted(range(len(order)), key=order.__getitem__)
        inner = [piece[back] for piece in inner]
    inner = [piece.flatten(0, 1) for piece in inner]
    strips = [[] if end is None else list(_pool(end, kind)) for end in (x.left, x.right)]
    pools = strips[0] + inner + strips[1]
    step = 2 if kind == "amax" else 1
    result = _combine(pools[::step], pools[1::step], kind)
    if kind == "mean":
        result = result / x.size(-1)
    return result[..., None] if keepdim else result


def _pool(region: Tensor, kind: str) -> tuple[Tensor, ...]:
    """A region's pool over positions, (rows, C), and for "amax" how many positions reach it."""
    if kind in ("sum", "mean"):
        return (region.sum(-1),)
    if kind == "max":
        return (region.max(-1).values,)
    largest = region.amax(-1)
    return largest, (region.detach() == largest.detach()[..., None]).sum(-1)


def _leading(
    region: Tensor, counts: Tensor, kind: str, prefer_last: bool = False
) -> tuple[Tensor, ...]:
    """The pools of the first `counts[s]` positions of `region`, for every s: (shifts, rows, C).

    Args:
        region: (rows, C, positions).
        counts: (shifts,), from 0 to all positions.
        kind: "max", "amax", "sum" or "mean".
        prefer_last: Which of equal values is the maximum: the last of them, not the first.
    """
    if kind in ("sum", "mean"):
        running = F.pad(region.cumsum(-1), (1, 0))
        return (running[..., counts].movedim(-1, 0),)
    nothing = -float("inf")
    if kind == "max":
        running = F.pad(_running_max(region, prefer_last), (1, 0), value=nothing)
        return (running[..., counts].movedim(-1, 0),)
    reached = torch.arange(region.size(-1), device=region.device) < counts[:, None]
    padded = F.pad(region, (1, 0), value=nothing)  # so that there is a value to take
    return _pool(padded.masked_fill(~F.pad(reached, (1, 0))[:, None, None], nothing), kind)


def _running_max(region: Tensor, prefer_last: bool) -> Tensor:
    """The largest value so far; its gradient goes to the first, or to the last, of equal ones."""
    with torch.no_grad():
        so_far = F.pad(region.cummax(-1).values, (1, 0), value=-float("inf"))[..., :-1]
        new = region >= so_far if prefer_last else region > so_far
        places = torch.arange(region.size(-1), device=region.device)
        where = torch.where(new, places, 0).cummax(-1).values
    return region.gather(-1, where)


def _combine(pools: list[Tensor], counts: list[Tensor], kind: str) -> Tensor:
    """One pool from those of the parts, in the order of their positions.

    Among equal largest values `max` gives the gradient to the first, `amax` a share to each.
    """
    if kind in ("sum", "mean"):
        return torch.stack(pools).sum(0)
    stacked = torch.stack(pools)
    if kind == "max":
        return stacked.max(0).values
    with torch.no_grad():
        weights = torch.stack(counts).to(stacked) * (stacked == stacked.amax(0))
        weights = weights / weights.sum(0)
    return (torch.where(weights > 0, stacked, 0) * weights).sum(0)


def _flip(x: Windows, *dims: Any) -> Any:
    dims = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    counted = sorted(d % 3 for d in dims)
    if 0 in counted:
        return NotImplemented
    x = x.each(lambda part: part.flip(counted))
    if 2 not in counted:
        return x
    length, width = x.shared.size(-1), x.size(-1)
    starts = [length - start - width for start in x.starts]
    return Windows(x.shared, x.right, x.left, x.maps, starts, width)


def _cat(tensors: Any, dim: int = 0) -> Any:
    if dim not in (1, -2) or not all(isinstance(x, Windows) for x in tensors):
        return NotImplemented
    aligned = _align(list(tensors))
    if aligned is None:
        return NotImplemented
    return aligned[0].each(lambda *parts: torch.cat(parts, 1), *aligned[1:])


def _chunk(name: str) -> Handler:
    def cut(x: Windows, size: Any, dim: int = 0) -> Any:
        if dim not in (1, -2):
            return NotImplemented
        count = len(getattr(x.shared, name)(size, 1))
        return tuple(
            x.each(lambda part, i=i: getattr(part, name)(size, 1)[i]) for i in range(count)
        )

    return cut


def _getitem(x: Windows, index: Any) -> Any:
    """Some of the channels."""
    everything = slice(None)
    if not isinstance(index, tuple) or len(index) > 3 or index[0] != everything:
        return NotImplemented
    if not isinstance(index[1], slice | list) or index[2:] not in ((), (everything,)):
        return NotImplemented
    return x.each(lambda part: part[:, index[1]])


def _one(value: Any) -> int:
    """The int of an int or a tuple of one."""
    return value[0] if isinstance(value, tuple | list) else value


# fmt: off
_POINTWISE = {
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus",
    "sigmoid", "tanh", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "square", "abs", "neg",
    "clamp", "clamp_min", "clamp_max", "hardtanh", "hardswish", "hardsigmoid", "logsigmoid",
    "softsign", "threshold", "pow", "sin", "cos", "erf", "reciprocal", "float", "double", "half",
    "bfloat16", "to", "contiguous", "clone", "dropout", "dropout1d", "alpha_dropout",
    "feature_dropout", "add", "sub", "rsub", "mul", "div", "true_divide", "__rdiv__", "__rsub__",
    "__radd__", "__rmul__", "__rpow__", "maximum", "minimum",
}
# fmt: on
_WRITES = {"__setitem__", "data", "set_data"}
HANDLERS |= {
    "*": _dispatch,
    "conv1d": _conv1d,
    "batch_norm": _batch_norm,
    "max_pool1d": _max_pool1d,
    "avg_pool1d": _avg_pool1d,
    "adaptive_max_pool1d": _adaptive("max"),
    "adaptive_avg_pool1d": _adaptive("mean"),
    "max": _along_sequence("max"),
    "amax": _along_sequence("amax"),
    "mean": _along_sequence("mean"),
    "sum": _along_sequence("sum"),
    "pad": _constant_pad,
    "flip": _flip,
    "cat": _cat,
    "concat": _cat,
    "chunk": _chunk("chunk"),
    "split": _chunk("split"),
    "__getitem__": _getitem,
}
