"""The models of the benchmark: nine architectures after published ones, smaller than those.

To add one, write a function of the window's length that returns a module with logits (B, 1) and,
for Grad-CAM, a `trunk` that gives maps (B, channels, positions); put it into `MODELS` with the
recipe of its training.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from modelzoo.architectures.danq import DanQ
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.architectures.layers import convolution, dense, pooled
from modelzoo.studies.benchmark.recipes import Recipe

TASKS = ("positive",)


class Network(nn.Module):
    """A trunk that keeps the sequence, and the rest.

    Args:
        trunk: (B, 4, L) -> (B, channels, positions).
        rest: From its maps to logits, (B, 1).
    """

    def __init__(self, trunk: nn.Module, rest: nn.Module) -> None:
        super().__init__()
        self.tasks = TASKS
        self.trunk, self.rest = trunk, rest

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) -> (B, 1)."""
        return self.rest(self.trunk(x))


class Dilated(nn.Module):
    """A dilated convolution whose output is added to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps of the same shape, (B, channels, L)."""
        return maps + self.relu(self.conv(maps))


class Tokens(nn.Module):
    """One encoder layer over tokens with learned positions, then their mean."""

    def __init__(self, size: int, count: int) -> None:
        super().__init__()
        self.places = nn.Parameter(0.02 * torch.randn(count, size))
        self.encoder = nn.TransformerEncoderLayer(
            size, nhead=4, dim_feedforward=2 * size, dropout=0.1, batch_first=True, norm_first=True
        )
        self.output = nn.Linear(size, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the logits, (B, size, tokens) -> (B, 1)."""
        return self.output(self.encoder(maps.mT + self.places).mean(1))


class Steps(nn.Module):
    """A bidirectional LSTM along the sequence; its last state of either direction is read."""

    def __init__(self, channels: int, state: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, state, bidirectional=True, batch_first=True)
        self.output = nn.Linear(2 * state, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Return the logits, (B, channels, steps) -> (B, 1)."""
        _, (last, _) = self.lstm(maps.mT)
        return self.output(last.movedim(0, 1).flatten(1))


@dataclass(frozen=True)
class Architecture:
    """A model of the benchmark.

    Attributes:
        title: Its name in tables.
        reads: How it reads the sequence, in a few words.
        build: From the window's length to an untrained module.
        recipe: How it is trained.
    """

    title: str
    reads: str
    build: Callable[[int], nn.Module]
    recipe: Recipe


def _global_max(length: int) -> nn.Module:
    trunk = nn.Sequential(nn.Conv1d(4, 48, 15, padding=7), nn.ReLU())
    rest = nn.Sequential(
        nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(48, 32), nn.ReLU(), nn.Linear(32, 1)
    )
    return Network(trunk, rest)


def _basset(length: int) -> nn.Module:
    trunk = nn.Sequential(nn.Conv1d(4, 48, 19), nn.BatchNorm1d(48), nn.ReLU())
    left = pooled(length, (19, 3), (7, 4))
    rest = nn.Sequential(
        nn.MaxPool1d(3),
        *convolution(48, 48, 7, pool=4),
        nn.Flatten(),
        *dense(48 * left, 64),
        nn.Linear(64, 1),
    )
    return Network(trunk, rest)


def _deepstarr(length: int) -> nn.Module:
    trunk = nn.Sequential(nn.Conv1d(4, 64, 7, padding=3), nn.BatchNorm1d(64), nn.ReLU())
    rest = nn.Sequential(
        nn.MaxPool1d(2),
        *convolution(64, 32, 3, pool=2, padding=1),
        *convolution(32, 32, 5, pool=2, padding=2),
        *convolution(32, 48, 3, pool=2, padding=1),
        nn.Flatten(),
        *dense(48 * pooled(length, *[(1, 2)] * 4), 64, dropout=0.4),
        nn.Linear(64, 1),
    )
    return Network(trunk, rest)


def _dilated(length: int) -> nn.Module:
    trunk = nn.Sequential(
        nn.Conv1d(4, 24, 15, padding=7), nn.ReLU(), *(Dilated(24, 2**i) for i in range(1, 5))
    )
    rest = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(24, 1))
    return Network(trunk, rest)


def _transformer(length: int) -> nn.Module:
    trunk = nn.Sequential(nn.Conv1d(4, 48, 8, stride=4), nn.ReLU())
    return Network(trunk, Tokens(48, (length - 8) // 4 + 1))


def _lstm(length: int) -> nn.Module:
    trunk = nn.Sequential(nn.Conv1d(4, 32, 11), nn.ReLU())
    return Network(trunk, nn.Sequential(nn.MaxPool1d(4), Steps(32, 24)))


# The papers train for more epochs, on more sequences. Here `Settings.epochs` ends a training that
# the recipe's patience has not ended. Strands are drawn at random for all, and what a recipe says
# of weight norms or of clipped gradients is left out.
_KOO = Recipe(
    "Koo and Ploenzke 2021", "Adam", 1e-3, batch=100, patience=20, decay="plateau"
)  # of all models of the paper's synthetic sequences
# Momentum and rate lie in the ranges that the paper draws from for each data set.
_DEEPBIND = Recipe(
    "Alipanahi et al. 2015", "SGD", 0.03, batch=64, options={"momentum": 0.98, "nesterov": True}
)
_BPNET = Recipe("Avsec et al. 2021", "Adam", 4e-3, batch=128, patience=5)
# What Basset calls its momentum is the decay of the mean square.
_BASSET = Recipe("Kelley et al. 2016", "RMSprop", 2e-3, batch=128, options={"alpha": 0.98})
_DEEPSTARR = Recipe("de Almeida et al. 2022", "Adam", 2e-3, batch=128, patience=10)
# The optimizer's options are Keras' defaults, as in the paper.
_DANQ = Recipe("Quang and Xie 2016", "RMSprop", 1e-3, batch=100, options={"alpha": 0.9}, patience=5)
_EXPLAINN = Recipe("Novakovsky et al. 2023", "Adam", 3e-3, batch=100)
# That of fine-tuning, but for the rate, which is 2e-4 there: with it, this model, which is narrow
# and was not pretrained, learns AND to a validation AUC of 0.68 in 20 epochs; with 1e-3, of 0.74.
_DNABERT = Recipe(
    "Ji et al. 2021", "AdamW", 1e-3, batch=32, options={"weight_decay": 0.01}, decay="warm-up"
)
_DASHBOARD = Recipe("Lanchantin et al. 2017", "Adam", 1e-2, batch=256, decay="steps")

MODELS: dict[str, Architecture] = {
    "global-max": Architecture(
        "CNN, global maximum", "one convolution, the maximum over all positions", _global_max, _KOO
    ),
    "deepbind": Architecture(
        "DeepBind",
        "one convolution over both strands, maximum and mean over all positions",
        lambda length: DeepBind(filters=[32], widths=[15], tasks=list(TASKS)),
        _DEEPBIND,
    ),
    "dilated": Architecture(
        "dilated, as BPNet", "dilated convolutions, the mean over all positions", _dilated, _BPNET
    ),
    "basset": Architecture("as Basset", "pooling by 3 and by 4, Flatten", _basset, _BASSET),
    "deepstarr": Architecture(
        "as DeepSTARR", "pooling by 2 four times, Flatten", _deepstarr, _DEEPSTARR
    ),
    "danq": Architecture(
        "DanQ",
        "pooling by 13, two LSTM layers, Flatten",
        lambda length: DanQ(48, 24, 32, length=length, tasks=list(TASKS)),
        _DANQ,
    ),
    "explainn": Architecture(
        "ExplaiNN",
        "a network for each filter: pooling by 7, Flatten",
        lambda length: ExplaiNN(units=32, hidden=16, length=length, tasks=list(TASKS)),
        _EXPLAINN,
    ),
    "transformer": Architecture(
        "transformer", "words of 8 letters, 4 apart; learned positions", _transformer, _DNABERT
    ),
    "lstm": Architecture("LSTM", "pooling by 4, an LSTM along the sequence", _lstm, _DASHBOARD),
}
