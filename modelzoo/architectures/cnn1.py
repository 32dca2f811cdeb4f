"""CNN_1 and CNN_1Exp, the shallow baselines of the ExplaiNN paper."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.layers import Exp, dense
from modelzoo.architectures.pretrained import register


@register
class CNN1(Baseline):
    """One convolution of 100 filters and two fully connected layers of 1,000: CNN_1.

    Args:
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
    """

    architecture = "cnn1"
    activation: type[nn.Module] = nn.ReLU

    def __init__(self, length: int = 101, tasks: Sequence[str] = ("binding",)) -> None:
        trunk = nn.Sequential(nn.Conv1d(4, 100, 19), nn.BatchNorm1d(100), self.activation())
        rest = nn.Sequential(nn.MaxPool1d(7), nn.Flatten(), *dense(1000), *dense(1000))
        super().__init__(trunk, rest, length, tasks)


@register
class CNN1Exp(CNN1):
    """CNN_1 with the exponential in the place of the first ReLU."""

    architecture = "cnn1exp"
    activation = Exp
