"""Whether the shifts of a call share work: does it give the right answer, and is it faster?"""

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module

from ..call import Offsets, ShiftedCall, Tensors
from ..shifts import Shifts
from .windows import Windows


class Sharing:
    """Decides whether the shifts of a call share what the model computes, and lets them."""

    def __init__(self, forward_func: Callable[..., Any], trunk: Any) -> None:
        """
        Args:
            forward_func: The model.
            trunk: A module inside it, or "auto" to share only where that is faster.
        """
        if isinstance(trunk, Module):
            known = forward_func.modules() if isinstance(forward_func, Module) else [trunk]
            if all(module is not trunk for module in known):
                raise ValueError(
                    f"trunk must be a module inside the model, got a {type(trunk).__name__} that "
                    "is not in it"
                )
        elif trunk != "auto":
            raise ValueError(f"trunk must be a module of the model, 'auto' or None, got {trunk!r}")
        self.forward_func = forward_func
        self.auto = not isinstance(trunk, Module)
        self.verdicts: dict[Any, bool] = {}
        self.warned = False

    def suits(self, call: ShiftedCall) -> bool:
        """Whether this call shares: it can, it gives the right answer, and, for "auto", it pays."""
        if call.shifts.region is not None or call.one_at_a_time or len(call.shifts.offsets) == 1:
            return False
        if not any(call.dims) or any(
            dims and (dims != (-1,) or x.dim() != 3) for x, dims in zip(call.inputs, call.dims)
        ):
            return False
        shapes = [(tuple(x.shape), x.dtype, x.device) for x in call.inputs]
        key = (*shapes, call.shifts)
        if key not in self.verdicts:
            self.verdicts[key] = self._right(call) and (not self.auto or self._faster(call))
        return self.verdicts[key]

    def step(self, call: ShiftedCall) -> Callable[[Offsets], Tensors]:
        """For a chunk of offsets, the gradients shifted back and summed."""
        return partial(call.mean_gradient, self.forward_func, partial(_windows, call))

    def _right(self, call: ShiftedCall) -> bool:
        one = call.one_example()
        offsets = one.shifts.offsets
        try:
            got = one.forward(self.forward_func, _windows(one, one.inputs, offsets), offsets)
        except Exception as error:
            return self._warn(f"it failed with {type(error).__name__}: {error}")
        expected = one.forward(self.forward_func, one.copies(one.inputs, offsets), offsets)
        # Outputs, not gradients: rounding can switch a ReLU, or which of two equal windows is the
        # largest, and either way of running the model is then as good as the other.
        difference = (got - expected).abs().max()
        bound = 1000 * torch.finfo(expected.dtype).eps * expected.abs().max()
        if not difference <= bound:
            return self._warn(f"outputs differed by {difference:.3g}, more than {bound:.3g}")
        return True

    def _warn(self, reason: str) -> bool:
        if not self.warned:
            self.warned = True
            warnings.warn(
                "ShiftSmooth shares nothing between shifts of this model and runs it once a shift: "
                f"when sharing was tried on one example, {reason}",
                stacklevel=4,
            )
        return False

    def _faster(self, call: ShiftedCall) -> bool:
        offsets = call.shifts.offsets
        few = offsets[:3]
        box = partial(call.mean_gradient, self.forward_func, call.copies)
        apart = _seconds(box, few, call) * len(offsets) / len(few)
        # Where sharing pays, it pays more than a stopwatch is off by.
        return _seconds(self.step(call), offsets, call) < 0.8 * apart


def _seconds(step: Callable[[Offsets], Tensors], offsets: Offsets, call: ShiftedCall) -> float:
    def now() -> float:
        if call.inputs[0].is_cuda:
            torch.cuda.synchronize(call.inputs[0].device)
        return time.perf_counter()

    times = []
    for _ in range(2):  # the first run of a shape also prepares its kernels and memory
        start = now()
        step(offsets)
        times.append(now() - start)
    return min(times)


def _windows(call: ShiftedCall, tensors: Tensors, offsets: Offsets) -> Tensors:
    """`tensors`, shaped like the inputs, as windows, one for each of `offsets`."""
    return tuple(
        _window(x.to(like.dtype), call.shifts, offsets)
        if dims
        else torch.cat([x] * len(offsets)).to(like.dtype)
        for x, dims, like in zip(tensors, call.dims, call.inputs)
    )


def _window(x: Tensor, shifts: Shifts, offsets: Offsets) -> Windows:
    length = x.size(-1)
    if shifts.edges == "flanks":
        reach = shifts.reach
        return Windows.of(x, [reach - n for n in offsets], length - 2 * reach)
    before, after = max(0, *offsets), max(0, *(-n for n in offsets))
    around = torch.cat((x[..., length - before :], x, x[..., :after]), -1)
    return Windows.of(around, [before - n for n in offsets], length)
