"""How many shifts run at once: as many as is fast and fits.

More rows at once is not always faster. On a CPU the activations of a batch that outgrows the caches
are written to and read back from memory, freshly mapped each time; on a GPU larger is faster until
it no longer fits.
"""

from collections.abc import Callable
from typing import Any

import torch
from captum.attr import GradientAttribution
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ._captum import progress_bar
from .call import Offsets, ShiftedCall, Tensors
from .shifts import integers

# Bytes of activations, kept for the backward pass, that a CPU handles fastest at once: measured by
# benchmarks/test_speed.py, where anything from 40 to 140 MiB is within a few percent of the best.
CPU_BYTES = 88 << 20


class Chunks:
    """How many shifts to run at once, measured when inputs of a shape are first seen."""

    def __init__(self) -> None:
        self._measured: dict[Any, int] = {}

    def choose(self, call: ShiftedCall, forward_func: Callable[..., Any], method: Any) -> int:
        """The shifts at once: on a CPU what keeps about `CPU_BYTES`, elsewhere all of them.

        A gradient method inside makes batches of its own, of as many rows as it has steps or
        references; a CPU gives it one shift at a time.
        """
        offsets = call.shifts.offsets
        if call.inputs[0].device.type != "cpu" or len(offsets) == 1:
            return len(offsets)
        if isinstance(method, GradientAttribution):
            return 1
        key = tuple((x.shape, x.dtype) for x in call.inputs)
        if key not in self._measured:
            self._measured[key] = _kept(call, forward_func)
        chunks = -(-len(offsets) // max(1, CPU_BYTES // max(1, self._measured[key])))
        return -(-len(offsets) // chunks)  # as few chunks as can be, of about equal size


def _kept(call: ShiftedCall, forward_func: Callable[..., Any]) -> int:
    """Bytes that autograd keeps of one forward pass of one shift."""
    kept, largest = 0, 0

    def count(x: Tensor) -> Tensor:
        nonlocal kept, largest
        if not (x.is_leaf and x.requires_grad):  # a parameter does not grow with the batch
            size = x.numel() * x.element_size()
            kept, largest = kept + size, max(largest, size)
        return x.detach()

    first = call.shifts.offsets[:1]
    leaves = tuple(x.detach().requires_grad_(x.is_floating_point()) for x in call.inputs)
    with torch.random.fork_rng(devices=[]), saved_tensors_hooks(count, lambda x: x):
        call.run(forward_func, call.copies(leaves, first), first)
    # Above 32 MiB an allocation is new pages each time, which costs more than what it holds.
    return max(kept, 3 * largest)


def accumulate(
    step: Callable[[Offsets], Tensors],
    offsets: Offsets,
    at_once: int,
    halve: bool,
    show_progress: bool = False,
) -> Tensors:
    """The sums of `step` over all offsets, taken in chunks.

    Args:
        step: Gives, for a chunk of offsets, tensors that are to be summed over chunks.
        offsets: All offsets.
        at_once: Offsets a chunk.
        halve: Halve the chunk and go on when memory runs out, instead of raising.
        show_progress: Whether to show a bar that counts offsets.
    """
    if integers("shifts_per_eval", (at_once,))[0] < 1:
        raise ValueError(f"shifts_per_eval must be None or 1 or more, got {at_once}")
    totals: Tensors = ()
    done = 0
    with progress_bar("Shifts", len(offsets), show_progress) as bar:
        while done < len(offsets):
            chunk = offsets[done : done + at_once]
            try:
                part = step(chunk)
            except torch.OutOfMemoryError:
                if not halve or len(chunk) == 1:
                    raise
                at_once = len(chunk) // 2
                continue
            totals = tuple(a + b for a, b in zip(totals, part)) if done else part
            done += len(chunk)
            bar.update(len(chunk))
    return totals
