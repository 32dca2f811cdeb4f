"""The convolutional baselines of the ExplaiNN paper, with its layer sizes (section "Model
architectures"): CNN_1, CNN_1Exp, DeepCNN (Basset's), DanQ and DeepSTARR.

All are multi-task, read windows of one length (:func:`modelzoo.architectures.explainn.windowed`
says what becomes of others) and give logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelzoo.architectures.deepbind import as_input
from modelzoo.architectures.explainn import Exp, windowed
from modelzoo.architectures.pretrained import Pretrained, checked_tasks


class Baseline(nn.Module, Pretrained):
    """A trunk up to the first pooling, then the rest: what all baselines have in common.

    Args:
        trunk: The shift-equivariant part, (B, 4, L) -> (B, channels, positions).
        rest: From its maps to (B, features).
        length: Positions L of the windows it is made for.
        tasks: Names of the outputs.
        config: More of what the class is constructed with.
    """

    def __init__(
        self,
        trunk: nn.Module,
        rest: nn.Module,
        length: int,
        tasks: Sequence[str],
        **config: Any,
    ) -> None:
        super().__init__()
        self.tasks = checked_tasks(tasks)
        self.length = length
        self.config: dict[str, Any] = {"length": length, "tasks": list(tasks), **config}
        self.trunk, self.rest = trunk, rest
        self.eval()  # so that no running statistics move
        try:
            with torch.no_grad():  # the lazy layers find their sizes here
                features = rest(trunk(torch.zeros(1, 4, length))).shape[1]
        except RuntimeError as error:
            raise ValueError(
                f"length: {length} positions are too few for {self.architecture}: {error}"
            ) from error
        self.train()
        self.output = nn.Linear(features, len(self.tasks))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.output(self.rest(self.activations(x)))

    def activations(self, x: Tensor) -> Tensor:
        """Return the first filters' activations before pooling, (B, 4, L) -> (B, filters, ...)."""
        return self.trunk(windowed(as_input(x, self.output.weight), self.length))


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
        rest = nn.Sequential(nn.MaxPool1d(7), nn.Flatten(), *_dense(1000), *_dense(1000))
        super().__init__(trunk, rest, length, tasks)


class CNN1Exp(CNN1):
    """CNN_1 with the exponential in the place of the first ReLU."""

    architecture = "cnn1exp"
    activation = Exp


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
            *_convolution(100, 200, 7, pool=3),
            *_convolution(200, 200, 4, pool=3),
            nn.Flatten(),
            *_dense(1000),
            *_dense(1000),
        )
        super().__init__(trunk, rest, length, tasks)


class DanQ(Baseline):
    """A convolution, then two bidirectional LSTM layers over its pooled maps.

    The defaults are smaller than the paper's, which are 320, 320 and 925: of that size it cannot be
    trained in the time that the other baselines take.

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


class Recurrent(nn.Module):
    """Two bidirectional LSTM layers with 50 % dropout after each.

    Args:
        channels: Channels of the maps it reads.
        state: Size of each direction's state.
    """

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(
            channels, state, num_layers=2, dropout=0.5, bidirectional=True, batch_first=True
        )
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the states, (B, channels, positions) -> (B, positions, 2 * state)."""
        return self.dropout(self.lstm(maps.transpose(1, 2))[0])


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
            *_convolution(256, 60, 3, pool=2, padding=1),
            *_convolution(60, 60, 5, pool=2, padding=2),
            *_convolution(60, 120, 3, pool=2, padding=1),
            nn.Flatten(),
            *_dense(256, dropout=0.4),
            *_dense(256, dropout=0.4),
        )
        super().__init__(trunk, rest, length, tasks)


BASELINES: dict[str, type[Baseline]] = {
    model.architecture: model for model in (CNN1, CNN1Exp, DeepCNN, DanQ, DeepSTARR)
}


def _convolution(
    channels: int, filters: int, width: int, pool: int, padding: int = 0
) -> list[nn.Module]:
    return [
        nn.Conv1d(channels, filters, width, padding=padding),
        nn.BatchNorm1d(filters),
        nn.ReLU(),
        nn.MaxPool1d(pool),
    ]


def _dense(hidden: int, dropout: float = 0.3) -> list[nn.Module]:
    return [nn.LazyLinear(hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout)]
