"""Tower: dilated residual convolutions over both strands, pooled and hidden as DeepBind's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.layers import UNKNOWN, StrandConv1d, StrandNorm
from modelzoo.architectures.pretrained import register


class Residual(nn.Module):
    """A dilated convolution that is added to its input; it adds nothing before training.

    Args:
        channels: Channels of the maps, in an order that reverse complementing flips.
        width: Positions that a filter looks at; odd.
        dilation: Step between them.
    """

    def __init__(self, channels: int, width: int, dilation: int) -> None:
        super().__init__()
        self.norm = StrandNorm(channels)
        self.conv = StrandConv1d(channels, channels // 2, width, dilation=dilation)
        nn.init.zeros_(self.conv.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps, (B, channels, L) -> (B, channels, L)."""
        return maps + self.conv(torch.relu(self.norm(maps)))


@register
class Tower(Expert):
    """A deep convolutional model of one factor: an expert with a wide view.

    Args:
        filters: Number of filters of every convolution.
        stem: Width of the first convolution's filters, in positions; odd.
        width: Positions that each filter of the other convolutions looks at; odd.
        dilations: Step between those positions, one for each of the other convolutions.
        pooling: `"max"` or `"max+mean"`, over all positions and both strands.
        dropout: Probability that training drops a pooled feature or a unit of the embedding.
        embedding_size: Size E of the embedding.
        tasks: Names of the outputs.
    """

    architecture = "tower"

    def __init__(
        self,
        filters: int = 48,
        stem: int = 19,
        width: int = 5,
        dilations: Sequence[int] = (1, 2, 4),
        pooling: str = "max+mean",
        dropout: float = 0.15,
        embedding_size: int = 32,
        tasks: Sequence[str] = ("binding",),
    ) -> None:
        if any(dilation < 1 for dilation in dilations):
            raise ValueError(f"dilations: expected at least 1 each, got {list(dilations)}")
        channels = 2 * filters
        trunk = nn.Sequential(
            StrandConv1d(4, filters, stem, UNKNOWN),
            *(Residual(channels, width, dilation) for dilation in dilations),
            StrandNorm(channels),
            nn.ReLU(),
        )
        super().__init__(trunk, channels, pooling, dropout, embedding_size, tasks)
        self.config = {
            "filters": filters,
            "stem": stem,
            "width": width,
            "dilations": list(dilations),
            "pooling": pooling,
            "dropout": dropout,
            "embedding_size": embedding_size,
            "tasks": list(tasks),
        }
