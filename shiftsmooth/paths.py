"""Attributions that are linear in gradients along a path of inputs.

Over shifts they are attributions of F, the mean of the model over shifts: Integrated Gradients with
a baseline that no shift changes need the gradient of F at `n_steps` points, not that of f at each
of these points in each window.
"""

import copy
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from captum.attr import Attribution, InputXGradient, IntegratedGradients, Saliency
from torch import Tensor

from . import _captum
from .arguments import Arguments, Tensors

# How many numbers of inputs a CPU takes at once: with more, shifts that share work would not fit
# into memory together.
_NUMBERS = 1 << 16
_OPTIONS = {"baselines", "n_steps", "method", "internal_batch_size", "return_convergence_delta"}


def is_path(method: Attribution, call: Arguments, abs: bool | None, kwargs: dict[str, Any]) -> bool:
    """Whether the mean of `method` over shifts is the same method of F."""
    if not _captum.plain_gradient(method) or kwargs.keys() - _OPTIONS or call.one_at_a_time:
        return False
    if kwargs.get("return_convergence_delta") and (
        call.targets or call.shifts.edges == "flanks" or not method.has_convergence_delta()
    ):
        return False
    if type(method) is Saliency:
        return abs is False
    if abs:
        return False
    if type(method) is InputXGradient:
        return True
    return type(method) is IntegratedGradients and _constant(kwargs.get("baselines"), call)


def attribute_path(
    method: Attribution,
    call: Arguments,
    gradient: Callable[[Arguments], Tensors],
    abs: bool | None,
    kwargs: dict[str, Any],
) -> Tensors:
    """The result of `method`, with `gradient`, that of F, in the place of the gradient of f."""

    def gradient_func(
        forward_fn: Any, inputs: Any, target_ind: Any = None, additional_forward_args: Any = None
    ) -> Tensors:
        args = _captum.format_args(additional_forward_args)
        at = replace(call, inputs=tuple(inputs), target=target_ind, args=args)
        rows = _rows(call)
        if rows >= at.batch or not _fits(target_ind, at.batch):
            return gradient(at)
        starts = range(0, at.batch, rows)
        parts = [gradient(at.examples(list(range(at.batch)[i : i + rows]))) for i in starts]
        return tuple(torch.cat(part) for part in zip(*parts))

    method = copy.copy(method)
    method.gradient_func = gradient_func
    options = {key: value for key, value in kwargs.items() if key != "return_convergence_delta"}
    if type(method) is Saliency:
        options["abs"] = abs
    leaves = tuple(x.detach().requires_grad_() for x in call.inputs)
    return method.attribute(
        leaves, target=call.target, additional_forward_args=call.args or None, **options
    )


def _fits(target: Any, batch: int) -> bool:
    """Whether a target is for all examples, or has one each; Captum refuses others."""
    several = isinstance(target, list) or (isinstance(target, Tensor) and target.numel() > 1)
    return not several or len(target) == batch


def _rows(call: Arguments) -> int:
    """How many points of a path to take at once: on a CPU what fits the caches, elsewhere all."""
    if call.inputs[0].device.type != "cpu":
        return sys.maxsize
    size = sum(x.numel() for x in call.inputs)
    return call.batch * max(1, _NUMBERS // size)


def _constant(baselines: Any, call: Arguments) -> bool:
    """Whether no shift changes the baselines: numbers, and tensors that are alike everywhere."""
    entries = baselines if isinstance(baselines, tuple) else (baselines,)
    for entry, x, dims in zip(entries, call.inputs, call.dims):
        if not isinstance(entry, Tensor):  # no number either: Captum says so
            continue
        if entry.dim() != x.dim() or (call.shifts.edges == "flanks" and dims):
            return False
        if any(not bool((entry == entry.narrow(d, 0, 1)).all()) for d in dims):
            return False
    return True
