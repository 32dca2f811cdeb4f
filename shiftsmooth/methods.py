"""Smoothing another Captum attribution: its arguments for the copies, its results shifted back."""

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

from . import _captum
from .call import Offsets, ShiftedCall, Tensors

# These draw from the rows of their baselines, or of the batch, so shifts must not share a batch.
_MIX_ROWS = (DeepLiftShap, GradientShap, FeaturePermutation)
_SHIFTED_KWARGS = {"baselines", "feature_mask"}


def method_step(
    method: Attribution, call: ShiftedCall, abs: bool, kwargs: dict[str, Any]
) -> Callable[[Offsets], Tensors]:
    """For a chunk of offsets, what `method` gives, shifted back and summed, and its deltas."""
    name = method.get_name()
    with_delta = bool(kwargs.get("return_convergence_delta"))
    if abs:
        raise ValueError(f"abs=True needs ShiftSmooth(model); here {name} decides about the sign")
    if with_delta and not method.has_convergence_delta():
        raise ValueError(f"return_convergence_delta=True: {name} has no convergence delta")
    if with_delta and call.shifts.edges == "flanks":
        raise ValueError(
            "return_convergence_delta needs edges='circular': with 'flanks' positions average "
            "different numbers of windows, and no sum over them equals a difference of outputs"
        )
    if isinstance(method, GradientAttribution) and not hasattr(method, "attribution_method"):
        call.require_floating()
    kwargs = dict(kwargs)
    if "baselines" in kwargs:
        inputs = call.inputs if call.is_tuple else call.inputs[0]
        kwargs["baselines"] = _captum.draw_baselines(kwargs["baselines"], inputs)

    def step(offsets: Offsets) -> Tensors:
        copies = tuple(
            c.detach().requires_grad_(c.is_floating_point())
            for c in call.copies(call.inputs, offsets)
        )
        arguments = dict(kwargs)
        for key in _SHIFTED_KWARGS & kwargs.keys():
            arguments[key] = _shifted_kwarg(call, kwargs[key], offsets)
        if call.target is not None:
            arguments["target"] = call.copied_target(offsets)
        if call.args:
            arguments["additional_forward_args"] = call.copied_args(offsets)
        with call.explained(offsets):
            result = method.attribute(copies if call.is_tuple else copies[0], **arguments)
        result, delta = result if with_delta else (result, None)
        attributions = result if isinstance(result, tuple) else (result,)
        shapes = [tuple(a.shape) for a in attributions]
        if shapes != [tuple(c.shape) for c in copies]:
            raise ValueError(
                f"{name} gave attributions of shape {shapes} for inputs of shape "
                f"{[tuple(c.shape) for c in copies]}; ShiftSmooth can shift back only what is "
                "shaped like its input. For what a layer sees use LayerShiftSmooth(model, layer)"
            )
        sums = call.sums(attributions, call.dims, offsets)
        return sums if delta is None else (*sums, _delta_sum(call, kwargs, delta, offsets))

    return step


def _shifted_kwarg(call: ShiftedCall, value: Any, offsets: Offsets) -> Any:
    """`baselines` or `feature_mask`, whose tensors broadcast to the inputs, for a chunk."""

    def shifted(i: int, entry: Any) -> Any:
        if not isinstance(entry, Tensor) or not entry.dim():
            return entry
        x = call.inputs[i]
        dims = tuple(d for d in call.dims[i] if -d <= entry.dim() and entry.size(d) == x.size(d))
        return torch.cat([call.shifts.shift(entry, dims, n) for n in offsets])

    if isinstance(value, tuple):
        return tuple(shifted(i, entry) for i, entry in enumerate(value))
    return shifted(0, value)


def needs_one_at_a_time(method: Any, call: ShiftedCall, kwargs: dict[str, Any]) -> bool:
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


def _delta_sum(
    call: ShiftedCall, kwargs: dict[str, Any], delta: Tensor, offsets: Offsets
) -> Tensor:
    """A method's deltas for a chunk, averaged over what it drew for each row, summed over shifts.

    The mean over shifts of sum(A) - (f(end) - f(start)) is the delta against the mean of f.
    """
    rows = len(offsets) * call.batch
    draws = delta.numel() // rows
    samples = kwargs.get("nt_samples", 5)  # NoiseTunnel's own default
    per_batch = min(draws, draws * (kwargs.get("nt_samples_batch_size") or samples) // samples)
    sizes = [per_batch] * (draws // per_batch) + [draws % per_batch]
    parts = delta.detach().split([rows * size for size in sizes])
    mean = sum(part.reshape(rows, -1).sum(1) for part in parts if part.numel()) / draws
    return mean.reshape(len(offsets), call.batch).sum(0)
