"""What is known before a model runs: why a call, or a model, cannot share."""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch.nn import Module

from .. import _torch
from ..arguments import Arguments


def of_call(call: Arguments) -> str | None:
    """Why the shifts of this call cannot share, or None."""
    if call.shifts.region is not None:
        return "`region` rolls a part of the sequence, and what is shifted is only that part"
    if call.one_at_a_time:
        return "an argument in `roll_args` has no batch dimension"
    if len(call.shifts.values) == 1:
        return "there is only one shift"
    if call.shifts_per_eval == 1:
        return "`shifts_per_eval=1` runs one shift at a time"
    if not any(call.dims) or any(len(dims) > 1 for dims in call.dims):
        return "`dim` must name one dimension of an input"
    if any(x.is_complex() for x in call.inputs):
        return "inputs are complex"
    return None


def of_model(modules: dict[Module, str], forward_func: Callable[..., Any]) -> str | None:
    """Why this model cannot share, as far as its modules tell, or None."""
    if _torch.transforms_active():
        return "a transform of torch.func is active"
    if _torch.global_hooks():
        return "hooks for all modules are registered, which must see ordinary tensors"
    if _torch.compiled(forward_func):
        return "the model was compiled; give the model itself, and it is shared where that pays"
    for module, name in modules.items():
        where = f"module '{name}'" if name else "the model"
        if isinstance(module, torch.jit.ScriptModule):
            return f"{where} is scripted or traced"
        if _torch.compiled(module):
            return f"{where} was compiled; give the model itself, and it is shared where that pays"
        for kind in _torch.hooks(module):
            return f"{where} has a {kind}, which must see ordinary tensors"
    return None


def trained_norm(modules: dict[Module, str]) -> str | None:
    """The name of a module that normalises by the batch it is given, or None."""
    kinds = (torch.nn.modules.batchnorm._BatchNorm,)
    return next((n for m, n in modules.items() if isinstance(m, kinds) and m.training), None)


def modules_of(forward_func: Any) -> dict[Module, str]:
    """The modules that a model, or a function that runs models, is made of, and their names."""
    found: dict[Module, str] = {}
    for root in _roots(forward_func, 4):
        for name, module in root.named_modules():
            found.setdefault(module, name)
    return found


def _roots(value: Any, depth: int) -> Iterator[Module]:
    if isinstance(value, Module):
        yield value
        return
    if not depth:
        return
    inside: list[Any] = []
    if isinstance(value, partial):
        inside = [value.func, *value.args, *value.keywords.values()]
    elif inspect.ismethod(value):
        inside = [value.__self__, value.__func__]
    elif inspect.isfunction(value):
        inside = [cell.cell_contents for cell in value.__closure__ or () if _filled(cell)]
        inside += [value.__globals__.get(name) for name in value.__code__.co_names]
        inside += [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        inside = [entry for entry in inside if not inspect.ismodule(entry)]
    elif isinstance(value, list | tuple):
        inside = list(value)
    elif isinstance(value, dict):
        inside = list(value.values())
    elif callable(value) and not inspect.isclass(value) and not inspect.isbuiltin(value):
        inside = list(getattr(value, "__dict__", {}).values())
    for entry in inside:
        yield from _roots(entry, depth - 1)


def _filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a name that is bound later
        return False
