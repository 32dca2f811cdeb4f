"""How many shifts run at once, and the run over all of them.

More rows at once is not always faster. On a CPU the activations of a batch that outgrows the caches
are written to and read back from memory, freshly mapped each time; on a GPU larger is faster until
it no longer fits.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ._captum import progress_bar
from .arguments import Arguments, Tensors
from .copies import Chunk, Copies
from .steps import Step

# Bytes of activations, kept for the backward pass, that a CPU handles fastest at once: measured by
# benchmarks/test_speed.py, where anything from 40 to 140 MiB is within a few percent of the best.
CPU_BYTES = 90 << 20

Result = TypeVar("Result")


class Chunks:
    """How many shifts to run at once, measured when inputs of a shape are first seen."""

    def __init__(self, cpu_bytes: int = CPU_BYTES) -> None:
        """Set the limit.

        Args:
            cpu_bytes: How many bytes of activations a CPU should keep at once.
        """
        self.cpu_bytes = cpu_bytes
        self._measured: dict[Any, int] = {}

    def run(
        self,
        step: Step,
        add: Callable[[Tensors], None],
        show_progress: bool = False,
    ) -> None:
        """Give `add` what `step` makes of all shifts, chunk after chunk."""
        halve = step.call.shifts_per_eval is None
        over(step, step.call.shifts.values, self.size(step), add, halve, show_progress)

    def size(self, step: Step) -> int:
        """The number of shifts at once: on a CPU what keeps about `cpu_bytes`, elsewhere all.

        A gradient method inside makes batches of its own, of as many rows as it has steps or
        references; a CPU gives it one shift at a time.
        """
        count = len(step.call.shifts.values)
        if step.alone:
            return 1
        if step.call.shifts_per_eval is not None:
            return step.call.shifts_per_eval
        if step.at_once is not None:
            return step.at_once
        if count == 1 or step.call.inputs[0].device.type != "cpu":
            return count
        if step.expands:
            return 1
        key = tuple((x.shape, x.dtype) for x in step.call.inputs)
        if key not in self._measured:
            self._measured[key] = _kept(step.call, step.forward_func)
        chunks = -(-count // max(1, self.cpu_bytes // max(1, self._measured[key])))
        return -(-count // chunks)  # as few chunks as can be, of about equal size


def _kept(call: Arguments, forward_func: Callable[..., Any]) -> int:
    """Bytes that autograd keeps of one forward pass of one shift."""
    kept, largest = 0, 0

    def count(x: Tensor) -> Tensor:
        nonlocal kept, largest
        if not (x.is_leaf and x.requires_grad):  # a parameter does not grow with the batch
            size = x.numel() * x.element_size()
            kept, largest = kept + size, max(largest, size)
        return x.detach()

    one = Copies(call, call.shifts.values[:1])
    leaves = tuple(x.detach().requires_grad_(x.is_floating_point()) for x in call.inputs)
    hooks = saved_tensors_hooks(count, lambda x: x)
    with torch.random.fork_rng(devices=[]), hooks, one.explained(forward_func):
        one.run(forward_func, one.inputs(leaves))
    # Above 32 MiB an allocation is new pages each time, which costs more than what it holds.
    return max(kept, 3 * largest)


def over(
    step: Callable[[Chunk], Tensors],
    shifts: Chunk,
    at_once: int,
    add: Callable[[Tensors], None],
    halve: bool,
    show_progress: bool = False,
) -> None:
    """Give `add` what `step` makes of `shifts`, `at_once` of them after the other.

    Args:
        step: Takes a chunk of shifts.
        shifts: All shifts.
        at_once: The number of shifts in a chunk.
        add: Takes what `step` gives.
        halve: Halve the chunk and go on when memory runs out, instead of raising.
        show_progress: Whether to show a bar that counts shifts.
    """
    with progress_bar("Shifts", len(shifts), show_progress) as bar:
        while shifts:
            part, at_once = first(step, shifts, at_once, halve)
            add(part)
            shifts = shifts[at_once:]
            bar.update(at_once)


def first(
    attempt: Callable[[Chunk], Result], shifts: Chunk, at_once: int, halve: bool
) -> tuple[Result, int]:
    """The result of `attempt` for the first `at_once` of `shifts`, and how many they were.

    They are fewer where memory runs out and `halve` is set.
    """
    at_once = min(at_once, len(shifts))
    while True:
        try:
            return attempt(shifts[:at_once]), at_once
        except torch.OutOfMemoryError:
            if not halve or at_once == 1:
                raise
            at_once //= 2
