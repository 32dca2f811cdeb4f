"""A model on the evenly spaced windows of a tile of a long sequence, sharing what they share."""

from dataclasses import replace

import torch
from torch import Tensor

from ..arguments import Arguments, Tensors
from ..chunks import CPU_BYTES
from ..copies import Chunk, Copies
from ..shifts import Spaced
from ..steps import SummedGradient
from .costs import Cost
from .decide import Sharer, compare, followed, in_double, leaves_of
from .follow import Following

# Bytes that a tile may keep: on a CPU a tile should stay near the caches, on a GPU fill it.
TILE_BYTES = {"cpu": CPU_BYTES // 2, "cuda": 1 << 30}


class TileSharer(Sharer):
    """Runs a model on all windows of a tile; the windows of a call are `shifts.Spaced`.

    Counts promise more than a tile keeps: where few windows overlap, up to twice as much time was
    measured (benchmarks/scan.py).
    """

    margin = 0.5

    def at_once(self, call: Arguments) -> int:
        """How many windows a tile should have.

        Args:
            call: The windows at the sequence's beginning, as many as a tile may have.
        """
        with torch.inference_mode(False), torch.enable_grad():
            plan = self._plan(call)
            self.told = plan.told
            return plan.at_once if plan.told.shared else self._apart_at_once(call)

    def tile(self, call: Arguments, differentiate: bool) -> tuple[Tensor, Tensor | None]:
        """The outputs of a tile's windows, (S,), and the gradient of their sum, (C, L).

        Args:
            call: The tile, its one example; `at_once` was asked before.
            differentiate: Whether the gradient is wanted.
        """
        with torch.inference_mode(False), torch.set_grad_enabled(differentiate):
            if self.told is not None and self.told.shared and len(call.shifts.values) > 1:
                try:
                    return self._shared(call, differentiate)
                except torch.OutOfMemoryError:
                    raise
                except Exception as error:
                    self.failed(call, error)
            return self._each(call, differentiate)

    def _shared(self, call: Arguments, differentiate: bool) -> tuple[Tensor, Tensor | None]:
        copies = Copies(call, call.shifts.values)
        leaves = leaves_of(copies) if differentiate else call.inputs
        run = self.following(call)
        output = followed(run, self.forward_func, copies, Copies.output, leaves)
        return _result(copies, output, leaves, differentiate)

    def _each(self, call: Arguments, differentiate: bool) -> tuple[Tensor, Tensor | None]:
        """The same, window after window in batches."""
        shifts, size = _spaced(call), self._apart_at_once(call)
        outputs, total = [], torch.zeros_like(call.inputs[0][0]) if differentiate else None
        for first in range(0, len(shifts.values), size):
            chunk = shifts.values[first : first + size]
            x, starts, width = shifts.around(call.inputs[0], -1, chunk)
            copies = Copies(replace(call, inputs=(x,)), starts)
            leaves = leaves_of(copies) if differentiate else (x,)
            windows = leaves[0].unfold(-1, width, chunk.step).movedim(-2, 0).flatten(0, 1)
            # A copy, since windows overlap in memory and the model may write into them.
            windows = windows.to(x.dtype).clone(memory_format=torch.contiguous_format)
            with copies.explained(self.forward_func):
                output = copies.output(self.forward_func, (windows,))
            found, gradient = _result(copies, output, leaves, differentiate)
            outputs.append(found)
            if total is not None and gradient is not None:
                total.narrow(-1, chunk[0], x.size(-1)).add_(gradient)
        return torch.cat(outputs), total

    def _apart_at_once(self, call: Arguments) -> int:
        return self.chunks.size(SummedGradient(call, self.forward_func))

    def _sized(self, call: Arguments, one: Arguments, shifts: Chunk) -> tuple[Following, int, Cost]:
        """A shared run, how many windows fit into a tile, and what a tile of them costs.

        Tiles grow, by what two sizes keep, until they are as large as they may be: a tile whose
        windows are written out can keep much more than one that is followed to the end.
        """
        count = len(shifts)
        size = min(count, max(3, self._apart_at_once(call)))
        run, two = self._counted(one, shifts[:2])
        if size == 2:
            return run, 2, two
        room = TILE_BYTES.get(call.inputs[0].device.type, TILE_BYTES["cuda"])
        while True:
            run, cost = self._counted(one, shifts[:size])
            each = max(1.0, (cost.kept - two.kept) / (size - 2))
            best = max(2, min(count, 2 + int((room - two.kept) / each)))
            if best <= 1.25 * size:
                return run, best, cost.between(two, (best - 2) / (size - 2))
            size = min(best, 8 * size)

    def _check(self, call: Arguments, at_once: int) -> bool:
        """Compare some windows of a tile both ways; False if nothing can be seen."""
        shifts = _spaced(call)
        x, starts, _ = shifts.around(call.inputs[0], -1, shifts.values[:at_once])
        shifts = replace(shifts, values=starts)
        copies = Copies(replace(call, inputs=(x,), shifts=shifts), starts)
        forward_func, copies = in_double(self.forward_func, copies) or (self.forward_func, copies)
        picked = sorted({0, 1, len(starts) // 2, len(starts) - 1})
        few = Copies(copies.call, [starts[i] for i in picked])
        return compare(self.following(copies.call), forward_func, copies, few)


def _spaced(call: Arguments) -> Spaced:
    assert isinstance(call.shifts, Spaced)
    return call.shifts


def _result(
    copies: Copies, output: Tensor, leaves: Tensors, differentiate: bool
) -> tuple[Tensor, Tensor | None]:
    gradient = copies.differentiated(output, leaves)[0][0] if differentiate else None
    return output.detach().reshape(-1), gradient
