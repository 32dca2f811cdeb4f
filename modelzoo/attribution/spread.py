"""The standard deviation over shifts of what a letter contributes: an error bar per letter."""

from __future__ import annotations

from torch import Tensor, nn

from shiftsmooth import ShiftSmooth


class _Centred(nn.Module):
    """A model of what remains of x after its mean over the letters is taken away.

    On one-hot letters it is the model itself. Its gradient is the model's gradient less the mean
    over the letters, for every shift, which is what the spread is of.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x - x.mean(1, keepdim=True) + 0.25)


def spread(model: nn.Module, x: Tensor, target: int, max_shift: int) -> Tensor:
    """Return the standard deviation over shifts of the contribution of each letter present, (B, L).

    Args:
        model: In eval mode.
        x: One-hot sequences, (B, 4, L); the spread of an ambiguous letter is zero.
        target: The column of the model's output.
        max_shift: N; the deviation is over the 2 N + 1 shifts.
    """
    variance = ShiftSmooth(_Centred(model)).attribute(
        x, target=target, max_shift=max_shift, reduction="variance"
    )
    return (variance * (x == 1)).sum(1).clamp(min=0).sqrt().detach()
