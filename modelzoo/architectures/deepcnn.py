"""DeepCNN: the layers of Basset, a baseline of the ExplaiNN paper."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.layers import convolution, dense
from modelzoo.architectures.pretrained import register


@register
class DeepCNN(Baseline):
    """Three convolutions and two fully connected layers, after Basset.

    Args:
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
    """

    architecture = "deepcnn"

    def __init__(self, length: int = 101, tasks: Sequence[str] = ("binding",)) -> None:
        trunk = nn.Sequential(nn.Conv1d(4, 100, 19), nn.BatchNorm1d(100), nn.ReLU())
        rest = nn.Sequential(
            nn.MaxPool1d(3),
            *convolution(100, 200, 7, pool=3),
            *convolution(200, 200, 4, pool=3),
            nn.Flatten(),
            *dense(1000),
            *dense(1000),
        )
        super().__init__(trunk, rest, length, tasks)
