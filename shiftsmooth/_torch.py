"""Torch's private attributes under names of our own: only this file is to mend when they move."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.nn import Module
from torch.nn.modules import module as _module
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm
from torch.utils.module_tracker import ModuleTracker

__all__ = [
    "compiled",
    "global_hooks",
    "hooks",
    "name_of",
    "plainly",
    "transforms_active",
    "undisturbed",
    "unseen",
]

_FORWARD = ("_forward_hooks", "_forward_pre_hooks")
_BACKWARD = ("_backward_hooks", "_backward_pre_hooks")
# Hooks that only make a parameter before the module runs.
_HARMLESS = (WeightNorm, SpectralNorm)

# Within it, functions see a tensor subclass as the tensor it wraps.
plainly = torch._C.DisableTorchFunctionSubclass
# Within it, nothing sees functions of ordinary tensors.
unseen = torch._C.DisableTorchFunction


def hooks(module: Module) -> Iterator[str]:
    """The kinds of hooks that `module` has."""
    for names, kind in ((_FORWARD, "forward hook"), (_BACKWARD, "backward hook")):
        if any(
            not isinstance(hook, _HARMLESS)
            for name in names
            for hook in module.__dict__.get(name, {}).values()
        ):
            yield kind


_EVERYWHERE = tuple(
    vars(_module)[name]
    for name in (
        "_global_backward_pre_hooks",
        "_global_backward_hooks",
        "_global_forward_pre_hooks",
        "_global_forward_hooks",
    )
)


def _tracks(hook: Any) -> bool:
    """Whether `hook` belongs to torch's counter of operations, which only names modules."""
    return isinstance(getattr(hook, "__self__", None), ModuleTracker)


def global_hooks() -> bool:
    """Whether there are hooks for all modules."""
    return any(not _tracks(hook) for hooks in _EVERYWHERE for hook in hooks.values())


@contextmanager
def undisturbed() -> Iterator[None]:
    """A context in which models run as Python wrote them.

    Compiled functions run uncompiled, and torch's counter of operations does not name modules,
    which it does by hooks: what it counts belongs to no module.
    """
    removed = [(hooks, dict(hooks)) for hooks in _EVERYWHERE if hooks]
    for hooks, entries in removed:
        for key in [key for key, hook in entries.items() if _tracks(hook)]:
            del hooks[key]
    compiles = "torch._dynamo" in sys.modules
    try:
        with torch.compiler.set_stance("force_eager") if compiles else nullcontext():
            yield
    finally:
        for hooks, entries in removed:
            hooks.clear()
            hooks.update(entries)


def compiled(function: Any) -> bool:
    """Whether `function`, a module or another callable, was given to `torch.compile`."""
    if isinstance(function, Module):
        known = getattr(function, "_compiled_call_impl", None) is not None
        return known or "_orig_mod" in function._modules or compiled(function.forward)
    return hasattr(function, "_torchdynamo_orig_callable")


def transforms_active() -> bool:
    """Whether the caller is inside `torch.func.vmap`, `grad` or another transform."""
    return torch._C._are_functorch_transforms_active()


def name_of(function: Callable[..., Any]) -> str:
    """What a user calls a torch function, or the property whose getter it is."""
    name = getattr(function, "__name__", type(function).__name__)
    return function.__self__.__name__ if name in ("__get__", "__set__") else name  # type: ignore
