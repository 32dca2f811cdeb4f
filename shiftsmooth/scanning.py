"""All windows along one long sequence: the limit of ShiftSmooth where real flanks never end.

    T(x) = sum_k f(window k of x)        A(x)_i = dT/dx_i / (how many windows hold i)

Every base is averaged over all windows that hold it. One pass of what the windows share serves them
all, in tiles that overlap by a window, so that memory does not grow with the sequence.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ._captum import progress_bar
from .arguments import Arguments, Target, check_model
from .chunks import Chunks
from .sharing import Share, Sharing
from .sharing.tiles import TileSharer
from .shifts import Spaced, integer

MOST = 1 << 16  # positions of a tile, or a few windows: a longer one hardly saves more


class Scanner:
    """A model on every `step`-th window of sequences; what it learns of the model, it keeps."""

    def __init__(
        self,
        model: Callable[..., Tensor],
        target: Target = 0,
        *,
        window: int,
        step: int = 1,
        strands: int = 1,
        share: Share = "auto",
    ) -> None:
        """Set up for a model; for the arguments see `shiftsmooth.scan`."""
        check_model("model", model)
        if integer("window", window) < 1:
            raise ValueError(f"window: expected 1 or more, got {window}")
        if integer("step", step) < 1:
            raise ValueError(f"step: expected 1 or more, got {step}")
        if strands not in (1, 2):
            raise ValueError(f"strands: expected 1 or 2, got {strands!r}")
        self.target, self.window, self.step, self.strands = target, window, step, strands
        self._tiles = TileSharer(model, share, Chunks())

    @property
    def sharing(self) -> Sharing | None:
        """What became of sharing in the last call; None before the first."""
        return self._tiles.told

    def windows(self, length: int) -> int:
        """Return how many windows a sequence has."""
        return max(0, (length - self.window) // self.step + 1)

    def __call__(
        self,
        sequence: Tensor,
        *,
        differentiate: bool = True,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        verbose: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the outputs (windows,) and the mean gradient (C, L), on the CPU.

        Args:
            sequence: (C, L), where L is at least a window.
            differentiate: Whether the gradient is wanted.
            dtype: What tiles are cast to.
            device: Where tiles go.
            verbose: Whether to show a progress bar over windows.
        """
        count = self.windows(sequence.size(-1))
        outputs = torch.empty(count, dtype=dtype)
        total = torch.zeros(sequence.shape, dtype=dtype) if differentiate else None

        def tile(first: int, windows: int) -> Tensor:
            start = first * self.step
            stop = start + (windows - 1) * self.step + self.window
            return sequence[:, start:stop].to(device, dtype)

        most = min(count, 1 + max(MOST, 3 * self.window) // self.step)
        size = self._tiles.at_once(self._call(tile(0, most), most))
        with progress_bar("Scan", count, verbose) as bar:
            for first in range(0, count, size):
                windows = min(size, count - first)
                found, gradient = self._tile(tile(first, windows), windows, differentiate)
                outputs[first : first + windows] = found.cpu()
                if total is not None and gradient is not None:
                    start = first * self.step
                    total[:, start : start + gradient.size(-1)] += gradient.cpu()
                bar.update(windows)
        if total is not None:
            total /= self.holding(sequence.size(-1)).clamp_min(1)
        return outputs, total

    def _call(self, x: Tensor, windows: int) -> Arguments:
        starts = range(0, windows * self.step, self.step)
        shifts = Spaced(starts, "spaced", width=self.window)
        return Arguments((x[None],), False, self.target, (), shifts, ((-1,),), {}, None, 1)

    def _tile(self, x: Tensor, windows: int, differentiate: bool) -> tuple[Tensor, Tensor | None]:
        """The outputs (windows,) and the gradient (C, L) of a tile, averaged over strands."""
        outputs, gradient = self._tiles.tile(self._call(x, windows), differentiate)
        if self.strands == 1:
            return outputs, gradient
        # The other strand's windows come in the opposite order.
        other = self._call(x.flip(-2, -1), windows)
        its_outputs, its_gradient = self._tiles.tile(other, differentiate)
        outputs = (outputs + its_outputs.flip(0)) / 2
        if gradient is None or its_gradient is None:
            return outputs, None
        return outputs, (gradient + its_gradient.flip(-2, -1)) / 2

    def holding(self, length: int) -> Tensor:
        """Return how many windows hold each position of a sequence."""
        places = torch.arange(length)
        last = (places // self.step).clamp_max(self.windows(length) - 1)
        before = (places - self.window).div(self.step, rounding_mode="floor").clamp_min(-1)
        return (last - before).clamp_min(0)
