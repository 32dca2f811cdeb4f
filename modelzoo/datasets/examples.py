"""What a model learns from: the one protocol of training data, and the kinds there are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor

from modelzoo.datasets.peaks import Peaks
from modelzoo.datasets.tables import TABLES, Table


class Examples(Protocol):
    """What a model is trained on and validated by; labels are NaN where they are missing.

    Attributes:
        tasks: Names of the labels' columns.
        length: Positions of every sequence.
        sources: The files it was read from.
        held_out: (N, L) codes and (N, tasks) labels to validate by.
    """

    tasks: tuple[str, ...]
    length: int
    sources: list[Path]
    held_out: tuple[np.ndarray, Tensor]

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the (N, L) codes and (N, tasks) labels of an epoch, one strand of each."""
        ...


def examples(data: Sequence[str | Path], loss: str = "binary") -> Examples:
    """Return what to train on: one table, or factors and files of peaks.

    Args:
        data: One ``.tsv``, ``.csv`` or ``.txt`` file, also as ``.gz``; or any number of factors
            and files of peaks, each of which is a task.
        loss: A key of :data:`modelzoo.training.losses.LOSSES`.
    """
    tables = [d for d in data if Path(d).name.removesuffix(".gz").lower().endswith(TABLES)]
    if not tables:
        if loss != "binary":
            raise ValueError(f"loss: peaks against shuffles are 'binary', got {loss!r}")
        return Peaks(data)
    if len(data) > 1:
        raise ValueError(f"data: expected one table and nothing else, got {len(data)} entries")
    return Table(data[0], loss)
