"""DanQ: a convolution, then LSTM layers over its pooled maps; as a baseline and as an expert.

A recurrent layer reads its maps in one direction of the DNA, so the expert reads both strands' maps
with the same weights, and its hidden layer pools over the two: both strands have one prediction.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.layers import UNKNOWN, Recurrent, StrandConv1d
from modelzoo.architectures.pretrained import register


@register
class DanQ(Baseline):
    """A convolution, then two bidirectional LSTM layers over its pooled maps.

    The defaults are smaller than the paper's 320, 320 and 925: a model of that size cannot
    be trained in the time that the other baselines take.

    Args:
        filters: Number of filters.
        state: Size of each LSTM direction's state.
        hidden: Nodes of the fully connected layer.
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
    """

    architecture = "danq"

    def __init__(
        self,
        filters: int = 128,
        state: int = 64,
        hidden: int = 128,
        length: int = 101,
        tasks: Sequence[str] = ("binding",),
    ) -> None:
        trunk = nn.Sequential(nn.Conv1d(4, filters, 26), nn.ReLU())
        rest = nn.Sequential(
            nn.Dropout(0.2),
            nn.MaxPool1d(13),
            Recurrent(filters, state),
            nn.Flatten(),
            nn.LazyLinear(hidden),
            nn.ReLU(),
        )
        super().__init__(trunk, rest, length, tasks, filters=filters, state=state, hidden=hidden)


@register
class DanQExpert(Expert):
    """A DanQ of one factor, far smaller than the paper's; it reads windows of any length.

    Args:
        filters: Number of filters.
        width: Positions that each of them spans; odd.
        pool: Positions of the maps that are pooled into one step of the recurrent layers.
        state: Size of each LSTM direction's state.
        pooling: `"max"` or `"max+mean"`, over all steps and both strands.
        dropout: Probability that training drops a pooled feature or a unit of the embedding.
        embedding_size: Size E of the embedding.
        tasks: Names of the outputs.
    """

    architecture = "danq-expert"

    def __init__(
        self,
        filters: int = 64,
        width: int = 25,
        pool: int = 13,
        state: int = 32,
        pooling: str = "max+mean",
        dropout: float = 0.15,
        embedding_size: int = 32,
        tasks: Sequence[str] = ("binding",),
    ) -> None:
        if min(pool, state) < 1:
            raise ValueError(f"pool, state: expected at least 1 each, got {pool} and {state}")
        trunk = nn.Sequential(StrandConv1d(4, filters, width, UNKNOWN), nn.ReLU())
        super().__init__(trunk, 2 * filters, pooling, dropout, embedding_size, tasks)
        self.pool = pool
        self.recurrent = Recurrent(2 * filters, state)
        # the recurrent layers' states are pooled, not the trunk's maps
        self.hidden = nn.Linear(2 * state * len(pooling.split("+")), embedding_size)
        self.config = {
            "filters": filters,
            "width": width,
            "pool": pool,
            "state": state,
            "pooling": pooling,
            "dropout": dropout,
            "embedding_size": embedding_size,
            "tasks": list(tasks),
        }

    def embed_maps(self, maps: Tensor) -> Tensor:
        """Return the embedding of feature maps, (B, channels, L) -> (B, embedding_size)."""
        strands = torch.cat([maps, maps.flip(1, 2)])
        steps = self.recurrent(F.max_pool1d(strands, self.pool, ceil_mode=True)).mT
        forward, reverse = steps.chunk(2)
        return super().embed_maps(torch.cat([forward, reverse.flip(1)], dim=1))
