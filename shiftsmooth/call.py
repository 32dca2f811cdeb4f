"""One call of `attribute`: its inputs and arguments, their shifted copies, and the way back."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from . import _captum
from .shifts import Dims, Shifts, dims_of, integers, sequence_dims

# Which powers of the attributions are averaged over shifts for each reduction.
REDUCTIONS = {"mean": (1,), "mean_square": (2,), "variance": (1, 2)}

Tensors = tuple[Tensor, ...]
Offsets = tuple[int, ...]


@dataclass(frozen=True)
class ShiftedCall:
    """What the methods of this package share: validated arguments, and copies of them per shift.

    A chunk of shifts is one batch, shift after shift: rows `i * B` to `(i + 1) * B` belong to the
    chunk's i-th offset.

    Attributes:
        inputs: The inputs, whatever the caller gave, as a tuple.
        is_tuple: Whether the caller gave a tuple.
        target: The target, as Captum takes it.
        args: `additional_forward_args` as a tuple.
        shifts: The shifts.
        dims: For each input the dimensions that are shifted.
        arg_dims: The same for those of `args` that are shifted, by position.
        reduction: A key of `REDUCTIONS`.
    """

    inputs: Tensors
    is_tuple: bool
    target: Any
    args: tuple[Any, ...]
    shifts: Shifts
    dims: tuple[Dims, ...]
    arg_dims: dict[int, Dims]
    reduction: str

    @classmethod
    def of(
        cls,
        inputs: Tensor | Tensors,
        target: Any,
        additional_forward_args: object,
        *,
        max_shift: int,
        shifts: Iterable[int] | None,
        dim: Any,
        region: tuple[int, int] | None,
        roll_args: Iterable[int],
        edges: str,
        reduction: str = "mean",
    ) -> "ShiftedCall":
        """The call with these arguments of `attribute`; an error names the one that is bad."""
        is_tuple = isinstance(inputs, tuple)
        tensors = tuple(inputs) if is_tuple else (inputs,)
        for i, x in enumerate(tensors):
            if not isinstance(x, Tensor):
                raise TypeError(f"inputs[{i}] must be a tensor, got {type(x).__name__}")
            if x.dim() == 0 or x.size(0) != tensors[0].size(0):
                raise ValueError(
                    "inputs must share their first dimension, the batch, got shapes "
                    f"{[tuple(t.shape) for t in tensors]}"
                )
            if x.size(0) == 0:
                raise ValueError(f"inputs[{i}] is an empty batch of shape {tuple(x.shape)}")
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {list(REDUCTIONS)}, got {reduction!r}")
        plan = Shifts.of(max_shift, shifts, edges, region)
        dims = dims_of(dim, tensors, is_tuple)
        for i, (x, d) in enumerate(zip(tensors, dims)):
            plan.check(f"inputs[{i}]", x, d)
        args = _captum.format_args(additional_forward_args)
        return cls(
            tuple(_usable(x) for x in tensors),
            is_tuple,
            _usable(target),
            tuple(_usable(arg) for arg in args),
            plan,
            dims,
            _arg_dims(args, roll_args, tensors, dims),
            reduction,
        )

    @property
    def batch(self) -> int:
        """The number of examples, B."""
        return self.inputs[0].size(0)

    @property
    def one_at_a_time(self) -> bool:
        """Whether shifts cannot share a batch, for an argument that shifts but has no batch."""
        return any(
            -self.args[i].dim() in dims or self.args[i].size(0) not in (1, self.batch)
            for i, dims in self.arg_dims.items()
        )

    def require_floating(self) -> None:
        """Raises TypeError for inputs that have no gradient."""
        for i, x in enumerate(self.inputs):
            if not (x.is_floating_point() or x.is_complex()):
                raise TypeError(
                    f"inputs[{i}] has dtype {x.dtype}, which has no gradient: give one-hot "
                    "sequences as x.float(), and explain token ids at their embedding layer, with "
                    "LayerShiftSmooth(model, model.embedding)"
                )

    def copies(self, tensors: Tensors, offsets: Offsets) -> Tensors:
        """`tensors`, shaped like the inputs, shifted by each of `offsets`: (S * B, ...) each.

        They get the inputs' types after the shift: gradients meet before it, in float32 at least.
        """
        return tuple(
            torch.cat([self.shifts.shift(x, dims, n) for n in offsets]).to(like.dtype)
            for x, dims, like in zip(tensors, self.dims, self.inputs)
        )

    def copied_args(self, offsets: Offsets) -> tuple[Any, ...]:
        """The additional arguments for a chunk."""
        return tuple(self._copied_arg(i, arg, offsets) for i, arg in enumerate(self.args))

    def copied_target(self, offsets: Offsets) -> Any:
        """The target for a chunk."""
        return _captum.expand_target(self.target, len(offsets))

    def forward(self, forward_func: Callable, copies: Tensors, offsets: Offsets) -> Tensor:
        """One output per row of a chunk, at the target; raises if it is not one."""
        output = self.run(forward_func, copies, offsets)
        rows = len(offsets) * self.batch
        if not output.dim() or output.size(0) != rows:
            raise ValueError(
                f"forward_func must give one row per example: {rows} rows went in, an output of "
                f"shape {tuple(output.shape)} came out"
            )
        if output.numel() != rows:
            raise AssertionError(
                "Target not provided when necessary, cannot take gradient with respect to multiple "
                f"outputs: an output of shape {tuple(output.shape)} for {rows} examples."
            )
        return output

    def run(self, forward_func: Callable, copies: Tensors, offsets: Offsets) -> Tensor:
        """What the model gives for a chunk, at the target."""
        args = self.copied_args(offsets)
        with self.explained(offsets):
            return _captum.run_forward(forward_func, copies, self.copied_target(offsets), args)

    def mean_gradient(
        self,
        forward_func: Callable,
        copies: Callable[[Tensors, Offsets], Tensors],
        offsets: Offsets,
    ) -> Tensors:
        """The sum over `offsets` of the gradients shifted back, through the shift in one pass.

        Args:
            forward_func: The model.
            copies: Makes, from tensors shaped like the inputs, a chunk that the model can take, of
                the inputs' types.
            offsets: The chunk's offsets.
        """
        leaves = tuple(x.detach().to(sum_type(x)).requires_grad_() for x in self.inputs)
        return self.gradient(forward_func, leaves, copies(leaves, offsets), offsets)

    def one_example(self) -> "ShiftedCall":
        """The same call for the first example alone."""
        target = self.target
        if isinstance(target, list) or (isinstance(target, Tensor) and target.numel() > 1):
            target = target[:1]
        args = tuple(arg[:1] if self.repeats(arg) else arg for arg in self.args)
        inputs = tuple(x[:1] for x in self.inputs)
        return replace(self, inputs=inputs, target=target, args=args)

    def gradient(
        self,
        forward_func: Callable,
        leaves: Tensors,
        copies: Tensors,
        offsets: Offsets,
    ) -> Tensors:
        """The gradient of a chunk's summed outputs with respect to `leaves`."""
        output = self.forward(forward_func, copies, offsets)
        with self.explained(offsets):
            return torch.autograd.grad(output.sum(), leaves)

    def sums(self, attributions: Tensors, dims: tuple[Dims, ...], offsets: Offsets) -> Tensors:
        """A chunk's attributions, to each power the reduction needs, shifted back and summed."""
        totals: list[Tensor] = []
        for power in REDUCTIONS[self.reduction]:
            for a, d in zip(attributions, dims):
                rows = a.detach().to(sum_type(a)).pow(power).split(self.batch)
                back = [self.shifts.back(row, d, n) for row, n in zip(rows, offsets)]
                totals.append(torch.stack(back).sum(0))
        return tuple(totals)

    def reduce(self, totals: Tensors, dims: tuple[Dims, ...]) -> Tensors:
        """The reduction, from the sums over all shifts."""
        count = len(dims)
        means = [
            self.shifts.mean(total, dims[i % count])
            for i, total in enumerate(totals[: count * len(REDUCTIONS[self.reduction])])
        ]
        if self.reduction == "variance":
            # Rounding can take a variance of nothing below nothing.
            return tuple((m2 - m1 * m1).clamp_min(0) for m1, m2 in zip(means, means[count:]))
        return tuple(means)

    def explained(self, offsets: Offsets) -> "_Explained":
        """A context in which a model's own errors get a note on what became of its arguments."""
        return _Explained(self, offsets)

    def _copied_arg(self, i: int, arg: Any, offsets: Offsets) -> Any:
        if i in self.arg_dims:
            if arg.size(0) == 1 < self.batch and len(offsets) > 1:
                arg = arg.expand(self.batch, *arg.shape[1:])
            return torch.cat([self.shifts.shift(arg, self.arg_dims[i], n) for n in offsets])
        if len(offsets) > 1 and self.repeats(arg):
            return torch.cat([arg] * len(offsets))
        return arg

    def repeats(self, arg: Any) -> bool:
        """Whether `arg` has one row per example."""
        return isinstance(arg, Tensor) and arg.dim() > 0 and arg.size(0) == self.batch


class _Explained:
    """Adds to an error from inside a model what ShiftSmooth did that may have caused it."""

    def __init__(self, call: ShiftedCall, offsets: Offsets) -> None:
        self.call = call
        self.copies = len(offsets)

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
        repeated = [i for i, arg in enumerate(self.call.args) if self.call.repeats(arg)]
        if self.copies == 1 or not repeated:
            return
        for i in repeated:
            error.add_note(
                f"additional_forward_args[{i}] of shape {tuple(self.call.args[i].shape)} was "
                f"repeated {self.copies} times, because its first dimension equals the batch size. "
                "If it does not hold one row per example, bind it with functools.partial, or pass "
                "shifts_per_eval=1, which repeats nothing."
            )


def sum_type(x: Tensor) -> torch.dtype:
    """The type in which attributions like `x` are summed: at least float32."""
    return torch.promote_types(x.dtype, torch.float32)


def _usable(value: Any) -> Any:
    """`value`; a tensor made in inference mode is copied, since autograd cannot save it."""
    if not isinstance(value, Tensor) or not value.is_inference():
        return value
    with torch.inference_mode(False):
        return value.clone()


def _arg_dims(
    args: tuple[Any, ...], roll_args: Iterable[int], inputs: Tensors, dims: tuple[Dims, ...]
) -> dict[int, Dims]:
    """For each position in `roll_args` the dimensions along which that argument is shifted."""
    like = next(((x, d) for x, d in zip(inputs, dims) if d), None)
    found = {}
    for i in integers("roll_args", roll_args):
        if not 0 <= i < len(args) or not isinstance(args[i], Tensor) or not args[i].dim():
            raise ValueError(
                f"roll_args names position {i} of additional_forward_args, which is not a tensor "
                f"with a sequence dimension: there are {len(args)} arguments"
            )
        if like is None:
            raise ValueError("roll_args needs an input that is shifted, but dim is None for all")
        found[i] = sequence_dims(f"additional_forward_args[{i}]", args[i], inputs[0].size(0), *like)
    return found
