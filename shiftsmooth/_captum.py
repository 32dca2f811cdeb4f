"""Captum's private helpers under names of our own: the only file to mend when Captum moves them."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from captum._utils.common import (
    _expand_target,
    _format_additional_forward_args,
    _format_output,
    _run_forward,
    _select_targets,
)
from captum._utils.gradient import compute_layer_gradients_and_eval
from captum._utils.progress import NullProgress, progress
from captum.attr import Attribution
from captum.attr._utils.common import _format_callable_baseline
from torch import Tensor
from torch.nn import Module

__all__ = [
    "draw_baselines",
    "expand_target",
    "format_args",
    "format_output",
    "layer_gradients",
    "progress_bar",
    "run_forward",
    "select",
    "takes",
]


def format_args(additional_forward_args: object) -> tuple[Any, ...]:
    """`additional_forward_args` as a tuple, empty for None."""
    return _format_additional_forward_args(additional_forward_args) or ()


def format_output(is_tuple: bool, outputs: tuple[Tensor, ...]) -> Tensor | tuple[Tensor, ...]:
    """One tensor when one tensor came in, a tuple when a tuple did."""
    return _format_output(is_tuple, outputs)


def expand_target(target: Any, copies: int) -> Any:
    """`target` for `copies` copies of the batch, one behind the other."""
    return _expand_target(target, copies)


def run_forward(forward_func: Callable[..., Any], inputs: Any, args: tuple) -> Any:
    """What the model returns."""
    return _run_forward(forward_func, inputs, None, args or None)


def select(output: Tensor, target: Any) -> Tensor:
    """`output` at `target`, one index or tuple of indices per row or for all."""
    return _select_targets(output, target)


def layer_gradients(
    forward_func: Callable[..., Any],
    layer: Module,
    inputs: tuple[Tensor, ...],
    target: Any,
    args: tuple,
    device_ids: list[int] | None,
    to_layer_input: bool,
) -> tuple[Tensor, ...]:
    """Gradients of the output at `target` with respect to what `layer` gives (or takes)."""
    gradients, _ = compute_layer_gradients_and_eval(
        forward_func,
        layer,
        inputs,
        target,
        args or None,
        device_ids=device_ids,
        attribute_to_layer_input=to_layer_input,
    )
    return gradients


def takes(method: Attribution, name: str) -> bool:
    """Whether `method.attribute`, or that of a method inside it, has an argument `name`."""
    while method is not None:
        if name in signature(method.attribute).parameters:
            return True
        method = getattr(method, "attribution_method", None)
    return False


def draw_baselines(baselines: Any, inputs: Tensor | tuple[Tensor, ...]) -> Any:
    """`baselines` with a callable one, as DeepLiftShap and GradientShap take it, called."""
    return _format_callable_baseline(baselines, inputs) if callable(baselines) else baselines


def progress_bar(description: str, total: int, show: bool) -> Any:
    """The bar that Captum's own methods show, or one that shows nothing."""
    return progress(desc=description, total=total) if show else NullProgress()
