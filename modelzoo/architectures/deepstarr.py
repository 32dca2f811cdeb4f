"""DeepSTARR, with the layer sizes of its paper; a baseline of the ExplaiNN paper."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.layers import convolution, dense
from modelzoo.architectures.pretrained import register


@register
class DeepSTARR(Baseline):
    """Four padded convolutions and two fully connected layers of 256.

    It was made for 249 positions; 101 fit as well, the four poolings leaving 6 in the place of 15.

    Args:
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
    """

    architecture = "deepstarr"

    def __init__(self, length: int = 101, tasks: Sequence[str] = ("binding",)) -> None:
        trunk = nn.Sequential(nn.Conv1d(4, 256, 7, padding=3), nn.BatchNorm1d(256), nn.ReLU())
        rest = nn.Sequential(
            nn.MaxPool1d(2),
            *convolution(256, 60, 3, pool=2, padding=1),
            *convolution(60, 60, 5, pool=2, padding=2),
            *convolution(60, 120, 3, pool=2, padding=1),
            nn.Flatten(),
            *dense(256, dropout=0.4),
            *dense(256, dropout=0.4),
        )
        super().__init__(trunk, rest, length, tasks)
