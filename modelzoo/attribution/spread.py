"""The standard deviation over shifts of what a letter contributes: an error bar per letter."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from modelzoo.attribution.methods import Method, maps
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


def spread_of(
    model: nn.Module, x: Tensor, method: Method, target: int, shifts: Iterable[int]
) -> Tensor:
    """Return the same of any method of single windows, at the cost of one call for each shift.

    Args:
        model: In eval mode.
        x: One-hot sequences, (B, 4, L).
        method: Of the registry, one that does not shift itself.
        target: The column of the model's output.
        shifts: The deviation is over these.
    """
    chosen = list(shifts)
    windows = torch.cat([x.roll(shift, -1) for shift in chosen])
    found = maps(model, windows, method, target=target).chunk(len(chosen))
    back = torch.stack([one.roll(-shift, -1) for one, shift in zip(found, chosen)])
    return (back * (x == 1)).sum(2).std(0, correction=0)
