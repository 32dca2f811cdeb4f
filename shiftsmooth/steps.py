"""What is done with a chunk of shifts: a gradient, a wrapped Captum method, a layer's gradient.

A step takes shifts and returns the attributions of the copies, shifted back, (S, B, ...) each.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from captum.attr import (
    Attribution,
    DeepLiftShap,
    FeaturePermutation,
    GradientAttribution,
    GradientShap,
)
from torch import Tensor
from torch.nn import Module

from . import _captum
from .arguments import Arguments, Tensors
from .copies import Chunk, Copies
from .reductions import Mean
from .shifts import Dims, sequence_dims

# These draw from the rows of their baselines, or of the batch, so shifts must not share a batch.
_MIX_ROWS = (DeepLiftShap, GradientShap, FeaturePermutation)
_SHIFTED_KWARGS = {"baselines", "feature_mask"}


class Step(ABC):
    """One call's work for a chunk of shifts.

    Attributes:
        call: The call's arguments.
        forward_func: The model.
        dims: The dimensions along which each of the results is shifted back.
        alone: Whether shifts must not share a batch.
        expands: Whether it makes batches of its own, of many rows per row that it is given.
        at_once: How many shifts are best run at once, where the step itself knows.
    """

    expands = False
    at_once: int | None = None

    def __init__(self, call: Arguments, forward_func: Callable[..., Any]) -> None:
        self.call = call
        self.forward_func = forward_func
        self.dims: tuple[Dims, ...] = call.dims * len(call.targets or (0,))
        self.alone = call.one_at_a_time

    @abstractmethod
    def __call__(self, shifts: Chunk) -> Tensors:
        """The attributions for `shifts`, (S, B, ...) each, or their sum, (1, B, ...) each."""


class SummedGradient(Step):
    """The sum of the gradients, from one backward pass through the shifts into the inputs."""

    def __call__(self, shifts: Chunk) -> Tensors:
        """The sum over `shifts`."""
        copies = Copies(self.call, shifts)
        with copies.explained(self.forward_func):
            gradients = copies.summed_gradient(self.forward_func)
        return tuple(gradient[None] for gradient in gradients)


class EachGradient(Step):
    """The gradient of every copy."""

    def __init__(self, call: Arguments, forward_func: Callable[..., Any], abs: bool) -> None:
        super().__init__(call, forward_func)
        self.abs = abs

    def __call__(self, shifts: Chunk) -> Tensors:
        """The gradients for `shifts`."""
        copies = Copies(self.call, shifts)
        leaves = tuple(c.detach().requires_grad_() for c in copies.inputs())
        with copies.explained(self.forward_func):
            gradients = copies.gradient(self.forward_func, leaves, leaves)
        if self.abs:
            gradients = tuple(g.abs() for g in gradients)
        return copies.back(gradients, self.dims)


class LayerGradient(Step):
    """The gradient of what a layer gives or takes; `dims` are known after the first chunk.

    Attributes:
        dtypes: The types of the gradients, known after the first chunk too.
    """

    def __init__(
        self,
        call: Arguments,
        forward_func: Callable[..., Any],
        layer: Module,
        layer_dim: Any,
        *,
        to_layer_input: bool,
        device_ids: list[int] | None,
        abs: bool,
    ) -> None:
        super().__init__(call, forward_func)
        self.layer, self.layer_dim = layer, layer_dim
        self.to_layer_input, self.device_ids = to_layer_input, device_ids
        self.abs = abs
        self.dtypes: tuple[torch.dtype, ...] = ()

    def __call__(self, shifts: Chunk) -> Tensors:
        """The gradients for `shifts`."""
        copies = Copies(self.call, shifts)
        with copies.explained(self.forward_func):
            gradients = _captum.layer_gradients(
                self.forward_func,
                self.layer,
                copies.inputs(),
                copies.target(),
                copies.args(),
                self.device_ids,
                self.to_layer_input,
            )
        self.dims = tuple(_layer_dims(copies, g, self.layer_dim) for g in gradients)
        self.dtypes = tuple(g.dtype for g in gradients)
        if self.abs:
            gradients = tuple(g.abs() for g in gradients)
        return copies.back(gradients, self.dims)

    def formatted(self, attributions: Tensors) -> Tensor | Tensors:
        """`attributions` in the layer's types; a tuple if the layer gives several tensors."""
        typed = tuple(a.to(dtype) for a, dtype in zip(attributions, self.dtypes))
        return _captum.format_output(len(typed) > 1, typed)


class Method(Step):
    """What another Captum attribution gives for every copy.

    Attributes:
        delta: The mean of the method's convergence deltas, where they were asked for.
    """

    def __init__(
        self,
        call: Arguments,
        method: Attribution,
        abs: bool | None,
        kwargs: dict[str, Any],
        flips: tuple[Dims, ...] | None = None,
    ) -> None:
        """Set up for one call.

        Args:
            call: The call's arguments.
            method: The attribution.
            abs: The argument of that name, if the method has it.
            kwargs: Further arguments of the method.
            flips: What makes inputs and arguments those of the other strand, to explain that.
        """
        super().__init__(call, method.forward_func)
        self.flips = flips
        self.method, self.name = method, method.get_name()
        self.delta = Mean(call.shifts) if kwargs.get("return_convergence_delta") else None
        self._check(abs)
        self.kwargs = dict(kwargs)
        if abs is not None and _captum.takes(method, "abs"):
            self.kwargs["abs"] = abs
        if "baselines" in kwargs:
            inputs = call.inputs if call.is_tuple else call.inputs[0]
            self.kwargs["baselines"] = _captum.draw_baselines(kwargs["baselines"], inputs)
        self.alone = self.alone or _mixes_rows(method, call, self.kwargs)
        self.expands = isinstance(method, GradientAttribution)

    def __call__(self, shifts: Chunk) -> Tensors:
        """The attributions for `shifts`."""
        copies = Copies(self.call, shifts)
        count = len(self.call.inputs)
        inputs = self._flipped(copies.inputs())
        inputs = tuple(c.detach().requires_grad_(c.is_floating_point()) for c in inputs)
        arguments = dict(self.kwargs)
        for key in _SHIFTED_KWARGS & arguments.keys():
            arguments[key] = self._shifted_kwarg(copies, arguments[key])
        if self.call.args:
            arguments["additional_forward_args"] = self._flipped(copies.args(), count)
        back: list[Tensor] = []
        deltas: Tensors = ()
        for target in self.call.targets or (copies.target(),):
            if target is not None:
                arguments["target"] = target
            with copies.explained(self.forward_func):
                given = inputs if self.call.is_tuple else inputs[0]
                result = self.method.attribute(given, **arguments)
            if self.delta is not None:
                result, delta = result
                deltas = (_deltas(copies, self.kwargs, delta),)
            attributions = result if isinstance(result, tuple) else (result,)
            self._check_shapes(copies, attributions, inputs)
            back += copies.back(self._flipped(attributions), self.call.dims)
        if self.delta is not None:  # last, so that a chunk that runs out of memory adds nothing
            self.delta.add(deltas)
        return tuple(back)

    def _flipped(self, values: tuple[Any, ...], first: int = 0) -> tuple[Any, ...]:
        """`values`, which are inputs or later arguments from `first` on, of the other strand."""
        if self.flips is None:
            return values
        return flipped(values, self.flips[first:])

    def _shifted_kwarg(self, copies: Copies, value: Any) -> Any:
        """`baselines` or `feature_mask`, which broadcast to the inputs, for these copies."""
        call = copies.call

        def shifted(i: int, entry: Any) -> Any:
            if not isinstance(entry, Tensor) or not entry.dim():
                return entry
            x = call.inputs[i]
            dims = _common(call.dims[i], entry, x)
            entry = torch.cat([call.shifts.shift(entry, dims, n) for n in copies.shifts])
            if self.flips is None:
                return entry
            return entry.flip([d for d in self.flips[i] if -d <= entry.dim()])

        if isinstance(value, tuple):
            return tuple(shifted(i, entry) for i, entry in enumerate(value))
        return shifted(0, value)

    def _check(self, abs: bool | None) -> None:
        if abs and not _captum.takes(self.method, "abs"):
            raise ValueError(
                f"abs: expected False, since {self.name} decides about the sign and has no such "
                "argument, got True"
            )
        if self.delta is not None and not self.method.has_convergence_delta():
            raise ValueError(
                f"return_convergence_delta: expected False, since {self.name} has no convergence "
                "delta, got True"
            )
        if self.delta is not None and self.call.targets is not None:
            raise ValueError(
                "return_convergence_delta: expected False with several targets, got True"
            )
        if self.delta is not None and self.call.shifts.edges == "flanks":
            raise ValueError(
                "return_convergence_delta: expected False with edges='flanks', where positions "
                "average different numbers of windows and no sum over them equals a difference of "
                "outputs, got True"
            )
        wraps = hasattr(self.method, "attribution_method")
        if isinstance(self.method, GradientAttribution) and not wraps:
            self.call.require_floating()

    def _check_shapes(self, copies: Copies, attributions: Tensors, inputs: Tensors) -> None:
        if [a.shape for a in attributions] != [x.shape for x in inputs]:
            shapes = [[copies.shape_of(x) for x in tensors] for tensors in (inputs, attributions)]
            raise ValueError(
                f"forward_func: expected an Attribution whose result is shaped like its input, "
                f"{shapes[0]}, so that it can be shifted back, got {shapes[1]} from {self.name}; "
                "to explain a layer use LayerShiftSmooth(model, layer)"
            )


def flipped(values: tuple[Any, ...], flips: tuple[Dims, ...]) -> tuple[Any, ...]:
    """`values`, each flipped along its dimensions."""
    return tuple(v.flip(dims) if dims else v for v, dims in zip(values, flips))


def on_other_strand(forward_func: Callable[..., Any], flips: tuple[Dims, ...], *values: Any) -> Any:
    """The model's output for the reverse complement of its inputs."""
    return forward_func(*flipped(values, flips))


def _common(dims: Dims, entry: Tensor, x: Tensor) -> Dims:
    """Those of `dims` of `x` that `entry`, which broadcasts to it, has too."""
    return tuple(d for d in dims if -d <= entry.dim() and entry.size(d) == x.size(d))


def _mixes_rows(method: Any, call: Arguments, kwargs: dict[str, Any]) -> bool:
    """Whether the rows of a batch are not independent, or a mask or baseline is shared by them."""
    if kwargs.get("feature_mask") is not None or kwargs.get("draw_baseline_from_distrib"):
        return True
    baselines = kwargs.get("baselines")
    for entry in baselines if isinstance(baselines, tuple) else (baselines,):
        if isinstance(entry, Tensor) and not call.repeats(entry):
            return True
    while method is not None:
        if isinstance(method, _MIX_ROWS):
            return True
        method = getattr(method, "attribution_method", None)
    return False


def delta_of(steps: list[Step]) -> Tensor:
    """The mean of the convergence deltas of steps that run methods."""
    deltas = [step.delta for step in steps if isinstance(step, Method) and step.delta is not None]
    return torch.stack([delta.result(((),))[0] for delta in deltas]).mean(0)


def _deltas(copies: Copies, kwargs: dict[str, Any], delta: Tensor) -> Tensor:
    """A method's deltas, averaged over what it drew for each row: (S, B).

    The mean over shifts of sum(A) - (f(end) - f(start)) is the delta against the mean of f.
    """
    rows = copies.rows
    draws = delta.numel() // rows
    samples = kwargs.get("nt_samples", 5)  # NoiseTunnel's own default
    per_batch = min(draws, draws * (kwargs.get("nt_samples_batch_size") or samples) // samples)
    sizes = [per_batch] * (draws // per_batch) + [draws % per_batch]
    parts = delta.detach().split([rows * size for size in sizes])
    mean = sum(part.reshape(rows, -1).sum(1) for part in parts if part.numel()) / draws
    return mean.reshape(len(copies.shifts), -1)


def _layer_dims(copies: Copies, gradient: Tensor, layer_dim: Any) -> Dims:
    """The dimensions of a layer's `gradient` along which it is shifted back, from the end."""
    call = copies.call
    shape = copies.shape_of(gradient)
    errors = []
    for x, dims in zip(call.inputs, call.dims):
        if not dims:
            continue
        try:
            return _found_dims(shape, layer_dim, call.batch, call.shifts.shift(x, dims, 0), dims)
        except ValueError as error:  # the layer may belong to another input
            errors.append(error)
    if errors:
        raise errors[0]
    return ()


def _found_dims(
    shape: tuple[int, ...], layer_dim: Any, batch: int, window: Tensor, dims: Dims
) -> Dims:
    if layer_dim is None:
        name = "layer (or name its sequence dimension with layer_dim, or take one before pooling)"
        return sequence_dims(name, shape, batch, window, dims)
    places = layer_dim if isinstance(layer_dim, tuple) else (layer_dim,)
    lengths = [window.size(dim) for dim in dims]
    sizes = [shape[p] if -len(shape) <= p < len(shape) else None for p in places]
    if sizes != lengths:
        raise ValueError(
            f"layer_dim: expected the dimension of the sequence's length {lengths} in the layer's "
            f"{shape}, got {layer_dim}"
        )
    return tuple(p % len(shape) - len(shape) for p in places)
