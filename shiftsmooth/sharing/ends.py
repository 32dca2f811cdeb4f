"""A convolution where windows see the model's padding: at their ends, for all windows at once.

There the windows share nothing, but evenly spaced windows differ in the same way at each position,
so that position p of all of them is one matrix product. The tensors in here are therefore
(positions, channels, windows): the windows are next to each other in memory.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


def windows_last(strip: Tensor) -> Tensor:
    """A strip (windows, channels, positions) as (positions, channels, windows), or back."""
    return strip.permute(2, 1, 0)


class ConvAtEnd(torch.autograd.Function):
    """The convolution of some positions of all windows, of which a few are in a strip.

    Weights and bias are constants here: a scan has no use for their gradients.
    """

    @staticmethod
    def forward(
        ctx: Any,
        strip: Tensor,
        region: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        left: bool,
        spacing: int,
        stride: int,
        dilation: int,
    ) -> Tensor:
        """Return (results, filters, windows).

        Args:
            ctx: What is kept for the backward pass.
            strip: (positions, channels, windows).
            region: (channels, M), what the map holds of these positions, of all windows.
            weight: (filters, channels, K).
            bias: (filters,).
            left: Whether the strip is before the region or behind it.
            spacing: How far a window starts behind the one before.
            stride: Of the convolution.
            dilation: Of the convolution.
        """
        windows, reach = strip.size(-1), (strip.size(-1) - 1) * spacing + 1
        inside = region.size(-1) - reach + 1
        x = strip.new_empty(len(strip) + inside, *strip.shape[1:])
        parts = (len(strip), inside) if left else (inside, len(strip))
        on_strip, on_map = x.split(parts) if left else reversed(x.split(parts))
        on_strip.copy_(strip)
        for i, row in enumerate(on_map):
            row.copy_(region[:, i : i + reach : spacing])
        starts = range(0, len(x) - dilation * (weight.size(-1) - 1), stride)
        found = x.new_empty(len(starts), len(weight), windows)
        for results, rows, matrix in _products(weight, len(x), starts, dilation):
            out, given = found[results].view(-1, windows), x[rows].reshape(-1, windows)
            if bias is None:
                torch.mm(matrix, given, out=out)
            else:
                torch.addmm(bias.repeat(len(found[results]))[:, None], matrix, given, out=out)
        ctx.save_for_backward(weight)
        ctx.geometry = left, spacing, dilation, starts, inside, x.shape, region.shape
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradients of the strip and of the region."""
        (weight,) = ctx.saved_tensors
        left, spacing, dilation, starts, inside, shape, of_region = ctx.geometry
        windows = shape[-1]
        x = weight.new_zeros(shape)
        for results, rows, matrix in _products(weight, len(x), starts, dilation):
            gradient = gradients[0][results].reshape(-1, windows)
            if rows.step is None:
                x[rows].view(-1, windows).addmm_(matrix.T, gradient)
            else:
                x[rows] += (matrix.T @ gradient).view_as(x[rows])
        parts = (len(x) - inside, inside) if left else (inside, len(x) - inside)
        on_strip, on_map = x.split(parts) if left else reversed(x.split(parts))
        region = weight.new_zeros(of_region)
        reach = (shape[-1] - 1) * spacing + 1
        for i, row in enumerate(on_map):
            region[:, i : i + reach : spacing] += row
        return on_strip, region, *[None] * 6


def _products(
    weight: Tensor, length: int, starts: range, dilation: int
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Which results come of which positions, by which matrix (results * F, positions * C).

    One product with the zeros of a banded matrix is faster than several, where these are few.
    """
    taps = weight.size(-1)
    flat = weight.transpose(1, 2)  # (filters, K, channels)
    if length <= 2 * taps:
        band = weight.new_zeros(len(starts), len(weight), length, weight.size(1))
        for i, start in enumerate(starts):
            band[i, :, start : start + dilation * (taps - 1) + 1 : dilation] = flat
        yield slice(None), slice(None), band.flatten(2).flatten(0, 1)
        return
    for i, start in enumerate(starts):
        step = None if dilation == 1 else dilation
        rows = slice(start, start + dilation * (taps - 1) + 1, step)
        yield slice(i, i + 1), rows, flat.flatten(1)
