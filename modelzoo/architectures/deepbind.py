"""DeepBind: convolution over both strands, ReLU, pooling over the whole sequence, a hidden layer.

A strand-symmetric layer keeps its channels in an order in which reverse complementing is one flip
of channels and positions, as it is for one-hot A, C, G, T itself. So such layers stack, the feature
maps of a sequence and of its reverse complement are flips of each other, and pooling over
positions and strands makes the prediction the same for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.architectures.pretrained import Pretrained, checked_tasks

UNKNOWN = 0.25  # each channel of a position outside the sequence: any base is as likely
POOLINGS = ("max", "max+mean")


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


class Expert(nn.Module, Pretrained):
    """A trunk, pooling over all positions and both strands, a hidden layer: what a gate can take.

    Args:
        trunk: The shift-equivariant part, (B, 4, L) -> (B, channels, L).
        channels: Channels of its maps, in an order that reverse complementing flips.
        pooling: ``"max"`` or ``"max+mean"``.
        dropout: Probability that training drops a pooled feature or a unit of the embedding.
        embedding_size: Size E of the embedding.
        tasks: Names of the outputs.
    """

    config: dict[str, Any]

    def __init__(
        self,
        trunk: nn.Module,
        channels: int,
        pooling: str,
        dropout: float,
        embedding_size: int,
        tasks: Sequence[str],
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling: expected one of {POOLINGS}, got {pooling!r}")
        self.trunk, self.channels = trunk, channels
        self.pooling = pooling
        self.embedding_size = embedding_size
        self.tasks = checked_tasks(tasks)
        self.dropout = nn.Dropout(dropout)
        self.hidden = nn.Linear(channels // 2 * len(pooling.split("+")), embedding_size)
        self.output = nn.Linear(embedding_size, len(self.tasks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.output(self.dropout(self.embed(x)))

    def embed(self, x: Tensor) -> Tensor:
        """Return the embedding e, (B, 4, L) of any dtype -> (B, embedding_size)."""
        return self.embed_maps(self.trunk(as_input(x, self.output.weight)))

    def embed_maps(self, maps: Tensor) -> Tensor:
        """Return the embedding of feature maps, (B, channels, L) -> (B, embedding_size)."""
        pooled = _over_strands(maps.max(dim=-1).values, torch.maximum)
        if self.pooling == "max+mean":
            pooled = torch.cat([pooled, _over_strands(maps.mean(dim=-1), torch.add)], dim=1)
        return torch.relu(self.hidden(self.dropout(pooled)))


class DeepBind(Expert):
    """One convolutional model of one factor: the expert of the mixture paper (section II-A).

    Args:
        filters: Number of filters of each convolution, first to last.
        widths: Width of each convolution's filters, in positions; odd.
        pooling: ``"max"`` or ``"max+mean"``, over all positions and both strands.
        dropout: Probability that training drops a pooled feature or a unit of the embedding.
        embedding_size: Size E of the embedding.
        tasks: Names of the outputs.

    Example:
        >>> import torch
        >>> from modelzoo.architectures.deepbind import DeepBind
        >>> model = DeepBind(filters=[8], widths=[11], tasks=["GATA3"])
        >>> model(torch.rand(2, 4, 50)).shape
        torch.Size([2, 1])
    """

    architecture = "deepbind"

    def __init__(
        self,
        filters: Sequence[int] = (128,),
        widths: Sequence[int] = (21,),
        pooling: str = "max+mean",
        dropout: float = 0.1,
        embedding_size: int = 32,
        tasks: Sequence[str] = ("binding",),
    ) -> None:
        if len(filters) != len(widths) or not filters:
            raise ValueError(
                f"filters, widths: expected one of each a convolution, got {filters} and {widths}"
            )
        layers: list[nn.Module] = []
        channels, fill = 4, UNKNOWN
        for count, width in zip(filters, widths):
            layers += [StrandConv1d(channels, count, width, fill), nn.ReLU()]
            channels, fill = 2 * count, 0.0
        super().__init__(nn.Sequential(*layers), channels, pooling, dropout, embedding_size, tasks)
        self.config = {
            "filters": list(filters),
            "widths": list(widths),
            "pooling": pooling,
            "dropout": dropout,
            "embedding_size": embedding_size,
            "tasks": list(tasks),
        }


def as_input(x: Tensor, like: Tensor) -> Tensor:
    """Return ``x`` in the dtype of ``like`` after checking that it is (B, 4, L) with L >= 1."""
    if x.dim() != 3 or x.shape[1] != 4 or x.shape[2] < 1:
        raise ValueError(f"x: expected the shape (B, 4, L) with L >= 1, got {tuple(x.shape)}")
    return x.to(like.dtype)


def _over_strands(features: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Join what a filter found on either strand, (B, 2 * filters) -> (B, filters)."""
    forward, reverse = features.chunk(2, dim=1)
    return join(forward, reverse.flip(1))
