"""What every training has to be told, checked before any work begins."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True, kw_only=True)
class TrainingParams:
    """The hyper-parameters of a training. Each kind of training has its own defaults, and more.

    What an architecture is made of is no part of it: those are the arguments of its class.

    Attributes:
        learning_rate: Of the optimizer, at its highest.
        batch_size: Rows of a batch.
        epochs: The most epochs.
        patience: Stop after this many epochs without a better validation score.
        precision: `"float32"`, or `"bfloat16"` for the forward pass alone.
    """

    learning_rate: float = 1e-3
    batch_size: int = 128
    epochs: int = 10
    patience: int = 5
    precision: str = "float32"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, int) and (type(value) is not int or value < 1):
                raise ValueError(f"{field.name}: expected a whole number from 1, got {value!r}")
            number = isinstance(value, int | float) and 0 <= value < math.inf
            if isinstance(field.default, float) and not number:
                raise ValueError(f"{field.name}: expected a number from 0, got {value!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")

    @property
    def dtype(self) -> torch.dtype:
        """The type that `precision` names."""
        return getattr(torch, self.precision)
