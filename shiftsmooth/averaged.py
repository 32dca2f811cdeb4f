"""ShiftAveraged: F itself, the mean of a model over shifts, as a module.

F(x) = 1/(2N+1) * sum_{n=-N..N} f(roll(x, n))
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from . import _torch
from .arguments import Arguments, check_model
from .chunks import Chunks
from .copies import Copies
from .sharing import Share, Sharer, Sharing
from .shifts import Shifts
from .steps import flipped

_ROWS = 256  # how many rows run at once where no graph keeps them all anyway


class ShiftAveraged(Module):
    """The mean of a model over small circular shifts of its input: the F of ShiftSmooth.

    Its gradient is what ShiftSmooth gives. Use it wherever a tool takes a model: in-silico
    mutagenesis, variant effects, DeepLIFT, any method of Captum. It can be differentiated as often
    as the model can.

    Examples::

        >>> averaged = ShiftAveraged(model, max_shift=3)
        >>> prediction = averaged(x)
    """

    def __init__(
        self,
        model: Callable[..., Tensor],
        max_shift: int | None = 5,
        strands: int = 1,
        share: Share = "auto",
        edges: str = "circular",
    ) -> None:
        """Wrap a model.

        Args:
            model: A module, or a function, of sequences (B, C, L), and further arguments.
            max_shift: N: the shifts are -N..N. None takes 5, or less where sequences are shorter.
            strands: 2 averages over both strands of DNA, (B, 4, L) in the order of A, C, G, T.
            share: Whether shifts share what they have in common, as for ShiftSmooth.
            edges: "circular"; or "flanks" where sequences carry N more positions on each side, and
                shift n is the window that starts n positions earlier.
        """
        super().__init__()
        check_model("model", model)
        self.model = model
        self.max_shift, self.strands = max_shift, strands
        self._sharer = Sharer(partial(_score, model), share, Chunks())
        self._shifts = Shifts.of(max_shift, None, edges, None)
        if strands not in (1, 2):
            raise ValueError(f"strands: expected 1 or 2, got {strands!r}")

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._sharer.told

    def forward(self, x: Tensor, *args: Any) -> Tensor:
        """The mean of the model's outputs.

        Args:
            x: Sequences, (B, C, L).
            *args: Further arguments of the model; tensors with a row per example are repeated.
        """
        if not len(x):
            return self.model(x, *args)
        return self.outputs(x, *args).mean(0)

    def outputs(self, x: Tensor, *args: Any) -> Tensor:
        """The model's outputs in every window, shift after shift: (S, B, ...).

        With both strands these are 2 S windows: after those of the strand given, those of the
        other strand, in the same order of places.

        Args:
            x: Sequences, (B, C, L), one at least.
            *args: Further arguments of the model; tensors with a row per example are repeated.
        """
        call = Arguments.of(x, None, args, self._shifts, roll_args=(), strands=self.strands)
        if self.strands == 1:
            return self._each(call)
        other = flipped((*call.inputs, *call.args), call.flips())
        turned = replace(call, inputs=other[:1], args=other[1:])
        return torch.cat([self._each(call), self._each(turned).flip(0)])

    def _each(self, call: Arguments) -> Tensor:
        """The outputs at each of the shifts, (S, B, ...)."""
        shared = self._sharer.outputs(call, self.model)
        if shared is not None:
            return torch.cat([chunk.unflatten(0, (-1, call.batch)) for chunk in shared])
        shifts = call.shifts.values
        # DeepLIFT's hooks keep what a module saw last, so it must see everything in one call.
        together = torch.is_grad_enabled() or _hooked(self.model)
        at_once = len(shifts) if together else max(1, _ROWS // call.batch)
        chunks = [shifts[i : i + at_once] for i in range(0, len(shifts), at_once)]
        found = [_by_example(self.model, Copies(call, chunk)).transpose(0, 1) for chunk in chunks]
        return torch.cat(found)


def _by_example(model: Callable[..., Tensor], copies: Copies) -> Tensor:
    """The outputs for all copies, (B, S, ...).

    Rows are sorted by example: tools that put examples and their references into one batch, and
    cut it into halves later, find halves.
    """
    call, count = copies.call, len(copies.shifts)
    order = torch.arange(copies.rows).reshape(count, call.batch).T.flatten()
    inputs = tuple(x[order.to(x.device)] for x in copies.inputs())
    args = tuple(arg.repeat_interleave(count, 0) if call.repeats(arg) else arg for arg in call.args)
    output = model(*inputs, *args)
    if not isinstance(output, Tensor) or not output.dim() or output.size(0) != copies.rows:
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ValueError(f"model: expected one row per example, {copies.counted}, got {got}")
    return output.unflatten(0, (call.batch, count))


def _score(model: Callable[..., Tensor], *args: Any) -> Tensor:
    """One number per row that depends on all outputs, to decide about sharing with."""
    output = model(*args).flatten(1)
    weights = torch.linspace(0.5, 1.5, output.size(1), dtype=output.dtype, device=output.device)
    return (output * weights).sum(1)


def _hooked(model: Any) -> bool:
    modules = model.modules() if isinstance(model, Module) else ()
    return any(True for module in modules for _ in _torch.hooks(module))
