"""Expert: the networks of one factor that a mixture can take, whatever their trunk is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelzoo.architectures.layers import as_input
from modelzoo.architectures.pretrained import Pretrained, checked_tasks

POOLINGS = ("max", "max+mean")


class Expert(Pretrained):
    """A trunk, pooling over all positions and both strands, a hidden layer: what a gate can take.

    Args:
        trunk: The shift-equivariant part, (B, 4, L) -> (B, channels, L).
        channels: Channels of its maps, in an order that reverse complementing flips.
        pooling: `"max"` or `"max+mean"`.
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


def _over_strands(features: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Join what a filter found on either strand, (B, 2 * filters) -> (B, filters)."""
    forward, reverse = features.chunk(2, dim=1)
    return join(forward, reverse.flip(1))
