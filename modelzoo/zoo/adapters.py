"""Any model, as a model of the zoo: (B, 4, L) in, (B, tasks) out, and a name for every task.

A model comes from the catalog, a folder, the Hub, a Python module or a Python file. What packages
of the field return (profiles, counts, tracks of bins) becomes scalars here, because a prediction is
a row of a table and an attribution explains one number.
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from modelzoo.zoo.hub import WeightsError, load

LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "(B,4,L)": lambda x: x,
    "(B,L,4)": lambda x: x.transpose(1, 2),
    "(B,1,4,L)": lambda x: x.unsqueeze(1),
}
COUNTS_AND_PROFILE: tuple[str, ...] = ("counts", "profile")

_CALLABLE = re.compile(r"(?P<source>.+?):(?P<name>[A-Za-z_][\w.]*)")

Call = Callable[[Any, Tensor], Any]  # a module and (B, 4, L) one-hot -> what the module returns
_CALLS: dict[str, Call] = {}  # by the package that the module's class comes from


def _package(name: str) -> Callable[[Call], Call]:
    """Register how modules of a package are called."""

    def register(call: Call) -> Call:
        _CALLS[name] = call
        return call

    return register


@_package("bpnetlite")
def _bpnet(module: Any, x: Tensor) -> Any:
    """A model with control tracks gets tracks of zeros, as in bpnet-lite's own ControlWrapper."""
    if not module.n_control_tracks:
        return module(x)
    return module(x, x.new_zeros(len(x), module.n_control_tracks, x.shape[-1]))


@_package("enformer_pytorch")
def _enformer(module: Any, x: Tensor) -> Tensor:
    """The human head, as (B, tracks, bins)."""
    return module(x.transpose(1, 2), head="human").transpose(1, 2)


@_package("keras")
def _keras(module: Any, x: Tensor) -> Any:
    """Keras takes (B, L, 4), and is told at every call that it does not train."""
    return module(x.transpose(1, 2), training=False)


class Wrapped(nn.Module):
    """A module that takes (B, 4, L) and returns (B, tasks); made by `wrap`.

    Attributes:
        module: The module inside.
    """

    def __init__(
        self,
        module: nn.Module,
        call: Call,
        tasks: tuple[str, ...] | None,
        tracks: tuple[int, int] | None,
        bins: tuple[int, int] | None,
    ) -> None:
        super().__init__()
        self.module = module
        self._call, self._tasks, self._tracks, self._bins = call, tasks, tracks, bins

    @property
    def has_names(self) -> bool:
        """Whether the columns have names yet."""
        return self._tasks is not None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the columns; where nobody gave names, the first call makes them."""
        if self._tasks is None:
            raise ValueError("tasks: expected names, or one call before they are asked for")
        return self._tasks

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, tasks)."""
        output = self._call(self.module, x)
        if isinstance(output, tuple | list) and len(output) == 2:
            scalars, names = _counts_and_profile(*output), COUNTS_AND_PROFILE
        else:
            scalars, names = self._scalars(output)
        if self._tasks is None:
            self._tasks = names
        elif len(self._tasks) != scalars.shape[1]:
            raise ValueError(
                f"tasks: expected {scalars.shape[1]} names, one per output, got {self._tasks}"
            )
        return scalars

    def _scalars(self, output: Any) -> tuple[Tensor, tuple[str, ...]]:
        """Return (B, tasks) and names of (B,), (B, tracks) or (B, tracks, bins)."""
        if not isinstance(output, Tensor) or not 1 <= output.ndim <= 3:
            got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                "module: expected it to return (B,), (B, tracks), (B, tracks, bins) or a pair of"
                f" profile and counts, got {got}; a function that returns one of these will do"
            )
        if output.ndim == 3:
            output = output[..., _slice(self._bins, output.shape[2], "bins")].mean(2)
        elif self._bins is not None:
            raise ValueError(f"bins: expected (B, tracks, bins), got {tuple(output.shape)}")
        if output.ndim == 1:
            output = output[:, None]
        if self._tracks is None:
            width = output.shape[1]
            return output, tuple(map(str, range(width))) if width > 1 else ("output",)
        chosen = _slice(self._tracks, output.shape[1], "track")
        return output[:, chosen].mean(1, keepdim=True), (_name(self._tracks),)


def wrap(
    module: nn.Module,
    *,
    tasks: Sequence[str] | None = None,
    input: str | None = None,
    track: int | str | None = None,
    bins: str | None = None,
    length: int | None = None,
) -> nn.Module:
    """Return a module as a model of the zoo, ready for `predict`, `attribute` and the rest.

    A pair (profile, counts), as BPNet and ChromBPNet return it, becomes two tasks: `counts`, and
    `profile`, the sum of the centred profile logits weighted by their softmax. (B, tracks, bins)
    becomes the mean over bins, one task per track. The module itself is not changed.

    Args:
        module: In eval mode. One that has `tasks` already is returned as it is.
        tasks: Names of the outputs; `module.tasks`, the names that gReLU keeps, or numbers, by
            default.
        input: The layout that the module takes: `"(B,4,L)"`, `"(B,L,4)"` or `"(B,1,4,L)"`; by
            default the one of the module's package, and else the first.
        track: The track to explain, from 0, or `"first:last+1"` for the mean over several.
        bins: `"first:last+1"` of the bins to average over; all by default.
        length: Of the sequences to come; with it the module is tried, and its tasks are named,
            at once.

    Raises:
        ValueError: An argument does not fit, or the module is in training mode.

    Example:
        >>> import modelzoo, torch
        >>> from torch import nn
        >>> module = nn.Sequential(nn.Flatten(), nn.Linear(4 * 20, 3)).eval()
        >>> model = modelzoo.wrap(module, length=20)
        >>> model.tasks, model(torch.zeros(2, 4, 20)).shape
        (('0', '1', '2'), torch.Size([2, 3]))
    """
    if module.training:
        raise ValueError("module: expected eval mode, got training mode; call module.eval() first")
    if input is not None and input.replace(" ", "") not in LAYOUTS:
        raise ValueError(f"input: expected one of {', '.join(LAYOUTS)}, got {input!r}")
    bare = (tasks, input, track, bins) == (None, None, None, None)
    if bare and (isinstance(module, Wrapped) or hasattr(module, "tasks")):
        return module
    if tasks is None and track is None:
        tasks = getattr(module, "tasks", None) or _names_of_grelu(module)
    wrapped = Wrapped(
        module,
        _layout_call(input) if input else _package_call(module),
        None if tasks is None else tuple(tasks),
        _span(track, "track"),
        _span(bins, "bins"),
    ).eval()
    if length is not None:
        _try(wrapped, length)
    return wrapped


def named(model: nn.Module, length: int) -> nn.Module:
    """Return the model after one call, which names its tasks if they have no names yet.

    Args:
        model: A model of the zoo, or one that `wrap` made.
        length: Of the sequences to come.
    """
    if isinstance(model, Wrapped) and not model.has_names:
        _try(model, length)
    return model


def _try(model: nn.Module, length: int) -> None:
    like = next(model.parameters(), torch.zeros(0))
    with torch.no_grad():
        model(torch.full((1, 4, length), 0.25, device=like.device))


def task_index(tasks: Sequence[str], task: str | int | None) -> int:
    """Return the column of a task that is given by its name or its number; None is the first.

    Example:
        >>> from modelzoo.zoo.adapters import task_index
        >>> task_index(["liver", "lung"], "lung"), task_index(["liver", "lung"], 1)
        (1, 1)
    """
    if task is None:
        return 0
    if task in tasks:
        return list(tasks).index(str(task))
    if str(task).isdecimal() and int(task) < len(tasks):
        return int(task)
    known = f"one of {', '.join(tasks)}" if len(tasks) < 20 else f"a number below {len(tasks)}"
    raise ValueError(f"task: expected {known}, got {task!r}")


def load_any(
    name: str | Path,
    *,
    weights: str | Path | None = None,
    input: str | None = None,
    track: int | str | None = None,
    bins: str | None = None,
    length: int | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Return any model that has a name, in eval mode; what the commands' `--model` takes.

    Args:
        name: What `modelzoo.load` takes, or what `build` takes.
        weights: See `build`; only for the models that it makes.
        input: See `wrap`, as for `track`, `bins` and `length`.
        track: The track to explain.
        bins: The bins to average over.
        length: Of the sequences to come.
        device: Where the model is put.
    """
    if _CALLABLE.fullmatch(str(name)):
        model = build(str(name), weights=weights)
    elif weights is None:
        model = load(name)
    else:
        raise ValueError(f"weights: expected a model of module:callable, got {str(name)!r}")
    return wrap(model.to(device), input=input, track=track, bins=bins, length=length)


def build(spec: str, *, weights: str | Path | None = None) -> nn.Module:
    """Return the module that a callable without arguments makes, in eval mode.

    This imports the module or runs the file, as Python's own `import` does.

    Args:
        spec: `"module:callable"` or `"path/to/file.py:callable"`; an `nn.Module` instance in the
            place of the callable is taken as it is.
        weights: A `.safetensors` file, or a state dict that `torch.load` reads with
            `weights_only=True`.

    Raises:
        ValueError: There is no such callable, or what it gives is no module.
        WeightsError: The weights do not fit the module, or would need code to be unpickled.
    """
    match = _CALLABLE.fullmatch(spec)
    if match is None:
        raise ValueError(f"model: expected module:callable or file.py:callable, got {spec!r}")
    made: Any = _import(match["source"])
    for attribute in match["name"].split("."):
        if not hasattr(made, attribute):
            raise ValueError(f"model: expected a callable, got {spec!r}: no {attribute!r} in it")
        made = getattr(made, attribute)
    if not isinstance(made, nn.Module):
        made = made() if callable(made) else made
    if not isinstance(made, nn.Module):
        raise ValueError(f"model: expected {spec!r} to give an nn.Module, got {type(made)}")
    if weights is not None:
        _load_weights(made, Path(weights), spec)
    return made.eval()


def _import(source: str) -> ModuleType:
    if not source.endswith(".py"):
        with _searched(Path.cwd()):
            try:
                return importlib.import_module(source)
            except ModuleNotFoundError as error:
                raise ValueError(f"model: expected a module, got {source!r}: {error}") from error
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"model: expected a Python file, got {source!r}: no such file")
    # a name of its own, so that a file may be called as an installed package is
    name = f"_model_in_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # for a file that is there
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    with _searched(path.parent.resolve()):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Let imports look in a folder too."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _load_weights(module: nn.Module, path: Path, spec: str) -> None:
    if not path.is_file():
        raise WeightsError(f"weights: expected a file, got {str(path)!r}")
    tensors: Any
    try:
        if path.suffix == ".safetensors":
            tensors = safetensors.torch.load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise WeightsError(f"weights: expected safetensors, got {path}: {error}") from error
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        raise WeightsError(
            f"weights: expected tensors alone, got {path}, which only code could unpickle, or"
            f" which is damaged. If you trust the file, convert it: {_conversion(path)}"
        ) from error
    if isinstance(tensors, dict) and isinstance(tensors.get("state_dict"), dict):
        tensors = tensors["state_dict"]  # as Lightning and many scripts save it
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise WeightsError(f"weights: expected a state dict, got {type(tensors)} in {path}")
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise WeightsError(
                f"weights: expected finite numbers, got others in {name!r} of {path}"
            )
    try:
        module.load_state_dict(tensors)
    except RuntimeError as error:
        cause = " ".join(str(error).split())
        raise WeightsError(
            f"weights: expected the module's tensors, got {path}: {cause}"
        ) from error


def _conversion(path: Path) -> str:
    """Return the one line that makes a state dict of a pickled model or checkpoint."""
    code = (
        f"import torch; m = torch.load({str(path)!r}, 'cpu', weights_only=False);"
        " m = m.state_dict() if hasattr(m, 'state_dict') else m.get('state_dict', m);"
        f" torch.save(m, {str(path.with_suffix('.state.pt'))!r})"
    )
    return f"python -c {shlex.quote(code)}"


def _layout_call(layout: str) -> Call:
    return partial(_arranged, layout.replace(" ", ""))  # not a closure: workers get it pickled


def _arranged(layout: str, module: Any, x: Tensor) -> Any:
    return module(LAYOUTS[layout](x))


def _package_call(module: nn.Module) -> Call:
    packages = [base.__module__.partition(".")[0] for base in type(module).__mro__]
    plain = _layout_call("(B,4,L)")
    return next((_CALLS[package] for package in packages if package in _CALLS), plain)


def _names_of_grelu(module: nn.Module) -> list[str] | None:
    """Return the tasks that gReLU's models keep with the data they were trained on."""
    parameters = getattr(module, "data_params", None)
    tasks = parameters.get("tasks") if isinstance(parameters, dict) else None
    return list(map(str, tasks["name"])) if isinstance(tasks, dict) and "name" in tasks else None


def _counts_and_profile(profile: Tensor, counts: Tensor) -> Tensor:
    """Return (B, 2): log counts, and the profile as in bpnet-lite's ProfileWrapper."""
    logits = profile.flatten(1)
    logits = logits - logits.mean(1, keepdim=True)
    return torch.cat([counts.flatten(1), (logits * logits.softmax(1)).sum(1, keepdim=True)], 1)


def _span(value: int | str | None, argument: str) -> tuple[int, int] | None:
    """Return first and last + 1 of `"440:456"` or of a single number."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d+)(?::(\d+))?", str(value), re.ASCII)
    if match is None:
        raise ValueError(f"{argument}: expected a number or first:last+1, got {value!r}")
    first = int(match[1])
    last = first + 1 if match[2] is None else int(match[2])
    if first >= last:
        raise ValueError(f"{argument}: expected first < last+1, got {value!r}")
    return first, last


def _slice(span: tuple[int, int] | None, size: int, argument: str) -> slice:
    if span is not None and span[1] > size:
        raise ValueError(f"{argument}: expected 0 to {size} at most, got {span[0]}:{span[1]}")
    return slice(None) if span is None else slice(*span)


def _name(span: tuple[int, int]) -> str:
    first, last = span
    return f"track_{first}" if last == first + 1 else f"track_{first}-{last - 1}"
