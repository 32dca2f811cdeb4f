"""DeepBind: convolution over both strands, ReLU, pooling over all positions, a hidden layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.layers import UNKNOWN, StrandConv1d
from modelzoo.architectures.pretrained import register


@register
class DeepBind(Expert):
    """One convolutional model of one factor: the expert of the mixture paper (section II-A).

    Args:
        filters: Number of filters of each convolution, first to last.
        widths: Width of each convolution's filters, in positions; odd.
        pooling: `"max"` or `"max+mean"`, over all positions and both strands.
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
                f"filters, widths: expected one of each per convolution, got {filters} and {widths}"
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
