"""The standard deviation over shifts of what a letter contributes: an error bar per letter."""

from __future__ import annotations

from torch import Tensor, nn

from shiftsmooth import shift_smooth


def spread(model: nn.Module, x: Tensor, target: int, max_shift: int) -> Tensor:
    """Return the standard deviation over shifts of the contribution of each letter present, (B, L).

    Args:
        model: In eval mode.
        x: One-hot sequences, (B, 4, L); the spread of an ambiguous letter is zero.
        target: The column of the model's output.
        max_shift: N; the deviation is over the 2 N + 1 shifts.
    """
    _, deviation = shift_smooth(
        model, x, target=target, max_shift=max_shift, spread=True, device=x.device
    )
    return (deviation * (x == 1).cpu()).sum(1)
