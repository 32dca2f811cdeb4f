"""Chunks of shifted copies of inputs, arguments and target, and the way of attributions back."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import _captum
from .arguments import Arguments, Tensors
from .shifts import Dims

Chunk = Sequence[int]  # some of a call's shifts


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
        """Run the model on these copies and take its output at the target, or at all targets."""
        output = _captum.run_forward(forward_func, inputs, self.args())
        if not isinstance(output, Tensor):
            raise TypeError(f"forward_func: expected a tensor as output, got {_other(output)}")
        try:
            if self.call.targets is not None:
                return torch.stack([_captum.select(output, t) for t in self.call.targets], -1)
            return _captum.select(output, self.target())
        except torch.OutOfMemoryError:
            raise
        except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
            raise AssertionError(
                f"target: expected one index or tuple of indices into outputs of shape "
                f"{tuple(output.shape[1:])}, or one per example, {self.call.batch}, got "
                f"{self.call.targets or self.call.target!r} ({error})"
            ) from error

    def output(self, forward_func: Callable[..., Any], inputs: Tensors) -> Tensor:
        """The model's output, one number per row, or one per row and target; raise if it is not."""
        output = self.run(forward_func, inputs)
        if not output.dim() or output.size(0) != self.rows:
            raise ValueError(
                f"forward_func: expected one row per example, {self.counted}, got an output of "
                f"shape {tuple(output.shape)}"
            )
        targets = self.call.targets or (self.call.target,)
        if output.numel() != self.rows * len(targets):
            shape = output.shape[1:-1] if self.call.targets else output.shape[1:]
            raise AssertionError(_several(tuple(shape), targets[0]))
        return output

    def gradient(
        self, forward_func: Callable[..., Any], inputs: Tensors, leaves: Tensors
    ) -> Tensors:
        """The gradient of the summed outputs for `inputs`, with respect to `leaves`."""
        output = self.output(forward_func, inputs)
        if not output.requires_grad:
            raise ValueError(
                "forward_func: expected an output that can be differentiated, got one without a "
                "graph: does the model run under torch.no_grad, detach its output or return "
                "integers?"
            )
        return self.differentiated(output, leaves)

    def differentiated(self, output: Tensor, leaves: Tensors) -> Tensors:
        """The gradients of an `output` of these copies, target after target."""
        if self.call.targets is None:
            return torch.autograd.grad(output.sum(), leaves)
        sums = output.reshape(-1, len(self.call.targets)).sum(0).unbind()
        each = [torch.autograd.grad(s, leaves, retain_graph=s is not sums[-1]) for s in sums]
        return tuple(gradient for gradients in each for gradient in gradients)

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

    @property
    def counted(self) -> str:
        """The number of rows, in the caller's terms."""
        examples = f"{self.call.batch} example{'s' * (self.call.batch > 1)}"
        return examples if len(self.shifts) == 1 else f"{examples} x {len(self.shifts)} shifts"

    def shape_of(self, x: Tensor) -> tuple[int, ...]:
        """The shape of `x`, with a row per example where it has one per copy."""
        first = self.call.batch if x.dim() and x.size(0) == self.rows else x.size(0)
        return (first, *x.shape[1:]) if x.dim() else ()

    @contextmanager
    def explained(self, forward_func: Callable[..., Any]) -> Iterator[None]:
        """Add to an error from inside the model what ShiftSmooth did that may have caused it."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and "cudnn RNN backward" in str(error):
                raise RuntimeError(
                    "cuDNN has no backward pass for an RNN in eval mode: put the RNN module alone "
                    "in train mode (rnn.train(); its dropout acts then), or call attribute() "
                    "inside `with torch.backends.cudnn.flags(enabled=False):`"
                ) from error
            for note in self._notes(forward_func):
                error.add_note(note)
            raise

    def _notes(self, forward_func: Callable[..., Any]) -> Iterator[str]:
        call = self.call
        if call.inputs[0].dim() == 2 and call.inputs[0].size(0) == 4:
            yield (
                f"inputs of shape {tuple(call.inputs[0].shape)} were taken as 4 examples; give one "
                "example of 4 channels as x[None]."
            )
        if len(self.shifts) == 1 or not self._runs_alone(forward_func):
            return
        yield (
            f"The model takes the {call.batch} examples of one shift, and failed on {self.counted} "
            "in one batch. If its batch size is fixed, pass shifts_per_eval=1."
        )
        for i, arg in enumerate(call.args):
            if call.repeats(arg):
                yield (
                    f"additional_forward_args[{i}] of shape {tuple(arg.shape)} was repeated "
                    f"{len(self.shifts)} times, because its first dimension equals the batch size. "
                    "If it does not hold one row per example, bind it with functools.partial, or "
                    "pass shifts_per_eval=1, which repeats nothing."
                )

    def _runs_alone(self, forward_func: Callable[..., Any]) -> bool:
        """Whether the model takes the copies of one shift."""
        alone = Copies(self.call, self.shifts[:1])
        try:
            with torch.no_grad():
                alone.output(forward_func, alone.inputs())
        except Exception:
            return False
        return True

    def _arg(self, i: int, arg: Any) -> Any:
        call, count = self.call, len(self.shifts)
        if i in call.arg_dims:
            if arg.size(0) == 1 < call.batch and count > 1:
                arg = arg.expand(call.batch, *arg.shape[1:])
            return torch.cat([call.shifts.shift(arg, call.arg_dims[i], n) for n in self.shifts])
        if count > 1 and call.repeats(arg):
            return torch.cat([arg] * count)
        return arg


def _several(shape: tuple[int, ...], target: Any) -> str:
    """The error for outputs that are still of `shape` per example at `target`."""
    if target is None:
        return f"target: expected an index, since outputs have shape {shape} per example, got None"
    return (
        f"target: expected indices that choose one number per example, got {target!r}, which "
        f"chooses shape {shape}: give a tuple with more indices, or wrap the model, for example "
        "`lambda *args: model(*args).sum(-1)`"
    )


def _other(output: Any) -> str:
    """What a model returned in the place of a tensor, and how to wrap the model."""
    kind = type(output).__name__
    if isinstance(output, tuple | list):
        entries = list(enumerate(output))
    elif isinstance(output, Mapping):
        entries = list(output.items())
    else:
        entries = list(getattr(output, "__dict__", {}).items())
    found = next((key for key, value in entries if isinstance(value, Tensor)), None)
    if found is None:
        return kind
    fields = isinstance(output, tuple | list | Mapping)
    part = f"[{found!r}]" if fields else f".{found}"
    return f"{kind}: choose a tensor of it, for example with `lambda *args: model(*args){part}`"


def sum_type(x: Tensor) -> torch.dtype:
    """The type in which attributions like `x` are summed: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)
