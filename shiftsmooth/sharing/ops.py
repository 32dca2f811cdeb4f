"""All shifted windows of a batch as one tensor: a convolutional trunk runs once, not 2N+1 times.

Shifting the input by n mostly shifts the feature maps of a convolution by n. `Windows` is a tensor
of shape (S * B, C, W), shift after shift, that keeps what the shifts have in common only once:

    row of shift s = [ left strip | shared[start_s + l : start_s + W - r] | right strip ]

The strips are the few positions at the two ends that see the model's own padding, which stays where
the window is while the sequence moves. A convolution or a pooling runs once over `shared` and once
over the strips, which grow by what it sees; after a stride of t, shifts with the same start modulo
t share a map, so there are up to t of them. Pooling over the whole sequence takes the core that all
windows have in common once. Everything else that does not look along the sequence (activations,
batch norm in eval mode, sums of branches) runs on the parts as they are.

The model runs unmodified on `Windows`, through `__torch_function__`. At the first function that is
not known here the windows are written out, and the rest of the model, its head, sees an ordinary
tensor. All of it is made of differentiable tensor functions, so the result is exact.
"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from ..call import Offsets, ShiftedCall, Tensors
from ..shifts import Shifts

Handler = Callable[..., Any]


class NotShareable(Exception):
    """The model does something to its windows that cannot be followed, such as writing to them."""


class Windows(Tensor):
    """S windows onto one batch; behaves like the (S * B, C, W) tensor that holds them all.

    Attributes:
        shared: (G * B, C, M), G maps of the batch.
        left: (S * B, C, l), the left strips, or None if there are none.
        right: (S * B, C, r), the right strips, or None.
        maps: For each shift, which of the G maps its window lies on.
        starts: For each shift, where on that map its window starts; a strip may cover what is
            before the map.
    """

    shared: Tensor
    left: Tensor | None
    right: Tensor | None
    maps: list[int]
    starts: list[int]

    @staticmethod
    def __new__(
        cls,
        shared: Tensor,
        left: Tensor | None,
        right: Tensor | None,
        maps: list[int],
        starts: list[int],
        width: int,
    ) -> "Windows":
        """Windows of `width` positions, strips included, onto these parts."""
        batch = shared.size(0) // (max(maps) + 1)
        shape = (len(starts) * batch, shared.size(1), width)
        self = Tensor._make_wrapper_subclass(cls, shape, dtype=shared.dtype, device=shared.device)
        self.shared, self.left, self.right = shared, left, right
        self.maps, self.starts = maps, starts
        return self

    @classmethod
    def of(cls, x: Tensor, starts: list[int], width: int) -> "Windows":
        """The windows of `width` positions of `x` (B, C, M) that begin at `starts`."""
        return cls(x, None, None, [0] * len(starts), starts, width)

    @property
    def ends(self) -> tuple[int, int]:
        """The widths l and r of the strips."""
        return (
            0 if self.left is None else self.left.size(-1),
            0 if self.right is None else self.right.size(-1),
        )

    def each(self, function: Callable[..., Tensor], *others: "Windows") -> "Windows":
        """`function`, which treats every position alike, of these and other aligned windows."""
        shared, left, right = (
            None if parts[0] is None else function(*parts)
            for parts in zip(*((x.shared, x.left, x.right) for x in (self, *others)))
        )
        assert shared is not None
        return Windows(shared, left, right, self.maps, self.starts, self.size(-1))

    def piece(self, low: int, high: int) -> Tensor:
        """Positions `low` to `high` of every window, written out: (S * B, C, high - low)."""
        left, right = self.ends
        inner = self.size(-1) - right
        parts = []
        if self.left is not None and low < left:
            parts.append(self.left[..., low : min(high, left)])
        if max(low, left) < min(high, inner):
            parts.append(self._core(max(low, left), min(high, inner)))
        if self.right is not None and high > inner:
            parts.append(self.right[..., max(low, inner) - inner : high - inner])
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def dense(self) -> Tensor:
        """All windows written out."""
        return self.piece(0, self.size(-1))

    def _core(self, low: int, high: int) -> Tensor:
        rows: list[Tensor] = []
        order: list[int] = []
        for one_map, members in _by_map(self):
            starts = [self.starts[s] for s in members]
            first = min(starts)
            region = one_map[..., first + low : max(starts) + high]
            # (B, C, starts, high - low), without a copy
            windows = region.unfold(-1, high - low, 1).permute(2, 0, 1, 3)
            rows.append(windows[[start - first for start in starts]])
            order += members
        stacked = rows[0] if len(rows) == 1 else torch.cat(rows)
        if order != sorted(order):
            stacked = stacked[sorted(range(len(order)), key=order.__getitem__)]
        return stacked.flatten(0, 1)

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Any,
        args: tuple = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Runs what is known on the parts, and anything else on the windows written out."""
        kwargs = kwargs or {}
        name = func.__name__
        if name == "__get__":
            name = func.__self__.__name__  # type: ignore[attr-defined]
        if name in _METADATA:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if isinstance(args[0], Windows) and (name in _WRITES or kwargs.get("inplace")):
            return _write(name, func, *args, **kwargs)
        if isinstance(args[0], Windows) and name.endswith("_") and not name.startswith("__"):
            return _write(name[:-1], getattr(Tensor, name[:-1]), *args, **kwargs)
        handler = _HANDLERS.get(name)
        if name in _POINTWISE:
            result = _pointwise(func, *args, **kwargs)
        else:
            result = NotImplemented if handler is None else handler(*args, **kwargs)
        if result is not NotImplemented:
            return result
        args, kwargs = tree_map(
            lambda x: x.dense() if isinstance(x, Windows) else x, (args, kwargs)
        )
        return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Reached only past `__torch_function__`, where parts cannot be followed."""
        raise NotShareable(f"{func} reached the windows themselves")


class Sharing:
    """Decides whether the shifts of a call share what the model computes, and lets them."""

    def __init__(self, forward_func: Callable[..., Any], trunk: Any) -> None:
        """
        Args:
            forward_func: The model.
            trunk: A module inside it, or "auto" to share only where that is faster.
        """
        if isinstance(trunk, Module):
            known = forward_func.modules() if isinstance(forward_func, Module) else [trunk]
            if all(module is not trunk for module in known):
                raise ValueError(
                    f"trunk must be a module inside the model, got a {type(trunk).__name__} that "
                    "is not in it"
                )
        elif trunk != "auto":
            raise ValueError(f"trunk must be a module of the model, 'auto' or None, got {trunk!r}")
        self.forward_func = forward_func
        self.auto = not isinstance(trunk, Module)
        self.verdicts: dict[Any, bool] = {}
        self.warned = False

    def suits(self, call: ShiftedCall) -> bool:
        """Whether this call shares: it can, it gives the right answer, and, for "auto", it pays."""
        if call.shifts.region is not None or call.one_at_a_time or len(call.shifts.offsets) == 1:
            return False
        if not any(call.dims) or any(
            dims and (dims != (-1,) or x.dim() != 3) for x, dims in zip(call.inputs, call.dims)
        ):
            return False
        shapes = [(tuple(x.shape), x.dtype, x.device) for x in call.inputs]
        key = (*shapes, call.shifts)
        if key not in self.verdicts:
            self.verdicts[key] = self._right(call) and (not self.auto or self._faster(call))
        return self.verdicts[key]

    def step(self, call: ShiftedCall) -> Callable[[Offsets], Tensors]:
        """For a chunk of offsets, the gradients shifted back and summed."""
        return partial(call.mean_gradient, self.forward_func, partial(_windows, call))

    def _right(self, call: ShiftedCall) -> bool:
        one = call.one_example()
        offsets = one.shifts.offsets
        try:
            got = one.forward(self.forward_func, _windows(one, one.inputs, offsets), offsets)
        except Exception as error:
            return self._warn(f"it failed with {type(error).__name__}: {error}")
        expected = one.forward(self.forward_func, one.copies(one.inputs, offsets), offsets)
        # Outputs, not gradients: rounding can switch a ReLU, or which of two equal windows is the
        # largest, and either way of running the model is then as good as the other.
        difference = (got - expected).abs().max()
        bound = 1000 * torch.finfo(expected.dtype).eps * expected.abs().max()
        if not difference <= bound:
            return self._warn(f"outputs differed by {difference:.3g}, more than {bound:.3g}")
        return True

    def _warn(self, reason: str) -> bool:
        if not self.warned:
            self.warned = True
            warnings.warn(
                "ShiftSmooth shares nothing between shifts of this model and runs it once a shift: "
                f"when sharing was tried on one example, {reason}",
                stacklevel=4,
            )
        return False

    def _faster(self, call: ShiftedCall) -> bool:
        offsets = call.shifts.offsets
        few = offsets[:3]
        box = partial(call.mean_gradient, self.forward_func, call.copies)
        apart = _seconds(box, few, call) * len(offsets) / len(few)
        # Where sharing pays, it pays more than a stopwatch is off by.
        return _seconds(self.step(call), offsets, call) < 0.8 * apart


def _seconds(step: Callable[[Offsets], Tensors], offsets: Offsets, call: ShiftedCall) -> float:
    def now() -> float:
        if call.inputs[0].is_cuda:
            torch.cuda.synchronize(call.inputs[0].device)
        return time.perf_counter()

    times = []
    for _ in range(2):  # the first run of a shape also prepares its kernels and memory
        start = now()
        step(offsets)
        times.append(now() - start)
    return min(times)


def _windows(call: ShiftedCall, tensors: Tensors, offsets: Offsets) -> Tensors:
    """`tensors`, shaped like the inputs, as windows, one for each of `offsets`."""
    return tuple(
        _window(x.to(like.dtype), call.shifts, offsets)
        if dims
        else torch.cat([x] * len(offsets)).to(like.dtype)
        for x, dims, like in zip(tensors, call.dims, call.inputs)
    )


def _window(x: Tensor, shifts: Shifts, offsets: Offsets) -> Windows:
    length = x.size(-1)
    if shifts.edges == "flanks":
        reach = shifts.reach
        return Windows.of(x, [reach - n for n in offsets], length - 2 * reach)
    before, after = max(0, *offsets), max(0, *(-n for n in offsets))
    around = torch.cat((x[..., length - before :], x, x[..., :after]), -1)
    return Windows.of(around, [before - n for n in offsets], length)


def _by_map(x: Windows) -> list[tuple[Tensor, list[int]]]:
    """Each of the maps (B, C, M), and which shifts have their window on it."""
    maps = x.shared.unflatten(0, (max(x.maps) + 1, -1)).unbind()
    return [(m, [s for s, i in enumerate(x.maps) if i == g]) for g, m in enumerate(maps)]


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
    offsets = [move.pop() for move in moves]
    low = min(offsets)
    length = min(x.shared.size(-1) - (offset - low) for x, offset in zip(tensors, offsets))
    return [
        Windows(
            x.shared.narrow(-1, offset - low, length),
            x.piece(0, left) if left else None,
            x.piece(width - right, width) if right else None,
            x.maps,
            [start - (offset - low) for start in x.starts],
            width,
        )
        for x, offset in zip(tensors, offsets)
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
    for one_map, members in _by_map(x):
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
_METADATA = {
    "shape", "size", "dim", "ndim", "ndimension", "numel", "nelement", "dtype", "device",
    "layout", "is_floating_point", "is_complex", "requires_grad", "is_cuda", "is_sparse",
    "is_quantized", "element_size", "get_device", "__len__", "is_leaf",
}
# fmt: on
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
_HANDLERS: dict[str, Handler] = {
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
