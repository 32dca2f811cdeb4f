"""Where does a model learn where its window begins? Every function it calls is tried alone.

What a function sees in the model is moved, and its output should move along, or stay if it pools
over the whole sequence. A circular roll tells whether it does; where the ends differ, two windows
that overlap tell whether a stride, the function's own padding, or its positions are the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

LONGEST_STRIDE = 32  # of one function
TOLERANCE = 1e-3  # of the output's spread; rounding in float32 is a thousandth of this


@dataclass(frozen=True)
class Break:
    """A function that breaks shift equivariance.

    Attributes:
        module: The qualified name of the module that calls it; "" is the model itself.
        kind: The module's class.
        function: What it calls, such as `conv1d`.
        how: "stride": only every `stride`-th shift moves its output along. "padding": the output
            moves along except at its ends. "flatten": what follows has weights of its own for each
            position. "positions": it treats positions differently, as embeddings of positions,
            recurrent layers and attention over the whole sequence do.
        stride: How many positions of its input make one of its output.
    """

    module: str
    kind: str
    function: str
    how: str
    stride: int = 1

    def __str__(self) -> str:
        """Say it in a line."""
        place = f"{self.module} ({self.kind})" if self.module else f"the model's own {self.kind}"
        steps = f"steps by {self.stride}"
        how = {
            "stride": steps,
            "padding": "pads its ends" + (f" and {steps}" if self.stride > 1 else ""),
            "flatten": "leads to weights for each position",
            "positions": "treats positions differently",
        }
        return f"{place}: {self.function} {how[self.how]}"


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        breaks: The functions that break equivariance, in the order in which the model calls them.
        total_stride: How many positions of the input make one position of the coarsest map.
    """

    breaks: tuple[Break, ...]
    total_stride: int

    @property
    def first(self) -> Break | None:
        """The first break that is felt at every position, not at the ends alone."""
        return next((b for b in self.breaks if b.how != "padding" or b.stride > 1), None)


@torch.no_grad()
def audit(
    model: Callable[..., Any], inputs: Tensor, args: Sequence[Any] = (), dim: int = -1
) -> Audit:
    """Find what in a model depends on where its window begins.

    Args:
        model: In eval mode.
        inputs: A few examples, (B, ..., L).
        args: Further arguments of the model.
        dim: The sequence dimension of `inputs`.

    Example:
        >>> import torch
        >>> from shiftsmooth.audit import audit
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(4, 2, 3), torch.nn.MaxPool1d(4))
        >>> print(audit(model, torch.rand(2, 4, 50)).first)
        1 (MaxPool1d): max_pool1d steps by 4
    """
    watch = _Watch(inputs, dim)
    with _modules(model, watch), watch:
        model(inputs, *args)
    return Audit(tuple(watch.breaks), max(watch.steps.values()))


class _Watch(TorchFunctionMode):
    """Tries every function that sees the sequence, and follows the sequence through the model."""

    def __init__(self, inputs: Tensor, dim: int) -> None:
        super().__init__()
        self.alive = [inputs]  # keeps ids unique
        self.dims = {id(inputs): dim % inputs.dim()}
        self.steps = {id(inputs): 1}
        self.breaks: list[Break] = []
        self.stack: list[tuple[str, Module]] = []

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        """Call the function, and try it where it sees the sequence."""
        leaves, spec = tree_flatten((args, kwargs or {}))
        places = [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and id(x) in self.dims]
        kept = {i: (leaves[i].detach().clone(), self.dims[id(leaves[i])]) for i in places}
        steps = max((self.steps[id(leaves[i])] for i in places), default=1)
        result = func(*args, **(kwargs or {}))
        output = _first_tensor(result)
        if not places or output is None or not output.dim():
            return result

        def run(change: Callable[[Tensor, int], Tensor]) -> Tensor:
            for i, (x, dim) in kept.items():
                leaves[i] = change(x, dim)
            given, named = tree_unflatten(leaves, spec)
            found = _first_tensor(func(*given, **named))
            assert found is not None
            return found

        lengths = {x.size(dim) for x, dim in kept.values()}
        # the change may write in place, so the output is made anew from what was kept
        how, stride, where = _tried(run, min(lengths))
        if where is not None:
            self.alive.append(output)
            self.dims[id(output)], self.steps[id(output)] = where, steps * stride
        if how != "clean":
            name, module = self.stack[-1] if self.stack else ("", None)
            function = func.__name__.strip("_")
            if how == "positions" and function in ("flatten", "view", "reshape"):
                how = "flatten"
            self.breaks.append(Break(name, type(module).__name__, function, how, stride))
        return result


def _tried(
    run: Callable[[Callable[[Tensor, int], Tensor]], Tensor], length: int
) -> tuple[str, int, int | None]:
    """How a function breaks equivariance, its stride, the sequence dimension of what it gives."""
    whole = run(lambda x, dim: x.clone())
    spread = float((whole.float() - whole.float().mean()).abs().max()) or 1.0
    dims = [d for d in range(1, whole.dim()) if whole.size(d) > 1]
    invariant = True
    for k in range(1, min(LONGEST_STRIDE, length - 1) + 1):
        rolled = run(lambda x, dim, k=k: torch.roll(x, k, dim))  # type: ignore[misc]
        invariant = invariant and _same(rolled, whole, spread)
        if invariant:
            if k == 3:
                return "clean", 1, None  # it does not depend on where the window begins
            continue
        for d in dims:
            grown = max(1, whole.size(d) // length)
            for move in {1, -1, grown, -grown}:
                if _same(rolled, torch.roll(whole, move, d), spread):
                    return ("clean" if k == 1 else "stride"), k, d
    if invariant:
        return "clean", 1, None
    found = _windows(run, length, spread)
    if found is not None:
        return found
    same = [d for d in dims if whole.size(d) == length]
    return "positions", 1, next(iter(same), None)


def _windows(
    run: Callable[[Callable[[Tensor, int], Tensor]], Tensor], length: int, spread: float
) -> tuple[str, int, int | None] | None:
    """The same from two windows that begin k positions apart; None if they do not tell."""
    padded = None
    for k in range(1, min(LONGEST_STRIDE, length // 4) + 1):
        windows = [
            lambda x, dim, start=start: x.narrow(dim, start, x.size(dim) - k)  # noqa: B023
            for start in (0, k)
        ]
        try:
            first, second = map(run, windows)
        except (RuntimeError, ValueError, IndexError, TypeError):
            return None  # it takes one length only
        for d in range(1, first.dim()):
            size = first.size(d) - 1
            if size < 4 or first.shape != second.shape:
                continue
            for ahead, behind in ((first, second), (second, first)):
                a, b = ahead.narrow(d, 1, size), behind.narrow(d, 0, size)
                if _same(a, b, spread):
                    return ("clean" if k == 1 else "stride"), k, d
                middle = (d, size // 4, size - 2 * (size // 4))
                if padded is None and _same(a.narrow(*middle), b.narrow(*middle), spread):
                    padded = "padding", k, d
    return padded


@contextmanager
def _modules(model: Callable[..., Any], watch: _Watch) -> Iterator[None]:
    """Note in which module the model is."""
    names = {m: n for n, m in model.named_modules()} if isinstance(model, Module) else {}

    def enter(module: Module, given: Any) -> None:
        if module in names:
            watch.stack.append((names[module], module))

    def leave(module: Module, given: Any, output: Any) -> None:
        if module in names:
            watch.stack.pop()

    handles = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _first_tensor(result: Any) -> Tensor | None:
    return next((x for x in tree_leaves(result) if isinstance(x, Tensor)), None)


def _same(a: Tensor, b: Tensor, spread: float) -> bool:
    if a.shape != b.shape:
        return False
    difference = float((a.float() - b.float()).abs().max())
    return math.isfinite(difference) and difference <= TOLERANCE * spread
