"""Layers and input handling that several architectures share.

A strand-symmetric layer keeps its channels in an order in which reverse complementing is one flip
of channels and positions, as it is for one-hot A, C, G, T itself. Such layers stack: the feature
maps of a sequence and of its reverse complement are flips of each other.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

UNKNOWN = 0.25  # each channel of a position outside the sequence: any base is as likely


class StrandConv1d(nn.Module):
    """A convolution that sees both strands: each filter is also applied reverse complemented.

    Args:
        in_channels: Channels of the input, in an order that reverse complementing flips.
        filters: Number of filters; the output has twice as many channels, the second half being
            the reverse-strand filters in reversed order.
        width: Positions that a filter spans; odd, so that the map is as long as the input.
        fill: What the input is padded with, half of what a filter spans on either side.
        dilation: Step between the positions that a filter looks at.
    """

    def __init__(
        self, in_channels: int, filters: int, width: int, fill: float = 0.0, dilation: int = 1
    ) -> None:
        super().__init__()
        if width < 1 or width % 2 == 0:
            raise ValueError(f"widths: expected odd numbers, got {width}")
        if filters < 1:
            raise ValueError(f"filters: expected at least 1, got {filters}")
        self.fill, self.dilation = fill, dilation
        self.weight = nn.Parameter(torch.empty(filters, in_channels, width))
        self.bias = nn.Parameter(torch.zeros(filters))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature maps, (B, in_channels, L) -> (B, 2 * filters, L)."""
        weight = torch.cat([self.weight, self.weight.flip(0, 1, 2)])
        bias = torch.cat([self.bias, self.bias.flip(0)])
        flank = self.weight.shape[-1] // 2 * self.dilation
        padded = F.pad(x, (flank, flank), value=self.fill)
        return F.conv1d(padded, weight, bias, dilation=self.dilation)


class StrandNorm(nn.Module):
    """Batch norm with one scale, one bias and one pair of running statistics for both strands.

    A batch in training is normalised by each channel's statistics in that batch, which differ a
    little between the strands; the running statistics are the mean of the two.

    Args:
        channels: Channels of the input, in an order that reverse complementing flips.
    """

    mean: Tensor
    var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels // 2))
        self.bias = nn.Parameter(torch.zeros(channels // 2))
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("var", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Return the normalised maps, (B, channels, L) -> (B, channels, L)."""
        weight = torch.cat([self.weight, self.weight.flip(0)])
        bias = torch.cat([self.bias, self.bias.flip(0)])
        if self.training:
            return F.batch_norm(maps, self.mean, self.var, weight, bias, training=True)
        mean, var = ((s + s.flip(0)) / 2 for s in (self.mean, self.var))
        return F.batch_norm(maps, mean, var, weight, bias)


class Recurrent(nn.Module):
    """Two bidirectional LSTM layers with 50 % dropout after each.

    Args:
        channels: Channels of the maps it reads.
        state: Size of each direction's state.
    """

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            channels, state, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True
        )
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the states, (B, channels, positions) -> (B, positions, 2 * state)."""
        return self.dropout(self.lstm(maps.transpose(1, 2))[0])


class Exp(nn.Module):
    """The exponential, elementwise."""

    def forward(self, x: Tensor) -> Tensor:
        """Return exp(x)."""
        return x.exp()


def convolution(
    channels: int, filters: int, width: int, pool: int, padding: int = 0
) -> list[nn.Module]:
    """Return a convolution with batch norm, ReLU and max pooling."""
    return [
        nn.Conv1d(channels, filters, width, padding=padding),
        nn.BatchNorm1d(filters),
        nn.ReLU(),
        nn.MaxPool1d(pool),
    ]


def dense(hidden: int, dropout: float = 0.3) -> list[nn.Module]:
    """Return a fully connected layer of any input size, with batch norm, ReLU and dropout."""
    return [nn.LazyLinear(hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]


def as_input(x: Tensor, like: Tensor) -> Tensor:
    """Return `x` in the dtype of `like` after checking that it is (B, 4, L) with L >= 1."""
    if x.dim() != 3 or x.shape[1] != 4 or x.shape[2] < 1:
        raise ValueError(f"x: expected the shape (B, 4, L) with L >= 1, got {tuple(x.shape)}")
    return x.to(like.dtype)


def windowed(x: Tensor, length: int) -> Tensor:
    """Return the central window of `x`, (B, 4, L) -> (B, 4, length).

    A longer input loses its ends; a shorter one is padded with 0.25 on both sides, any base being
    as likely. So a model that was trained on windows around peaks sees the middle.
    """
    missing = length - x.shape[-1]
    if missing == 0:
        return x
    left = math.floor(missing / 2)
    return F.pad(x, (left, missing - left), value=UNKNOWN)  # a negative padding crops


def sinusoids(length: int, size: int) -> Tensor:
    """Return the encoding of positions 0 to length - 1, (size, length).

    Row 2j is sin(i / 10000^(2j / size)), row 2j + 1 its cosine.
    """
    rates = 10000.0 ** (-torch.arange(0, size, 2) / size)
    angles = rates[:, None] * torch.arange(length)
    return torch.stack([angles.sin(), angles.cos()], dim=1).flatten(0, 1)
