"""DeepSTARR, with the layer sizes of its paper; a baseline of the ExplaiNN paper."""

from __future__ import annotations

from torch import nn

from modelzoo.architectures.arguments import Names, Positions
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.layers import convolution, dense, pooled
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

    def __init__(self, length: Positions = 101, tasks: Names = ("binding",)) -> None:
        trunk = nn.Sequential(nn.Conv1d(4, 256, 7, padding=3), nn.BatchNorm1d(256), nn.ReLU())
        rest = nn.Sequential(
            nn.MaxPool1d(2),
            *convolution(256, 60, 3, pool=2, padding=1),
            *convolution(60, 60, 5, pool=2, padding=2),
            *convolution(60, 120, 3, pool=2, padding=1),
            nn.Flatten(),
            *dense(120 * pooled(length, *[(1, 2)] * 4), 256, dropout=0.4),
            *dense(256, 256, dropout=0.4),
        )
        super().__init__(trunk, rest, 256, length, tasks)
