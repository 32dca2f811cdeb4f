"""Chunks of shifted copies of inputs, arguments and target, and the way of attributions back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import _captum
from .arguments import Arguments, Tensors
from .shifts import Dims

Chunk = tuple[int, ...]  # some of a call's shifts


@dataclass(frozen=True)
class Copies:
    """The copies of a call's batch for a chunk of shifts, as one batch.

    Rows `i * B` to `(i + 1) * B` belong to the chunk's i-th shift.

    Attributes:
        call: The call's arguments.
        shifts: The chunk.
    """

    call: Arguments
    shifts: Chunk

    @property
    def rows(self) -> int:
        """The number of rows, S * B."""
        return len(self.shifts) * self.call.batch

    def inputs(self, tensors: Tensors | None = None) -> Tensors:
        """The copies of the inputs, or of `tensors` that are shaped like them: (S * B, ...) each.

        They get the inputs' types after the shift: gradients meet before it, in float32 at least.
        """
        call = self.call
        tensors = call.inputs if tensors is None else tensors
        return tuple(
            torch.cat([call.shifts.shift(x, dims, n) for n in self.shifts]).to(like.dtype)
            for x, dims, like in zip(tensors, call.dims, call.inputs)
        )

    def args(self) -> tuple[Any, ...]:
        """The additional arguments for these copies."""
        return tuple(self._arg(i, arg) for i, arg in enumerate(self.call.args))

    def target(self) -> Any:
        """The target for these copies."""
        return _captum.expand_target(self.call.target, len(self.shifts))

    def run(self, forward_func: Callable[..., Any], inputs: Tensors) -> Tensor:
        """Run the model on these copies and take its output at the target."""
        args = self.args()
        with self.explained():
            return _captum.run_forward(forward_func, inputs, self.target(), args)

    def output(self, forward_func: Callable[..., Any], inputs: Tensors) -> Tensor:
        """The model's output at the target, one number per row; raise if it is not one."""
        output = self.run(forward_func, inputs)
        if not output.dim() or output.size(0) != self.rows:
            raise ValueError(
                f"forward_func: expected one row per example, {self.rows}, got an output of "
                f"shape {tuple(output.shape)}"
            )
        if output.numel() != self.rows:
            raise AssertionError(
                "Target not provided when necessary, cannot take gradient with respect to multiple "
                f"outputs: an output of shape {tuple(output.shape)} for {self.rows} examples."
            )
        return output

    def gradient(
        self, forward_func: Callable[..., Any], inputs: Tensors, leaves: Tensors
    ) -> Tensors:
        """The gradient of the summed outputs for `inputs`, with respect to `leaves`."""
        output = self.output(forward_func, inputs)
        with self.explained():
            return torch.autograd.grad(output.sum(), leaves)

    def summed_gradient(
        self,
        forward_func: Callable[..., Any],
        make: Callable[["Copies", Tensors], Tensors] = inputs,
    ) -> Tensors:
        """The sum over the chunk of the gradients shifted back, in one pass through the shifts.

        Args:
            forward_func: The model.
            make: Makes, from tensors shaped like the inputs, copies that the model can take.
        """
        leaves = tuple(x.detach().to(sum_type(x)).requires_grad_() for x in self.call.inputs)
        return self.gradient(forward_func, make(self, leaves), leaves)

    def back(self, attributions: Tensors, dims: tuple[Dims, ...]) -> Tensors:
        """The attributions of these copies, each shifted back: (S, B, ...), in float32 at least."""
        shifts = self.call.shifts
        return tuple(
            torch.stack(
                [
                    shifts.back(row, d, n)
                    for row, n in zip(
                        a.detach().to(sum_type(a)).split(self.call.batch), self.shifts
                    )
                ]
            )
            for a, d in zip(attributions, dims)
        )

    def explained(self) -> "_Explained":
        """A context in which a model's own errors get a note on what became of its arguments."""
        return _Explained(self)

    def _arg(self, i: int, arg: Any) -> Any:
        call, count = self.call, len(self.shifts)
        if i in call.arg_dims:
            if arg.size(0) == 1 < call.batch and count > 1:
                arg = arg.expand(call.batch, *arg.shape[1:])
            return torch.cat([call.shifts.shift(arg, call.arg_dims[i], n) for n in self.shifts])
        if count > 1 and call.repeats(arg):
            return torch.cat([arg] * count)
        return arg


class _Explained:
    """Adds to an error from inside a model what ShiftSmooth did that may have caused it."""

    def __init__(self, copies: Copies) -> None:
        self.copies = copies

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is None or isinstance(error, torch.OutOfMemoryError):
            return
        if isinstance(error, RuntimeError) and "cudnn RNN backward" in str(error):
            raise RuntimeError(
                "cuDNN has no backward pass for an RNN in eval mode: put the RNN module alone in "
                "train mode (rnn.train(); its dropout acts then), or call attribute() inside "
                "`with torch.backends.cudnn.flags(enabled=False):`"
            ) from error
        call, count = self.copies.call, len(self.copies.shifts)
        for i, arg in enumerate(call.args):
            if count > 1 and call.repeats(arg):
                error.add_note(
                    f"additional_forward_args[{i}] of shape {tuple(arg.shape)} was repeated "
                    f"{count} times, because its first dimension equals the batch size. If it does "
                    "not hold one row per example, bind it with functools.partial, or pass "
                    "shifts_per_eval=1, which repeats nothing."
                )


def sum_type(x: Tensor) -> torch.dtype:
    """The type in which attributions like `x` are summed: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)
