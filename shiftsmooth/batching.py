"""How many shifts run at once: as many as is fast and fits.

More rows at once is not always faster. On a CPU the activations of a batch that outgrows the caches
are written to and read back from memory, freshly mapped each time; on a GPU larger is faster until
it no longer fits.
"""

from collections.abc import Callable
from contextlib import nullcontext

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from ._captum import progress_bar
from .shifts import integers

# Bytes of activations kept for the backward pass below which a CPU gains from more rows at once.
CPU_BYTES = 48 << 20

Sums = tuple[Tensor, ...]


def accumulate(
    step: Callable[[tuple[int, ...]], Sums],
    offsets: tuple[int, ...],
    at_once: int | None,
    device: torch.device,
    show_progress: bool = False,
) -> Sums:
    """The sums of `step` over all offsets, taken in chunks.

    Args:
        step: Gives, for a chunk of offsets, tensors that are to be summed over chunks.
        offsets: All offsets.
        at_once: Offsets a chunk; None chooses: on a CPU from what the first one keeps for its
            backward pass, elsewhere all at once, halved whenever memory runs out.
        device: Where the work is done.
        show_progress: Whether to show a bar that counts offsets.
    """
    if at_once is not None and integers("shifts_per_eval", (at_once,))[0] < 1:
        raise ValueError(f"shifts_per_eval must be None or 1 or more, got {at_once}")
    measured = at_once is None and device.type == "cpu"
    size = at_once or (1 if measured else len(offsets))
    totals: Sums | None = None
    done = 0
    with progress_bar("Shifts", len(offsets), show_progress) as bar:
        while done < len(offsets):
            chunk = offsets[done : done + size]
            saved = _Saved()
            try:
                with saved.hooks() if measured and not done else nullcontext():
                    part = step(chunk)
            except torch.OutOfMemoryError:
                if at_once is not None or size == 1:
                    raise
                size //= 2
                continue
            totals = part if totals is None else tuple(a + b for a, b in zip(totals, part))
            done += len(chunk)
            bar.update(len(chunk))
            if measured and done == 1 < len(offsets):
                size = _even(len(offsets) - 1, max(1, CPU_BYTES // max(1, saved.bytes)))
    assert totals is not None
    return totals


def _even(items: int, size: int) -> int:
    """The chunk size, at most `size`, that cuts `items` into the fewest and most even chunks."""
    chunks = -(-items // size)
    return -(-items // chunks)


class _Saved:
    """Counts the bytes that autograd keeps for the backward pass."""

    def __init__(self) -> None:
        self.bytes = 0

    def hooks(self) -> saved_tensors_hooks:
        return saved_tensors_hooks(self._count, lambda x: x)

    def _count(self, x: Tensor) -> Tensor:
        if not (x.is_leaf and x.requires_grad):  # a parameter does not grow with the batch
            self.bytes += x.numel() * x.element_size()
        return x
