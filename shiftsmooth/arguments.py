"""The validated arguments of one call of `attribute`. There is no model in here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor

from . import _captum
from .shifts import Dims, Shifts, dims_of, integer, integers, sequence_dims
from .warn import warn

Tensors = tuple[Tensor, ...]
Inputs = TypeVar("Inputs", Tensor, Tensors)
Target = int | tuple[int, ...] | Tensor | list[int] | list[tuple[int, ...]] | None
Targets = Sequence[int | tuple[int, ...]] | Literal["all"] | None
Dim = int | None | Sequence[int | Sequence[int] | None]


@dataclass(frozen=True)
class Arguments:
    """What a call was given, checked.

    Attributes:
        inputs: The inputs, as a tuple whatever the caller gave.
        is_tuple: Whether the caller gave a tuple.
        target: The target, as Captum takes it.
        args: `additional_forward_args` as a tuple.
        shifts: The shifts.
        dims: For each input the dimensions that are shifted.
        arg_dims: The same for those of `args` that are shifted, by position.
        shifts_per_eval: How many shifts to run at once, or None.
        strands: 2 if each window is also seen from its other strand.
        targets: Several outputs to explain, instead of `target`.
    """

    inputs: Tensors
    is_tuple: bool
    target: Any
    args: tuple[Any, ...]
    shifts: Shifts
    dims: tuple[Dims, ...]
    arg_dims: dict[int, Dims]
    shifts_per_eval: int | None
    strands: int
    targets: tuple[int | tuple[int, ...], ...] | None = None

    @classmethod
    def of(
        cls,
        inputs: Tensor | Tensors,
        target: Any,
        additional_forward_args: object,
        shifts: Shifts,
        dim: Any = -1,
        roll_args: Iterable[int] | None = None,
        shifts_per_eval: int | None = None,
        strands: int = 1,
    ) -> "Arguments":
        """Check the arguments of `attribute`; an error names the one that is bad."""
        is_tuple = isinstance(inputs, tuple)
        tensors = tuple(inputs) if is_tuple else (inputs,)
        _check_inputs(tensors)
        dims = dims_of(dim, tensors, is_tuple)
        shifts = shifts.fitted(x.size(d) for x, axes in zip(tensors, dims) for d in axes)
        for i, (x, d) in enumerate(zip(tensors, dims)):
            shifts.check(f"inputs[{i}]", x, d)
            _warn_of_channels(f"inputs[{i}]", x, d)
        args = _captum.format_args(additional_forward_args)
        return cls(
            tuple(_usable(x) for x in tensors),
            is_tuple,
            _usable(target),
            tuple(_usable(arg) for arg in args),
            shifts,
            dims,
            _arg_dims(args, roll_args, shifts, tensors, dims),
            _checked_size(shifts_per_eval),
            _checked_strands(strands),
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

    def repeats(self, arg: Any) -> bool:
        """Whether `arg` has one row per example."""
        return isinstance(arg, Tensor) and arg.dim() > 0 and arg.size(0) == self.batch

    def require_floating(self) -> None:
        """Raise a TypeError for inputs that have no gradient."""
        for i, x in enumerate(self.inputs):
            if not (x.is_floating_point() or x.is_complex()):
                raise TypeError(
                    f"inputs[{i}]: expected a floating dtype, got {x.dtype}, which has no "
                    "gradient: give one-hot sequences as x.float(), and explain token ids at their "
                    "embedding layer, with LayerShiftSmooth(model, model.embedding)"
                )

    def examples(self, rows: list[int]) -> "Arguments":
        """The same call for some of the examples."""
        target = self.target
        if isinstance(target, list) and len(target) == self.batch:
            target = [target[row] for row in rows]
        if isinstance(target, Tensor) and target.numel() > 1:
            target = target[rows]
        args = tuple(arg[rows] if self.repeats(arg) else arg for arg in self.args)
        inputs = tuple(x[rows] for x in self.inputs)
        return replace(self, inputs=inputs, target=target, args=args)

    def formatted(self, attributions: Tensors) -> Tensor | Tensors:
        """`attributions` in the inputs' types; one tensor if one tensor came in.

        Of several targets they come target after target, and are stacked.
        """
        count = len(self.inputs)
        if self.targets is not None:
            attributions = tuple(torch.stack(attributions[i::count]) for i in range(count))
        return _captum.format_output(
            self.is_tuple,
            tuple(
                a.to(x.dtype) if x.is_floating_point() else a
                for a, x in zip(attributions, self.inputs)
            ),
        )

    def flips(self) -> tuple[Dims, ...]:
        """For each input and argument the dimensions whose flip makes it the other strand's."""
        flips: list[Dims] = []
        for i, (x, dims) in enumerate(zip(self.inputs, self.dims)):
            letters = tuple({-1, -2} - set(dims))
            if dims and (x.dim() != 3 or len(dims) != 1 or x.size(letters[0]) != 4):
                raise ValueError(
                    "strands: expected 1 for inputs that are not DNA, (B, 4, L) in the order of "
                    f"A, C, G, T, got 2 and inputs[{i}] of shape {tuple(x.shape)}"
                )
            flips.append((*letters, *dims) if dims else ())
        return (*flips, *(self.arg_dims.get(i, ()) for i in range(len(self.args))))


def check_model(name: str, model: Any, or_what: str = "") -> None:
    """Raise a TypeError if `model` cannot be called as a model."""
    if isinstance(model, type):
        raise TypeError(
            f"{name}: expected a model, got the class {model.__name__}: make an instance of it, "
            f"{model.__name__}(...)"
        )
    if not callable(model):
        raise TypeError(
            f"{name}: expected a model, a callable{or_what}, got {type(model).__name__}"
        )


def _check_inputs(inputs: tuple[Any, ...]) -> None:
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"inputs[{i}]: expected a tensor, got {type(x).__name__}")
        if x.dim() == 0 or x.size(0) != inputs[0].size(0):
            raise ValueError(
                "inputs: expected tensors with one first dimension, the batch, got shapes "
                f"{[tuple(t.shape) for t in inputs]}"
            )
        if x.size(0) == 0:
            raise ValueError(f"inputs[{i}]: expected examples, got shape {tuple(x.shape)}")


def _checked_size(shifts_per_eval: int | None) -> int | None:
    if shifts_per_eval is not None and integer("shifts_per_eval", shifts_per_eval) < 1:
        raise ValueError(f"shifts_per_eval: expected None or 1 or more, got {shifts_per_eval}")
    return shifts_per_eval


def _checked_strands(strands: int) -> int:
    if strands not in (1, 2):
        raise ValueError(f"strands: expected 1 or 2, got {strands!r}")
    return strands


def _usable(value: Any) -> Any:
    """`value`; a tensor made in inference mode is copied, since autograd cannot save it."""
    if not isinstance(value, Tensor) or not value.is_inference():
        return value
    with torch.inference_mode(False):
        return value.clone()


def _warn_of_channels(name: str, x: Tensor, dims: Dims) -> None:
    """Warn where the letters of one-hot sequences are rolled, and not their positions."""
    longest = max(range(1, x.dim()), key=lambda d: x.size(d), default=0)
    if len(dims) == 1 and x.size(dims[0]) == 4 < x.size(longest):
        warn(
            f"dim: {name} of shape {tuple(x.shape)} is shifted along a dimension of length 4; if "
            f"that holds the letters, pass dim={longest}, the positions"
        )


def _arg_dims(
    args: tuple[Any, ...],
    roll_args: Iterable[int] | None,
    shifts: Shifts,
    inputs: Tensors,
    dims: tuple[Dims, ...],
) -> dict[int, Dims]:
    """For each position in `roll_args` the dimensions along which that argument is shifted."""
    like = next(((x, d) for x, d in zip(inputs, dims) if d), None)
    if roll_args is None:
        if like is not None and len(shifts.values) > 1:
            _warn_of_masks(args, inputs[0].size(0), *like)
        return {}
    found = {}
    for i in integers("roll_args", roll_args):
        if not 0 <= i < len(args) or not isinstance(args[i], Tensor) or not args[i].dim():
            kinds = [type(arg).__name__ for arg in args]
            raise ValueError(
                "roll_args: expected positions in additional_forward_args of tensors with a "
                f"sequence dimension, got {i}; additional_forward_args holds {kinds}"
            )
        if like is None:
            raise ValueError(
                "roll_args: expected an input that is shifted, got dim=None for all inputs"
            )
        name = f"additional_forward_args[{i}]"
        found[i] = sequence_dims(name, args[i].shape, inputs[0].size(0), *like)
    return found


def _warn_of_masks(args: tuple[Any, ...], batch: int, x: Tensor, dims: Dims) -> None:
    """Warn of arguments that are as long as the sequence and do not shift with it."""
    for i, arg in enumerate(args):
        if not isinstance(arg, Tensor) or not arg.dim():
            continue
        inner = arg.shape[1:] if arg.size(0) in (1, batch) else arg.shape
        if any(x.size(dim) in inner for dim in dims):
            warn(
                f"additional_forward_args[{i}] of shape {tuple(arg.shape)} is as long as the "
                f"sequence and is not shifted with it; if it is a mask or a track, pass "
                f"roll_args=({i},), and otherwise roll_args=()"
            )
