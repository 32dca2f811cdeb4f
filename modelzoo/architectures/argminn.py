"""ARGMINN, a network whose motifs and syntax are read off its weights and activations.

A = ReLU(conv(S))                                   (1)  motif scanners: what matches where
q = W_q m_{l-1}, K = W_k [A|P], V = W_v [A|P]       (3)  one query, from the memory stream
m_l = m_{l-1} + MLP(softmax(K q / sqrt(d)) V)       (3)  m_0 = 1; A and P are read in every layer

Tseng et al. 2024; P are sinusoidal positions. There is one query per sequence, so keys and values
need not be computed per token: q . W_k x = (W_k' q) . x, and sum_t a_t W_v x_t = W_v sum_t a_t x_t.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.architectures.arguments import (
    Count,
    Even,
    Layers,
    Names,
    Positions,
    Probability,
    Width,
)
from modelzoo.architectures.layers import UNKNOWN, as_input, pooled, sinusoids
from modelzoo.architectures.pretrained import Pretrained, register


class Trace(NamedTuple):
    """The result of a forward pass of `ARGMINN`, with what it was computed from.

    Attributes:
        logits: (B, tasks).
        activations: Of the motif scanners, (B, filters, T), T = L - width + 1.
        attention: Of every layer and head, (B, layers, heads, T); sums to 1 over T.
    """

    logits: Tensor
    activations: Tensor
    attention: Tensor


class Instance(NamedTuple):
    """A motif that ARGMINN attended to.

    Attributes:
        sequence: The row of the batch.
        start: Leftmost position of the filter's window.
        filter: The filter that detected it.
        attention: The highest attention that a head of any layer paid to it.
        activation: The filter's activation there.
    """

    sequence: int
    start: int
    filter: int
    attention: float
    activation: float


class MemoryAttention(nn.Module):
    """One layer of the syntax builder: it adds the result of its attention to the memory stream.

    Args:
        token_size: Size d of a token, activations and position together.
        stream_size: Size of the memory stream.
        heads: Number of heads; divides `token_size`.
        dropout: Dropout probability of scores, context and update. A dropped score takes no part
            in the softmax; a score of 0 would be higher than some that are kept.
    """

    def __init__(self, token_size: int, stream_size: int, heads: int, dropout: float) -> None:
        super().__init__()
        if token_size % heads:
            raise ValueError(
                f"heads: expected a divisor of the token's size {token_size}, got {heads}"
            )
        self.heads = heads
        self.query = nn.Linear(stream_size, token_size)
        self.key = nn.Linear(token_size, token_size, bias=False)  # softmax would cancel a bias
        self.value = nn.Linear(token_size, token_size)
        self.dropout = nn.Dropout(dropout)
        self.context = nn.Sequential(
            nn.Linear(token_size, token_size), nn.Dropout(dropout), nn.LayerNorm(token_size)
        )
        self.update = nn.Sequential(
            nn.Linear(token_size, stream_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(stream_size, stream_size),
            nn.Dropout(dropout),
            nn.LayerNorm(stream_size),
        )

    def forward(
        self, stream: Tensor, activations: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the new stream and the attention.

        Args:
            stream: (B, stream_size).
            activations: (B, F, T), the first F features of every token.
            positions: (P, T), the other features, the same for all sequences.

        Returns:
            (B, stream_size) and (B, heads, T).
        """
        filters = activations.shape[1]
        size = self.key.in_features
        query = self.query(stream).unflatten(1, (self.heads, -1))  # (B, heads, d / heads)
        asked = torch.einsum("bhk,hkd->bhd", query, self._by_head(self.key.weight))
        scores = asked[..., :filters] @ activations + self._scored(asked[..., filters:], positions)
        scores = scores / math.sqrt(size)
        if self.training:
            dropped = self.dropout(torch.ones_like(scores)) == 0
            scores = scores.masked_fill(dropped, torch.finfo(scores.dtype).min)
        attention = scores.softmax(dim=-1)
        seen = torch.cat([attention @ activations.mT, self._met(attention, positions)], dim=-1)
        values = torch.einsum("bhd,hkd->bhk", seen, self._by_head(self.value.weight))
        values = values + self._by_head(self.value.bias)
        return stream + self.update(self.context(values.flatten(1))), attention

    def _scored(self, asked: Tensor, positions: Tensor) -> Tensor:
        """Return how well each position fits what heads ask for, (B, heads, T)."""
        return asked @ positions

    def _met(self, attention: Tensor, positions: Tensor) -> Tensor:
        """Return the positions that heads looked at, on average, (B, heads, P)."""
        return attention @ positions.mT

    def _by_head(self, parameter: Tensor) -> Tensor:
        return parameter.unflatten(0, (self.heads, -1))


@register
class ARGMINN(Pretrained):
    """The network of Tseng et al. (2024); the defaults are the paper's.

    Args:
        filters: Number of motif scanners.
        width: Bases that each of them spans.
        position_size: Size of the sinusoidal encoding of a position; even.
        stream_size: Size of the memory stream.
        layers: Number of layers of the syntax builder.
        heads: Attention heads of each layer.
        dropout: Probability that training drops a score or a feature.
        tasks: Names of the outputs.
    """

    architecture = "argminn"

    def __init__(
        self,
        filters: Count = 8,
        width: Width = 10,
        position_size: Even = 16,
        stream_size: Count = 128,
        layers: Layers = 2,
        heads: Count = 4,
        dropout: Probability = 0.1,
        tasks: Names = ("binding",),
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.width, self.position_size, self.stream_size = width, position_size, stream_size
        #: The motif scanners; their weights (filters, 4, width) are the motifs.
        self.scanners = nn.Conv1d(4, filters, width)
        self.layers = nn.ModuleList(
            MemoryAttention(filters + position_size, stream_size, heads, dropout)
            for _ in range(layers)
        )
        self.output = nn.Linear(stream_size, len(self.tasks))
        for layer in self.layers:
            self.sharpen(layer)

    @torch.no_grad()
    def sharpen(self, layer: nn.Module) -> None:
        """Scale a layer's first weights so that it prefers some activations from the start.

        With PyTorch's initialisation attention is nearly even, and the mean over all positions
        hides a single motif: training then often does not begin to learn.
        """
        assert isinstance(layer, MemoryAttention)
        layer.query.weight *= 15
        layer.key.weight[:, : self.scanners.out_channels] *= 15

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.trace(x).logits

    def activations(self, x: Tensor) -> Tensor:
        """Return the scanners' activations, (B, 4, L) -> (B, filters, L - width + 1).

        A sequence shorter than a filter is padded with unknown bases.
        """
        x = as_input(x, self.scanners.weight)
        missing = max(0, self.width - x.shape[-1])
        return torch.relu(self.scanners(F.pad(x, (0, missing), value=UNKNOWN)))

    def trace(self, x: Tensor) -> Trace:
        """Return the logits with the activations and the attention that they come from."""
        activations = self.activations(x)
        positions = sinusoids(activations.shape[-1], self.position_size).to(activations)
        stream = activations.new_ones(len(activations), self.stream_size)
        attention = []
        for layer in self.layers:
            stream, paid = layer(stream, activations, positions)
            attention.append(paid)
        return Trace(self.output(stream), activations, torch.stack(attention, dim=1))

    def instances(self, x: Tensor, *, minimum: float = 0.9) -> list[Instance]:
        """Return the motifs that were attended to, highest attention first (appendix B.4).

        A position counts where one head of one layer pays it at least `minimum` of its
        attention; there, every filter with at least its mean activation over the batch. Ranked by
        attention, then by activation. The mean is over `x`, so pass all sequences at once.

        Args:
            x: (B, 4, L); the model should be in eval mode.
            minimum: The lowest attention that counts; 0 ranks all positions.
        """
        with torch.no_grad():
            trace = self.trace(x)
        paid = trace.attention.amax(dim=(1, 2))  # (B, T)
        strong = trace.activations >= trace.activations.mean(dim=(0, 2), keepdim=True)
        strong &= trace.activations > 0
        found = torch.nonzero(strong & (paid >= minimum)[:, None])
        rows, filters, starts = found.T
        columns = (
            rows,
            starts,
            filters,
            paid[rows, starts],
            trace.activations[rows, filters, starts],
        )
        listed: Iterator[Instance] = map(Instance._make, zip(*(c.tolist() for c in columns)))
        return sorted(listed, key=lambda i: (-i.attention, -i.activation))


@register
class PlainCNN(Pretrained):
    """The convolutional network that the paper compares ARGMINN with (appendix B.2).

    Three convolutions of eight filters, one pooling, two hidden layers; each with ReLU, then batch
    normalisation. It takes sequences of one length only.

    Args:
        length: Length of the sequences, in bases.
        filters: Filters of each convolution.
        tasks: Names of the outputs.
    """

    architecture = "plain-cnn"
    WIDTHS = (10, 5, 5)
    POOL = 40
    HIDDEN = (10, 5)

    def __init__(
        self, length: Positions = 500, filters: Count = 8, tasks: Names = ("binding",)
    ) -> None:
        super().__init__()
        first, second, third = self.WIDTHS
        windows = pooled(length, (first, 1), (second, 1), (third, self.POOL))
        self.tasks = tuple(tasks)
        self.length = length
        layers: list[nn.Module] = []
        channels = 4
        for width in self.WIDTHS:
            layers += [nn.Conv1d(channels, filters, width), nn.ReLU(), nn.BatchNorm1d(filters)]
            channels = filters
        layers += [nn.MaxPool1d(self.POOL), nn.Flatten()]
        features = filters * windows
        for size in self.HIDDEN:
            layers += [nn.Linear(features, size), nn.ReLU(), nn.BatchNorm1d(size)]
            features = size
        self.layers = nn.Sequential(*layers, nn.Linear(features, len(self.tasks)))

    @property
    def scanners(self) -> nn.Conv1d:
        """The first convolution, to be read as motifs."""
        return self.layers[0]  # type: ignore[return-value]

    def activations(self, x: Tensor) -> Tensor:
        """Return the first convolution's activations, (B, 4, L) -> (B, filters, L - 9)."""
        return self.layers[:2](as_input(x, self.scanners.weight))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, length) of any dtype -> (B, tasks)."""
        x = as_input(x, self.scanners.weight)
        if x.shape[-1] != self.length:
            raise ValueError(f"x: expected {self.length} bases, got {x.shape[-1]}")
        return self.layers(x)
