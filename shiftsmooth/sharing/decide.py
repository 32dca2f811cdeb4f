"""Whether the shifts of a call share work: does it give the right answer, and is it faster?"""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..arguments import Arguments, Tensors
from ..copies import Chunk, Copies
from ..shifts import Shifts
from ..warn import warn
from .windows import Windows


class Sharing:
    """Decides whether the shifts of a call share what the model computes, and lets them."""

    def __init__(self, forward_func: Callable[..., Any], share: Any) -> None:
        """
        Args:
            forward_func: The model.
            share: True, or "auto" to share only where that is faster.
        """
        self.forward_func = forward_func
        self.auto = share == "auto"
        self.verdicts: dict[Any, bool] = {}
        self.warned = False

    def suits(self, call: Arguments, shifts: Chunk) -> bool:
        """Whether this call shares: it can, it gives the right answer, and, for "auto", it pays.

        Args:
            call: The call.
            shifts: As many of its shifts as run at once. An out-of-memory error is raised, not
                remembered, so that fewer can be tried.
        """
        if call.shifts.region is not None or call.one_at_a_time or len(call.shifts.values) == 1:
            return False
        if not any(call.dims) or any(
            dims and (dims != (-1,) or x.dim() != 3) for x, dims in zip(call.inputs, call.dims)
        ):
            return False
        shapes = [(tuple(x.shape), x.dtype, x.device) for x in call.inputs]
        key = (*shapes, call.shifts)
        if key not in self.verdicts:
            self.verdicts[key] = self._right(call, shifts) and (
                not self.auto or self._faster(call, shifts)
            )
        return self.verdicts[key]

    def _right(self, call: Arguments, shifts: Chunk) -> bool:
        copies = Copies(call.one_example(), shifts)
        try:
            got = copies.output(self.forward_func, windows(copies, copies.call.inputs))
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            return self._warn(f"it failed with {type(error).__name__}: {error}")
        expected = copies.output(self.forward_func, copies.inputs())
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
            warn(
                "ShiftSmooth shares nothing between shifts of this model and runs it once per "
                f"shift: when sharing was tried on one example, {reason}"
            )
        return False

    def _faster(self, call: Arguments, shifts: Chunk) -> bool:
        few = Copies(call, shifts[:3])
        apart = self._seconds(few) * len(shifts) / len(few.shifts)
        # Ask for 20 %: less than that is within timing noise.
        return self._seconds(Copies(call, shifts), windows) < 0.8 * apart

    def _seconds(self, copies: Copies, make: Callable = Copies.inputs) -> float:
        def now() -> float:
            if copies.call.inputs[0].is_cuda:
                torch.cuda.synchronize(copies.call.inputs[0].device)
            return time.perf_counter()

        times = []
        for _ in range(2):  # the first run of a shape also prepares its kernels and memory
            start = now()
            copies.summed_gradient(self.forward_func, make)
            times.append(now() - start)
        return min(times)


def windows(copies: Copies, tensors: Tensors) -> Tensors:
    """`tensors`, shaped like the inputs, as windows, one for each of the chunk's shifts."""
    call = copies.call
    return tuple(
        _window(x.to(like.dtype), call.shifts, copies.shifts)
        if dims
        else torch.cat([x] * len(copies.shifts)).to(like.dtype)
        for x, dims, like in zip(tensors, call.dims, call.inputs)
    )


def _window(x: Tensor, shifts: Shifts, chunk: Chunk) -> Windows:
    length = x.size(-1)
    if shifts.edges == "flanks":
        reach = shifts.reach
        return Windows.of(x, [reach - n for n in chunk], length - 2 * reach)
    before, after = max(0, *chunk), max(0, *(-n for n in chunk))
    around = torch.cat((x[..., length - before :], x, x[..., :after]), -1)
    return Windows.of(around, [before - n for n in chunk], length)
