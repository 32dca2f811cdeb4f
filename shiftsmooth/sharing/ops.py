"""How each operation runs on the parts of windows: one function an operation.

An operation takes the arguments of the torch functions it is registered for, under their names,
and gives windows; or ordinary tensors; or `NotImplemented`, and the windows are written out.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._pytree import tree_flatten

from ..shifts import Numbers
from .ends import ConvAtEnd, windows_last
from .moves import HALF, cropped, evenly_spaced, joined, memory_order, phases, regions
from .sliding import sliding
from .windows import NotShareable, Windows, windows_in


@dataclass(frozen=True)
class Operation:
    """What is known of a torch function.

    Attributes:
        run: Takes the bound arguments.
        signature: How they are bound.
        aliases: Whether results may lie in the memory of the input.
        writes: Whether the result is written into the first argument.
        permutes: Whether it changes the order of dimensions in memory.
    """

    run: Callable[..., Any]
    signature: inspect.Signature
    aliases: bool = False
    writes: bool = False
    permutes: bool = False

    def bind(self, args: tuple, kwargs: dict[str, Any]) -> inspect.BoundArguments | None:
        """The arguments by name; None if they are spelled in a way that is not known."""
        try:
            return self.signature.bind(*args, **kwargs)
        except TypeError:
            pass
        try:
            return self.signature.bind(*args, **{_NAMES.get(k, k): v for k, v in kwargs.items()})
        except TypeError:
            return None


# Other names that torch takes for the same arguments.
_NAMES = {
    "axis": "dim", "axes": "dims", "axis0": "dim0", "axis1": "dim1", "keepdims": "keepdim",
    "x": "input", "x1": "input", "x2": "other", "a": "input", "self": "input", "tensor": "input",
    "split_size_or_sections": "split_size", "indices_or_sections": "split_size",
}  # fmt: skip

OPERATIONS: dict[Any, Operation] = {}


def _functions(name: str) -> Iterable[Any]:
    """The torch functions called `name`: on tensors, in torch and in torch.nn.functional."""
    for home in (torch, Tensor, F, torch.special):
        found = getattr(home, name, None)
        if inspect.isgetsetdescriptor(found):
            yield found.__get__
        elif callable(found):
            yield found


def operation(
    *names: str, aliases: bool = False, several: bool = False, permutes: bool = False
) -> Callable[..., Any]:
    """Registers an operation for the torch functions called `names`.

    Args:
        names: What they are called.
        aliases: Whether results may lie in the memory of the input.
        several: Whether windows may be anywhere among the arguments, not only the first.
        permutes: Whether the order of dimensions in memory changes.
    """

    def register(run: Callable[..., Any]) -> Callable[..., Any]:
        def alone(input: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(input, Windows) or any(windows_in((args, kwargs))):
                return NotImplemented
            return run(input, *args, **kwargs)

        function = run if several else alone
        known = Operation(function, inspect.signature(run), aliases, permutes=permutes)
        for name in names:
            for called in _functions(name):
                OPERATIONS[called] = known
        return run

    return register


# Functions of single positions.


def _pointwise(func: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """`func`, which treats every position alike, on the parts."""
    leaves = [*args, *kwargs.values()]
    places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Windows)]
    first = leaves[places[0]] if places else None
    if first is None or not all(_same_everywhere(leaf, first) for leaf in leaves):
        return NotImplemented
    aligned = _align([leaves[i] for i in places])
    if aligned is None:
        return NotImplemented

    def on(*parts: Tensor) -> Tensor:
        for i, part in zip(places, parts):
            leaves[i] = part
        return func(*leaves[: len(args)], **dict(zip(kwargs, leaves[len(args) :])))

    return aligned[0].each(on, *aligned[1:])


_PLAIN = (int, float, complex, bool, str, type(None), torch.dtype, torch.device,
          torch.memory_format, torch.layout)  # fmt: skip


def _same_everywhere(value: Any, x: Windows) -> bool:
    """Whether an operand is the same for every window and position; channels may differ."""
    if isinstance(value, Windows):
        return value.shared.dim() == x.shared.dim() and value.axis == x.axis
    if not isinstance(value, Tensor):
        return isinstance(value, _PLAIN)
    dims, place = x.shared.dim(), x.shared.dim() - x.axis
    if value.dim() > dims or (value.dim() == dims and value.size(0) != 1):
        return False
    return value.dim() < place or value.size(-place) == 1


def _align(tensors: list[Windows]) -> list[Windows] | None:
    """The windows, with strips and maps that cover the same positions; None if they cannot."""
    first = tensors[0]
    distances = [x.places.distance(first.places) for x in tensors]
    places = [distance for distance in distances if distance is not None]
    if len(places) < len(tensors) or any(x.width != first.width for x in tensors):
        return None
    left, right = (max(widths) for widths in zip(*(x.ends for x in tensors)))
    width, axis = first.width, first.axis
    if left + right >= width:
        return None
    low = min(places)
    length = min(x.shared.size(axis) - (place - low) for x, place in zip(tensors, places))
    if all(
        x.ends == (left, right) and place == low and x.shared.size(axis) == length
        for x, place in zip(tensors, places)
    ):
        return tensors
    return [_aligned(x, left, right, place - low, length) for x, place in zip(tensors, places)]


def _aligned(x: Windows, left: int, right: int, start: int, length: int) -> Windows:
    """`x` with strips that are so long, on maps that are cropped."""
    shared, ahead, behind = x.shared, x.left, x.right
    if x.ends != (left, right):
        ranges = ((0, left), (x.width - right, x.width))
        shared, found = x.pieces(*(pair for pair in ranges if pair[0] < pair[1]))
        ahead, behind = found[0], found[-1]
    return x.like(
        cropped(shared, x.axis, start, length),
        ahead if left else None,
        behind if right else None,
        places=x.places.later(-start),
    )


# fmt: off
_POINTWISE = (
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus",
    "sigmoid", "expit", "tanh", "exp", "exp2", "expm1", "log", "log1p", "log2", "log10", "logit",
    "sqrt", "rsqrt", "square", "abs", "absolute", "neg", "negative", "sign", "round", "floor",
    "ceil", "trunc", "frac", "clamp", "clip", "clamp_min", "clamp_max", "hardtanh", "hardswish",
    "hardsigmoid", "hardshrink", "softshrink", "tanhshrink", "logsigmoid", "softsign", "threshold",
    "pow", "float_power", "sin", "cos", "tan", "atan", "arctan", "sinh", "cosh", "asinh", "erf",
    "erfc", "reciprocal", "nan_to_num", "add", "sub", "subtract", "rsub", "mul", "multiply", "div",
    "divide", "true_divide", "floor_divide", "remainder", "fmod", "maximum", "minimum", "fmax",
    "fmin", "lerp", "addcmul", "addcdiv", "xlogy", "logaddexp", "hypot", "atan2", "masked_fill",
    "where", "gt", "ge", "lt", "le", "eq", "ne", "greater", "greater_equal", "less", "less_equal",
    "not_equal", "logical_not", "logical_and", "logical_or", "logical_xor", "bitwise_not",
    "bitwise_and", "bitwise_or", "isnan", "isinf", "isfinite", "zeros_like", "ones_like",
    "full_like", "clone", "__rsub__", "__rdiv__", "__rtruediv__", "__rpow__", "__and__", "__or__",
    "__invert__", "__floordiv__", "__rfloordiv__",
)
# What gives its argument back where there is nothing to do.
_POINTWISE_ALIASES = (
    "contiguous", "detach", "positive", "float", "double", "half", "bfloat16", "dropout",
    "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout",
)
# fmt: on


def _dropout(input: Any, p: float, train: bool) -> None:
    """How the functions of torch that are not written in Python spell it."""


def _pointwise_operation(function: Callable[..., Any], aliases: bool, writes: bool) -> Operation:
    def run(*args: Any, **kwargs: Any) -> Any:
        return _pointwise(function, args, kwargs)

    try:
        signature = inspect.signature(function)
    except ValueError:  # a function of torch that is not written in Python
        dropout = "dropout" in function.__name__
        signature = inspect.signature(_dropout if dropout else run)
    return Operation(run, signature, aliases, writes)


def _register_pointwise() -> None:
    for name in _POINTWISE + _POINTWISE_ALIASES:
        for function in _functions(name):
            OPERATIONS[function] = _pointwise_operation(function, name in _POINTWISE_ALIASES, False)
        plain = next(iter(_functions(name)))
        for function in _functions(name + "_"):
            OPERATIONS[function] = _pointwise_operation(plain, False, True)


_register_pointwise()


@operation("to", "type_as", aliases=True, several=True)
def _to(input: Any, *args: Any, **kwargs: Any) -> Any:
    args = tuple(arg.shared if isinstance(arg, Windows) else arg for arg in args)
    if any(windows_in(kwargs)):
        return NotImplemented
    if not isinstance(input, Windows):
        return input.to(*args, **kwargs)
    return input.each(lambda part: part.to(*args, **kwargs))


def _register_new() -> None:
    for name in ("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"):

        @operation(name)
        def new(input: Windows, *args: Any, name: str = name, **kwargs: Any) -> Any:
            return getattr(input.shared, name)(*args, **kwargs)


_register_new()


@operation("batch_norm")
def _batch_norm(
    input: Windows,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Any:
    if training or running_mean is None:
        raise NotShareable("batch norm in training mode looks at the whole batch at once")
    if input.axis == 1:
        return NotImplemented
    if running_var is None or input.shared.dtype in HALF or input.axis != 2:
        return input.each(
            lambda part: F.batch_norm(
                part, running_mean, running_var, weight, bias, False, 0.0, eps
            )
        )
    # As torch computes it, but whatever the layout is.
    scale = (running_var + eps).rsqrt()
    scale = scale if weight is None else scale * weight
    offset = -running_mean * scale if bias is None else bias - running_mean * scale
    shape = (-1, *[1] * (input.shared.dim() - 2))
    scale, offset = scale.view(shape), offset.view(shape)
    return input.each(lambda part: torch.addcmul(offset, part, scale))


@operation("layer_norm")
def _layer_norm(
    input: Windows,
    normalized_shape: Any,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Any:
    if input.axis >= input.shared.dim() - len(normalized_shape):
        return NotImplemented
    return input.each(lambda part: F.layer_norm(part, normalized_shape, weight, bias, eps))


@operation("prelu")
def _prelu(input: Windows, weight: Tensor) -> Any:
    if weight.numel() > 1 and input.axis == 1:
        return NotImplemented
    return input.each(lambda part: torch.prelu(part, weight))


@operation("glu")
def _glu(input: Windows, dim: int = -1) -> Any:
    return _along_others(input, dim, lambda part, dim: F.glu(part, dim))


@operation("softmax")
def _softmax(input: Windows, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    return _along_others(input, dim, lambda part, dim: torch.softmax(part, dim, dtype))


@operation("log_softmax")
def _log_softmax(input: Windows, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
    return _along_others(input, dim, lambda part, dim: torch.log_softmax(part, dim, dtype))


def _along_others(input: Windows, dim: Any, function: Callable[[Tensor, int], Tensor]) -> Any:
    """`function` along `dim` if that is neither the batch nor the sequence."""
    if not isinstance(dim, int):
        return NotImplemented
    dim %= input.shared.dim()
    if dim in (0, input.axis):
        return NotImplemented
    return input.each(lambda part: function(part, dim))


@operation("linear")
def _linear(input: Windows, weight: Tensor, bias: Tensor | None = None) -> Any:
    if input.axis == input.shared.dim() - 1:
        return NotImplemented
    return input.each(lambda part: F.linear(part, weight, bias))


@operation("matmul", "__matmul__", "__rmatmul__", several=True)
def _matmul(input: Any, other: Any) -> Any:
    if isinstance(input, Windows) and isinstance(other, Windows):
        return NotImplemented
    x, weight = (input, other) if isinstance(input, Windows) else (other, input)
    if not isinstance(weight, Tensor) or weight.dim() != 2 or x.shared.dim() < 3:
        return NotImplemented
    # The dimension that is summed over, and so the one that may not be the sequence.
    if x.axis == x.shared.dim() - (1 if x is input else 2):
        return NotImplemented
    if x is input:
        return x.each(lambda part: part @ weight)
    return x.each(lambda part: weight @ part)


# Functions that see several positions.


def _slide(
    x: Windows,
    extent: int,
    stride: int,
    function: Callable[..., Tensor],
    sides: tuple[int, int] = (0, 0),
    value: float = 0.0,
    same: bool = False,
    at_end: Callable[[Windows, int, int], Tensor | None] = lambda x, low, high: None,
) -> Windows | Any:
    """`function`, which sees `extent` positions and steps by a stride.

    Args:
        x: The windows.
        extent: How many positions it sees.
        stride: By how much it steps.
        function: Takes a tensor and a stride; where `same` holds it may take a padding.
        sides: How many positions the windows get before and behind.
        value: What is there.
        same: Whether `function` pads by itself, by `sides`. Maps then stay as long as they are, so
            that sums with what was there before need no cropping.
        at_end: Gives the same of two positions of all windows, if it knows a way without writing
            them out.
    """
    if x.places.spaced:
        x, sides = _pad(x, *sides, value), (0, 0)
    before, after = sides
    width, axis = x.width + before + after, x.axis
    if extent > width:
        return NotImplemented
    left, right = (n + side for n, side in zip(x.ends, sides))
    new_width = (width - extent) // stride + 1
    new_left = -(-left // stride)
    new_right = new_width - 1 - (width - right - extent) // stride
    sources, places = x.places.later(-before).strided(stride)
    length, count = x.shared.size(axis), x.places.maps
    if new_left + new_right >= new_width or places.maps * length >= places.count * width:
        return NotImplemented
    ranges = []
    if new_left:
        ranges.append((-before, (new_left - 1) * stride + extent - before))
    if new_right:
        last = (new_width - 1) * stride + extent - before
        ranges.append(((new_width - new_right) * stride - before, last))
    found = [at_end(x, low, high) for low, high in ranges]
    missing = [pair for pair, strip in zip(ranges, found) if strip is None]
    shared, pieces = x.pieces(*missing, value=value)
    written = (function(piece, stride) for piece in pieces)
    strips = [next(written) if strip is None else strip for strip in found]
    same = same and stride == 1 and before == after and before + after == extent - 1
    if same:
        shared = function(shared, 1, before)
    elif places.maps == count * stride:  # all positions are some window's
        shared = phases(function(shared, 1), count, axis, stride)
    else:
        shared = function(_chosen(shared, count, axis, sources, stride), stride)
    return x.like(
        shared,
        strips[0] if new_left else None,
        strips[-1] if new_right else None,
        places=places.later(before) if same else places,
        width=new_width,
    )


def _chosen(
    shared: Tensor, count: int, axis: int, sources: list[tuple[int, int]], stride: int
) -> Tensor:
    """For each of `sources`, a map and a phase, the map from this phase on."""
    # Zeros behind make the maps equally long; no window reaches them.
    nothing = shared.new_zeros(())
    shape = list(shared.shape)
    shape[axis] = stride - 1
    longer = torch.cat((shared, nothing.expand(shape)), axis)
    padded, length = longer.unflatten(0, (count, -1)), shared.size(axis)
    return torch.cat([padded[g].narrow(axis, r, length) for g, r in sources])


def _grow(x: Windows, before: Tensor | None, after: Tensor | None) -> Windows:
    """`x` with positions at its ends, one row a window: the strips grow."""

    def grown(*strips: Tensor | None) -> Tensor | None:
        given = [strip for strip in strips if strip is not None]
        return joined(given, x.axis) if given else None

    ahead = 0 if before is None else before.size(x.axis)
    behind = 0 if after is None else after.size(x.axis)
    return x.like(
        x.shared,
        grown(before, x.left),
        grown(x.right, after),
        places=x.places.later(-ahead),
        width=x.width + ahead + behind,
    )


def _pad(x: Windows, before: int, after: int, value: float) -> Windows:
    """`x` with a constant at its ends."""

    def constant(width: int) -> Tensor | None:
        if not width:
            return None
        shape = _shape(x)
        shape[x.axis] = width
        return x.shared.new_full([1] * len(shape), value).expand(shape)  # one number in memory

    return _grow(x, constant(before), constant(after))


def _crop(x: Windows, low: int, high: int) -> Windows | Any:
    """Positions `low` to `high` of every window."""
    left, right = x.ends
    new_left, new_right = max(0, left - low), max(0, high - (x.width - right))
    if new_left + new_right >= high - low:
        return NotImplemented
    return x.like(
        x.shared,
        cropped(x.left, x.axis, low, new_left) if x.left is not None and new_left else None,
        cropped(x.right, x.axis, 0, new_right) if x.right is not None and new_right else None,
        places=x.places.later(low),
        width=high - low,
    )


def _ints(value: Any, count: int) -> list[int]:
    """`count` ints, from one int or a sequence of one or of `count`."""
    values = list(value) if isinstance(value, tuple | list) else [value]
    return values * count if len(values) == 1 else values


def _conv(
    dims: int,
    input: Windows,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    place = input.axis - (input.shared.dim() - dims)
    if input.shared.dim() != dims + 2 or place < 0:
        return NotImplemented
    strides, dilations = _ints(stride, dims), _ints(dilation, dims)
    extents = [d * (k - 1) + 1 for d, k in zip(dilations, weight.shape[2:])]
    if padding == "same":
        sides = [((extent - 1) // 2, extent - 1 - (extent - 1) // 2) for extent in extents]
    else:
        widths = [0] * dims if padding == "valid" else _ints(padding, dims)
        sides = [(width, width) for width in widths]
    here = sides[place]
    sides[place] = (0, 0)
    if any(before != after for before, after in sides):
        return NotImplemented

    def run(part: Tensor, step: int, padding: int = 0) -> Tensor:
        others = [padding if i == place else before for i, (before, _) in enumerate(sides)]
        steps = [step if i == place else stride for i, stride in enumerate(strides)]
        if not _channels_last(input):
            plain = F.conv1d if dims == 1 else F.conv2d
            return plain(part, weight, bias, steps, others, dilations, groups)
        flat = [1] * (2 - dims)
        found = F.conv2d(
            _flat(part),
            weight if dims == 2 else weight.unsqueeze(2),
            bias,
            [*flat, *steps],
            [0 for _ in flat] + others,
            [*flat, *dilations],
            groups,
        )
        return found if dims == 2 else found.squeeze(2)

    def at_end(x: Windows, low: int, high: int) -> Tensor | None:
        if dims == 2 or groups > 1:
            return None
        return _conv_at_end(x, low, high, weight, bias, strides[0], dilations[0])

    return _slide(input, extents[place], strides[place], run, here, same=True, at_end=at_end)


def _conv_at_end(
    x: Windows,
    low: int,
    high: int,
    weight: Tensor,
    bias: Tensor | None,
    stride: int,
    dilation: int,
) -> Tensor | None:
    """A convolution of positions `low` to `high` of spaced windows, strip included."""
    starts = x.places.starts[0]
    if not isinstance(starts, range) or starts.step < 1 or len(x.shared) > 1:
        return None
    left, right = x.ends
    end = x.left if low == 0 else x.right
    first, last = max(low, left), min(high, x.width - right)  # what is on the map
    if end is None or first >= last or high - low - (last - first) != end.size(2):
        return None
    region = x.shared[0].narrow(1, starts[0] + first, starts[-1] - starts[0] + last - first)
    found = ConvAtEnd.apply(
        windows_last(end),
        region,
        weight.detach(),
        None if bias is None else bias.detach(),
        low == 0,
        starts.step,
        stride,
        dilation,
    )
    return windows_last(found)


def _channels_last(x: Windows) -> bool:
    """Whether the channels may be the last dimension in memory, and a CPU is faster with them."""
    if x.places.spaced or x.shared.device.type != "cpu":
        return False
    return x.in_order and x.shared.dim() in (3, 4)


def _flat(part: Tensor) -> Tensor:
    """A map of two dimensions with the channels last in memory; of one, as one row."""
    if part.dim() == 3:
        part = part.unsqueeze(2)
    return part.contiguous(memory_format=torch.channels_last)


@operation("conv1d")
def _conv1d(
    input: Windows,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    return _conv(1, input, weight, bias, stride, padding, dilation, groups)


@operation("conv2d")
def _conv2d(
    input: Windows,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    return _conv(2, input, weight, bias, stride, padding, dilation, groups)


def _pool(
    dims: int,
    kind: str,
    input: Windows,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    place = input.axis - (input.shared.dim() - dims)
    if input.shared.dim() != dims + 2 or place < 0:
        return NotImplemented
    kernels, dilations, widths = (_ints(v, dims) for v in (kernel_size, dilation, padding))
    strides = kernels if stride is None or stride in ([], ()) else _ints(stride, dims)
    extent = dilations[place] * (kernels[place] - 1) + 1
    here, others = widths[place], [*widths]
    others[place] = 0
    value = -float("inf") if kind == "max" else 0.0
    if kernels[place] == input.width and not here and prod(kernels) == kernels[place]:
        return _reduce(input, kind, True)
    sides = (here, here)
    if ceil_mode:
        if kind != "max" or any(n > 1 for i, n in enumerate(kernels) if i != place):
            return NotImplemented
        width = input.width + 2 * here
        count = -(-(width - extent) // strides[place])
        # A window that would start behind the right padding is left out.
        count -= count * strides[place] >= input.width + here
        sides = (here, here + max(0, count * strides[place] + extent - width))

    def run(part: Tensor, step: int) -> Tensor:
        steps = [step if i == place else stride for i, stride in enumerate(strides)]
        if dims == 2 or not _channels_last(input):
            if kind == "max":
                pool = F.max_pool1d if dims == 1 else F.max_pool2d
                return pool(part, kernels, steps, others, dilations)
            average = F.avg_pool1d if dims == 1 else F.avg_pool2d
            return average(part, kernels, steps, others)
        flat = _flat(part)
        if kind == "max":
            found = F.max_pool2d(flat, (1, *kernels), (1, *steps), (0, *others), (1, *dilations))
        else:
            found = F.avg_pool2d(flat, (1, *kernels), (1, *steps), (0, *others))
        return found.squeeze(2)

    return _slide(input, extent, strides[place], run, sides, value)


@operation("max_pool1d")
def _max_pool1d(
    input: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices:
        return NotImplemented
    return _pool(1, "max", input, kernel_size, stride, padding, dilation, ceil_mode)


@operation("max_pool2d")
def _max_pool2d(
    input: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if return_indices:
        return NotImplemented
    return _pool(2, "max", input, kernel_size, stride, padding, dilation, ceil_mode)


@operation("avg_pool1d")
def _avg_pool1d(
    input: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    if ceil_mode or not (count_include_pad or padding in (0, (0,), [0])):
        return NotImplemented
    return _pool(1, "mean", input, kernel_size, stride, padding)


@operation("avg_pool2d")
def _avg_pool2d(
    input: Windows,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: Any = None,
) -> Any:
    if ceil_mode or not count_include_pad or divisor_override is not None:
        return NotImplemented
    return _pool(2, "mean", input, kernel_size, stride, padding)


def _adaptive(dims: int, kind: str, x: Windows, output_size: Any) -> Any:
    place = x.axis - (x.shared.dim() - dims)
    if x.shared.dim() != dims + 2 or place < 0:
        return NotImplemented
    sizes = [x.shared.size(2 + i) for i in range(dims)]
    sizes[place] = x.width
    wanted = [size if n is None else n for n, size in zip(_ints(output_size, dims), sizes)]
    others = [i for i in range(dims) if i != place]
    if any(wanted[i] != sizes[i] for i in others):
        return NotImplemented
    if wanted[place] == 1:
        return _reduce(x, kind, True)
    if x.width % wanted[place]:
        return NotImplemented
    kernel = [1] * dims
    kernel[place] = x.width // wanted[place]
    return _pool(dims, kind, x, kernel, None, 0)


@operation("adaptive_max_pool1d")
def _adaptive_max_pool1d(input: Windows, output_size: Any, return_indices: bool = False) -> Any:
    return NotImplemented if return_indices else _adaptive(1, "max", input, output_size)


@operation("adaptive_max_pool2d")
def _adaptive_max_pool2d(input: Windows, output_size: Any, return_indices: bool = False) -> Any:
    return NotImplemented if return_indices else _adaptive(2, "max", input, output_size)


@operation("adaptive_avg_pool1d")
def _adaptive_avg_pool1d(input: Windows, output_size: Any) -> Any:
    return _adaptive(1, "mean", input, output_size)


@operation("adaptive_avg_pool2d")
def _adaptive_avg_pool2d(input: Windows, output_size: Any) -> Any:
    return _adaptive(2, "mean", input, output_size)


@operation("pad")
def _constant_pad(
    input: Windows, pad: Any, mode: str = "constant", value: float | None = None
) -> Any:
    dims = input.shared.dim()
    sides = {dims - 1 - i // 2: (pad[i], pad[i + 1]) for i in range(0, len(pad), 2)}
    before, after = sides.pop(input.axis, (0, 0))
    if 0 in sides or before + input.width + after < 1:
        return NotImplemented
    if any(any(pair) for pair in sides.values()):
        if mode != "constant":
            return NotImplemented
        rest: list[int] = []
        for dim in range(dims - 1, min(sides) - 1, -1):
            rest += sides.get(dim, (0, 0))
        input = input.each(lambda part: F.pad(part, rest, value=value))
    if before < 0 or after < 0:
        if mode != "constant" or input.width + min(before, 0) + min(after, 0) < 1:
            return NotImplemented
        cropped = _crop(input, max(0, -before), input.width - max(0, -after))
        if cropped is NotImplemented:
            return NotImplemented
        input, before, after = cropped, max(0, before), max(0, after)
    if mode == "constant":
        return _pad(input, before, after, value or 0.0)
    return _mirror(input, before, after, mode)


def _mirror(x: Windows, before: int, after: int, mode: str) -> Any:
    """`x` with its own positions at its ends."""
    axis, width = x.axis, x.width
    if mode == "circular" and max(before, after) <= width:
        first = x.piece(width - before, width) if before else None
        last = x.piece(0, after) if after else None
    elif mode == "reflect" and max(before, after) < width:
        first = x.piece(1, before + 1).flip(axis) if before else None
        last = x.piece(width - after - 1, width - 1).flip(axis) if after else None
    elif mode == "replicate":
        first = torch.cat([x.piece(0, 1)] * before, axis) if before else None
        last = torch.cat([x.piece(width - 1, width)] * after, axis) if after else None
    else:
        return NotImplemented
    return _grow(x, first, last)


@operation("flip")
def _flip(input: Windows, *sizes: Any, dims: Any = None) -> Any:
    dims = _spread(sizes, dims)
    if not all(isinstance(d, int) for d in dims):
        return NotImplemented
    counted = sorted(d % input.shared.dim() for d in dims)
    if 0 in counted:
        return NotImplemented
    x = input.each(lambda part: part.flip(counted))
    if x.axis not in counted:
        return x
    length = x.shared.size(x.axis)
    places = x.places.mapped(lambda start: length - start - x.width)
    return x.like(x.shared, x.right, x.left, places=places)


def _spread(positional: tuple, named: Any) -> tuple:
    """The dimensions or sizes of a call that takes them one by one, as one tuple, or by name."""
    if named is not None:
        return tuple(named) if isinstance(named, tuple | list) else (named,)
    if len(positional) == 1 and isinstance(positional[0], tuple | list):
        return tuple(positional[0])
    return positional


# Pooling over all positions.


def _register_reductions() -> None:
    for name in ("mean", "sum", "amax", "amin"):

        @operation(name)
        def reduce(
            input: Windows,
            dim: Any = None,
            keepdim: bool = False,
            *,
            dtype: Any = None,
            name: str = name,
        ) -> Any:
            return NotImplemented if dtype else _reduce_dims(input, name, dim, keepdim)


_register_reductions()


def _reduce_dims(x: Windows, kind: str, dim: Any, keepdim: bool) -> Any:
    """A pool over some dimensions, the sequence among them or not."""
    count = x.shared.dim()
    given = dim if isinstance(dim, tuple | list) else (dim,)
    if not given or not all(isinstance(d, int) for d in given):
        return NotImplemented
    dims = sorted({d % count for d in given})
    if 0 in dims:
        return NotImplemented
    others = [d for d in dims if d != x.axis]
    # Among equal values, each of them over all dimensions gets the same share.
    whole = len(others) < len(dims) and kind in ("amax", "amin")
    if whole and any(x.shared.size(d) > 1 for d in others):
        return NotImplemented
    if others:
        gone = 0 if keepdim else sum(d < x.axis for d in others)
        x = x.each(lambda part: getattr(part, kind)(others, keepdim=keepdim), axis=x.axis - gone)
    return x if len(others) == len(dims) else _reduce(x, kind, keepdim)


@operation("max", several=True)
def _max(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return _pointwise(torch.maximum, (input, other), {})
    if not isinstance(dim, int) or not isinstance(input, Windows):
        return NotImplemented
    dim %= input.shared.dim()
    if dim == 0:
        return NotImplemented
    if dim != input.axis:
        axis = input.axis - (not keepdim and dim < input.axis)
        values = input.each(lambda part: part.max(dim, keepdim).values, axis=axis)
        places = input.each(lambda part: part.max(dim, keepdim).indices, axis=axis)
        return torch.return_types.max((values, places))
    largest = _reduce(input, "max", keepdim)
    if largest is NotImplemented:
        return largest
    # Where the largest value is would be a place in a part.
    unknown = Unknown(input.run, largest.shape, "the places of the largest values (`max`) are used")
    return torch.return_types.max((largest, unknown))


@operation("min", several=True)
def _min(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    other = dim if isinstance(dim, Tensor) else other
    return NotImplemented if other is None else _pointwise(torch.minimum, (input, other), {})


class Unknown(Tensor):
    """Integers that nobody computed: any use of them ends sharing."""

    run: Any
    reason: str

    @staticmethod
    def __new__(cls, run: Any, shape: Any, reason: str) -> "Unknown":
        """Integers of this shape, which `reason` says not to use."""
        self = Tensor._make_wrapper_subclass(cls, shape, dtype=torch.int64)
        self.run, self.reason = run, reason
        run.keep(self)
        return self

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        """Refuses."""
        unknown = next(x for x in tree_flatten((args, kwargs))[0] if isinstance(x, Unknown))
        unknown.run.refuse(unknown.reason)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Refuses."""
        raise NotImplementedError(func)


def _reduce(x: Windows, kind: str, keepdim: bool) -> Any:
    """The pool over all positions of each window, from the pools of the parts."""
    if kind == "amin":
        negative = x.each(torch.neg)
        result = _reduce(negative, "amax", keepdim)
        return result if result is NotImplemented else -result
    axis, dtype = x.axis, x.shared.dtype
    if dtype in HALF:  # sums of values, and of gradients, in float32 at least
        x = x.each(lambda part: part.float())
    elif not dtype.is_floating_point:
        return NotImplemented
    left, right = x.ends
    pieces: list[tuple[Tensor, ...]] = []
    for one_map, starts in zip(x.by_map(), x.places.starts):
        found = _of_map(one_map, axis, starts, left, x.width - right, kind)
        if found is NotImplemented:
            return found
        pieces.append(found)
    shared = [x.places.in_order(rows).flatten(0, 1) for rows in zip(*pieces)]
    strips = [
        [] if end is None else list(_pool_strip(end, axis, kind)) for end in (x.left, x.right)
    ]
    pools = strips[0] + shared + strips[1]
    step = 2 if kind == "amax" else 1
    result = _combine(pools[::step], pools[1::step], kind)
    if kind == "mean":
        result = result / x.width
    result = result.to(dtype)
    return result.unsqueeze(axis) if keepdim else result


def _of_map(region: Tensor, axis: int, starts: Numbers, low: int, high: int, kind: str) -> Any:
    """The pools over positions `low` to `high` of the windows on a map: (windows, rows, ...).

    Several pools per window, which together are over all of its positions, in their order. What
    all windows of shifts have in common is pooled once; what is left of each of them are a few
    positions before and behind.
    """
    first, last = min(starts), max(starts)
    if isinstance(starts, range) and low < high:
        region = region.movedim(axis, -1)[..., first + low : last + high]
        pools = sliding(region, high - low, abs(starts.step), kind)
        pools = tuple(pool.movedim(-1, 0) for pool in pools)
        return pools if starts.step > 0 else tuple(pool.flip(0) for pool in pools)
    inner = first + high - last - low
    if inner <= 0:
        return NotImplemented
    ahead = {"mean": "sum", "amax": "none"}.get(kind, kind)
    core, before, after = regions(region, axis, first + low, last - first, inner, ahead)
    before, after = before.movedim(axis, -1).flip(-1), after.movedim(axis, -1)
    pools = (core,) if kind != "amax" else _pool_all(core.movedim(axis, -1), kind)
    return (
        *_leading(before, [last - start for start in starts], kind, prefer_last=True),
        *(pool.expand(len(starts), *pool.shape) for pool in pools),
        *_leading(after, [start - first for start in starts], kind),
    )


def _pool_strip(strip: Tensor, axis: int, kind: str) -> tuple[Tensor, ...]:
    """The pool over the positions of strips; for "amax" also how many reach it."""
    order = memory_order(strip)
    if kind == "amax":
        return _pool_all(strip.movedim(axis, -1), kind)
    if order[0] == axis:  # the windows are next to each other
        rows = strip.permute(order)
        pool = _largest(rows) if kind == "max" else rows.sum(0)
        return (pool.permute([order.index(d) - 1 for d in range(strip.dim()) if d != axis]),)
    if kind == "max":
        return regions(strip, axis, 0, 0, strip.size(axis), kind)[:1]
    return _pool_all(strip.movedim(axis, -1), kind)


def _pool_all(region: Tensor, kind: str) -> tuple[Tensor, ...]:
    """A region's pool over positions, its last dimension; for "amax" also how many reach it."""
    if kind in ("sum", "mean"):
        return (region.sum(-1),)
    if kind == "max":
        return (region.max(-1).values,)
    largest = region.amax(-1)
    return largest, (region.detach() == largest.detach()[..., None]).sum(-1)


def _leading(
    region: Tensor, counts: list[int], kind: str, prefer_last: bool = False
) -> tuple[Tensor, ...]:
    """The pools of the first `counts[s]` positions of `region`, for every s: (shifts, rows, ...).

    Args:
        region: (rows, ..., positions).
        counts: One for each shift, from 0 to all positions.
        kind: "max", "amax", "sum" or "mean".
        prefer_last: Which of equal values is the maximum: the last of them, not the first.
    """
    if kind in ("sum", "mean"):
        return (_at(F.pad(region.cumsum(-1), (1, 0)), counts),)
    nothing = -float("inf")
    if kind == "max":
        running = F.pad(_running_max(region, prefer_last), (1, 0), value=nothing)
        return (_at(running, counts),)
    ends = torch.tensor(counts, device=region.device).reshape(-1, *[1] * region.dim())
    reached = torch.arange(region.size(-1), device=region.device) < ends
    padded = F.pad(region, (1, 0), value=nothing)  # so that there is a value to take
    return _pool_all(padded.masked_fill(~F.pad(reached, (1, 0)), nothing), kind)


def _at(x: Tensor, places: list[int]) -> Tensor:
    """Some places of the last dimension, first: without an index, for which a GPU would wait."""
    spaced = evenly_spaced(places)
    if spaced is None:
        return x[..., places].movedim(-1, 0)
    low, step = min(spaced), abs(spaced.step)
    found = x[..., low : max(spaced) + 1 : step].movedim(-1, 0)
    return found if spaced.step > 0 else found.flip(0)


def _running_max(region: Tensor, prefer_last: bool) -> Tensor:
    """The largest value so far; its gradient goes to the first, or to the last, of equal ones."""
    with torch.no_grad():
        so_far = F.pad(region.cummax(-1).values, (1, 0), value=-float("inf"))[..., :-1]
        new = region >= so_far if prefer_last else region > so_far
        places = torch.arange(region.size(-1), device=region.device)
        where = (new * places).cummax(-1).values
    return region.gather(-1, where)


def _largest(x: Tensor) -> Tensor:
    """The largest value over the first dimension; the gradient goes to the first that has it."""
    return x.max(0).values if x.requires_grad and torch.is_grad_enabled() else x.amax(0)


def _combine(pools: list[Tensor], counts: list[Tensor], kind: str) -> Tensor:
    """One pool from those of the parts, in the order of their positions.

    Among equal largest values `max` gives the gradient to the first, `amax` a share to each.
    """
    if kind in ("sum", "mean"):
        return sum(pools[1:], pools[0])
    stacked = joined([pool.unsqueeze(0) for pool in pools], 0)
    if kind == "max":
        return _largest(stacked)
    with torch.no_grad():
        weights = torch.stack(counts).to(stacked) * (stacked == stacked.amax(0))
        weights = weights / weights.sum(0)
    return (torch.where(weights > 0, stacked, 0) * weights).sum(0)


# Other dimensions: joined, cut, moved.


@operation("cat", "concat", "concatenate", several=True)
def _cat(tensors: Any, dim: int = 0) -> Any:
    return _joined(torch.cat, list(tensors), dim, 0)


@operation("stack", several=True)
def _stack(tensors: Any, dim: int = 0) -> Any:
    return _joined(torch.stack, list(tensors), dim, 1)


def _joined(join: Callable[..., Tensor], tensors: list[Any], dim: int, new: int) -> Any:
    """Windows joined along a dimension that is not the sequence; `new` of them come in."""
    first = tensors[0]
    if not isinstance(dim, int) or not all(isinstance(x, Windows) for x in tensors):
        return NotImplemented
    if any(x.axis != first.axis or x.shared.dim() != first.shared.dim() for x in tensors):
        return NotImplemented
    dim %= first.shared.dim() + new
    if dim == 0 or (dim == first.axis and not new):
        return NotImplemented
    aligned = _align(tensors)
    if aligned is None:
        return NotImplemented
    axis = first.axis + (1 if new and dim <= first.axis else 0)
    return aligned[0].each(lambda *parts: join(parts, dim), *aligned[1:], axis=axis)


def _register_cuts() -> None:
    for name in ("split", "tensor_split", "unsafe_split"):

        @operation(name, aliases=True)
        def split(input: Windows, split_size: Any, dim: int = 0, *, name: str = name) -> Any:
            return _cut(input, name, split_size, dim)

    for name in ("chunk", "unsafe_chunk"):

        @operation(name, aliases=True)
        def chunk(input: Windows, chunks: int, dim: int = 0, *, name: str = name) -> Any:
            return _cut(input, name, chunks, dim)


def _cut(x: Windows, name: str, size: Any, dim: int) -> Any:
    dim %= x.shared.dim()
    if dim in (0, x.axis) or isinstance(size, Tensor):
        return NotImplemented
    count = len(getattr(x.shared, name)(size, dim))
    return tuple(x.each(lambda part, i=i: getattr(part, name)(size, dim)[i]) for i in range(count))


_register_cuts()


@operation("unbind", aliases=True)
def _unbind(input: Windows, dim: int = 0) -> Any:
    dim %= input.shared.dim()
    if dim in (0, input.axis):
        return NotImplemented
    axis = input.axis - (dim < input.axis)
    return tuple(
        input.each(lambda part, i=i: part.select(dim, i), axis=axis)
        for i in range(input.shared.size(dim))
    )


@operation("narrow", aliases=True)
def _narrow(input: Windows, dim: int, start: int, length: int) -> Any:
    if not isinstance(start, int) or not isinstance(length, int):
        return NotImplemented
    dim %= input.shared.dim()
    if dim == 0:
        return NotImplemented
    size = input.width if dim == input.axis else input.shared.size(dim)
    start += size if start < 0 else 0
    if start < 0 or length < 0 or start + length > size:
        return NotImplemented
    if dim == input.axis:
        return _crop(input, start, start + length)
    return input.each(lambda part: part.narrow(dim, start, length))


@operation("select", aliases=True)
def _select(input: Windows, dim: int, index: int) -> Any:
    dim %= input.shared.dim()
    if dim == 0 or not isinstance(index, int):
        return NotImplemented
    return _getitem(input, (slice(None),) * dim + (index,))


@operation("__getitem__", aliases=True)
def _getitem(input: Windows, indices: Any) -> Any:
    index = list(indices) if isinstance(indices, tuple) else [indices]
    dims = input.shared.dim()
    kinds = (int, slice, type(None), type(Ellipsis), list)
    if not all(isinstance(i, kinds) and not isinstance(i, bool) for i in index):
        return NotImplemented
    if sum(i is Ellipsis for i in index) > 1 or sum(isinstance(i, list) for i in index) > 1:
        return NotImplemented
    taken = sum(i is not None and i is not Ellipsis for i in index)
    if taken > dims:
        return NotImplemented
    place = next((k for k, i in enumerate(index) if i is Ellipsis), len(index))
    index[place : place + 1] = [slice(None)] * (dims - taken)
    if index[0] != slice(None):
        return NotImplemented
    # Where the sequence is among the indices, and what it is afterwards.
    places = [k for k, i in enumerate(index) if i is not None]
    at = places[input.axis]
    along = index[at]
    if not isinstance(along, int | slice):
        return NotImplemented
    if isinstance(along, int) and any(isinstance(i, list) for i in index):
        return NotImplemented
    axis = sum(not isinstance(i, int) for i in index[:at])
    rest = [*index]
    rest[at] = slice(None)
    if isinstance(along, int):
        along += input.width if along < 0 else 0
        if not 0 <= along < input.width:
            return NotImplemented
        rest[at] = 0
        # A copy, since a piece may be a view of a part.
        return input.piece(along, along + 1).clone()[tuple(rest)]
    if not all(bound is None or isinstance(bound, int) for bound in (along.start, along.stop)):
        return NotImplemented
    low, high, step = along.indices(input.width)
    if step < 1 or high <= low:
        return NotImplemented
    x: Any = input
    if (low, high) != (0, input.width):
        x = _crop(x, low, high)
    if x is not NotImplemented and step > 1:
        at_axis = x.axis
        every = (slice(None),) * at_axis
        x = _slide(x, 1, step, lambda part, step: part[(*every, slice(None, None, step))])
    if x is NotImplemented or all(i == slice(None) for i in rest):
        return x
    return x.each(lambda part: part[tuple(rest)], axis=axis)


def _permuted(x: Windows, order: list[int]) -> Any:
    """The dimensions in another order, the batch still first."""
    if order[0] != 0:
        return NotImplemented
    return x.each(lambda part: part.permute(order), axis=order.index(x.axis))


@operation("transpose", "swapaxes", "swapdims", aliases=True, permutes=True)
def _transpose(input: Windows, dim0: int, dim1: int) -> Any:
    order = list(range(input.shared.dim()))
    dim0, dim1 = dim0 % len(order), dim1 % len(order)
    order[dim0], order[dim1] = order[dim1], order[dim0]
    return _permuted(input, order)


@operation("permute", aliases=True, permutes=True)
def _permute(input: Windows, *sizes: Any, dims: Any = None) -> Any:
    return _permuted(input, [d % input.shared.dim() for d in _spread(sizes, dims)])


@operation("movedim", "moveaxis", aliases=True, permutes=True)
def _movedim(input: Windows, source: Any, destination: Any) -> Any:
    # Torch says which dimension goes where, on a tensor whose sizes name its dimensions.
    named = torch.empty(tuple(range(input.shared.dim())), device="meta")
    return _permuted(input, list(named.movedim(source, destination).shape))


@operation("mT", aliases=True, permutes=True)
def _mT(input: Windows, *owner: Any) -> Any:
    return _transpose(input, -2, -1)


@operation("unsqueeze", aliases=True)
def _unsqueeze(input: Windows, dim: int) -> Any:
    dim %= input.shared.dim() + 1
    if dim == 0:
        return NotImplemented
    return input.each(lambda part: part.unsqueeze(dim), axis=input.axis + (dim <= input.axis))


@operation("squeeze", aliases=True)
def _squeeze(input: Windows, dim: Any = None) -> Any:
    count = input.shared.dim()
    given = range(count) if dim is None else dim if isinstance(dim, tuple | list) else (dim,)
    dims = {d % count for d in given}
    if (0 in dims and _shape(input)[0] == 1) or (input.axis in dims and input.width == 1):
        return NotImplemented
    gone = [d for d in dims - {0, input.axis} if input.shared.size(d) == 1]
    axis = input.axis - sum(d < input.axis for d in gone)
    return input.each(lambda part: part.squeeze(gone), axis=axis)


@operation("reshape", "view", aliases=True)
def _reshape(input: Windows, *sizes: Any, shape: Any = None, size: Any = None) -> Any:
    return _reshaped(input, _spread(sizes, shape if size is None else size))


@operation("flatten", aliases=True)
def _flatten(input: Windows, start_dim: int = 0, end_dim: int = -1) -> Any:
    shape = _shape(input)
    first, last = start_dim % len(shape), end_dim % len(shape)
    return _reshaped(input, (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :]))


@operation("unflatten", aliases=True)
def _unflatten(input: Windows, dim: int, sizes: Any) -> Any:
    shape = _shape(input)
    dim %= len(shape)
    return _reshaped(input, (*shape[:dim], *sizes, *shape[dim + 1 :]))


def _shape(x: Windows) -> list[int]:
    shape = list(x.shared.shape)
    shape[0] = x.places.count * (x.shared.size(0) // x.places.maps)
    shape[x.axis] = x.width
    return shape


def _reshaped(x: Windows, shape: tuple) -> Any:
    """Another shape, in which the batch stays and the sequence is one dimension, or is cut."""
    if not shape or not all(isinstance(size, int) for size in shape):
        return NotImplemented
    old = _shape(x)
    if -1 in shape:
        rest = -prod(shape)
        if rest <= 0 or prod(old) % rest:
            return NotImplemented
        shape = tuple(prod(old) // rest if size == -1 else size for size in shape)
    if shape[0] != old[0] or prod(shape) != prod(old) or 0 in shape:
        return NotImplemented
    before = prod(old[1 : x.axis])
    for axis in range(1, len(shape)):
        if prod(shape[1:axis]) != before:
            continue
        for stop in range(axis + 1, len(shape) + 1):
            cut = prod(shape[axis + 1 : stop])
            if prod(shape[axis:stop]) != x.width or (cut > 1 and shape[axis] == 1):
                continue
            return _cut_sequence(x, shape, axis, stop, cut)
    return NotImplemented


def _cut_sequence(x: Windows, shape: tuple, axis: int, stop: int, cut: int) -> Any:
    """`x` in this shape, where the sequence is `axis`, in steps of `cut` positions.

    Dimensions `axis + 1` to `stop` are the positions of one step.
    """
    if cut > 1:
        x = _slide(x, cut, cut, _steps(x.axis, cut))
        if x is NotImplemented:
            return x
    heads, tails = shape[1:axis], shape[axis + 1 :]

    def reshape(part: Tensor) -> Tensor:
        # Splits of the sequence are behind it now.
        return part.reshape(part.size(0), *heads, part.size(x.axis), *tails)

    return x.each(reshape, axis=axis)


def _steps(axis: int, cut: int) -> Callable[[Tensor, int], Tensor]:
    def run(part: Tensor, step: int) -> Tensor:
        return part.unfold(axis, cut, step).movedim(-1, axis + 1)

    return run
