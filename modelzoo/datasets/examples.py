"""What a model learns from: the one protocol of training data, and a way to each kind of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from modelzoo.datasets.peaks import VALIDATION_SEED, Peaks, Source, Windows
from modelzoo.datasets.planted import SimulatedSet, Simulation, simulations
from modelzoo.datasets.tables import ENDINGS, Table


class Examples(Protocol):
    """What a model is trained on and validated by; labels are NaN where they are missing."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """The names of the labels' columns."""

    @property
    def length(self) -> int:
        """The positions of every sequence."""

    @property
    def sources(self) -> Mapping[Path, str]:
        """The files it was read from, and the checksum of each."""

    @property
    def held_out(self) -> tuple[np.ndarray, Tensor]:
        """The (N, L) codes and (N, tasks) labels to validate by."""

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the (N, L) codes and (N, tasks) labels of an epoch, one strand of each.

        Must depend on the two numbers alone, so that a run can resume at any epoch.
        """


class Simulated:
    """Sequences with planted motifs: new ones in every epoch, one fixed set to validate by.

    Args:
        simulation: What to draw from.
        size: Sequences of an epoch.
        held_out: Sequences to validate by.
    """

    def __init__(self, simulation: Simulation, size: int, held_out: int = 10_000) -> None:
        self.simulation, self.size = simulation, size
        self.tasks, self.length = (simulation.name,), simulation.length
        self.sources: dict[Path, str] = {}
        self.held_out = _labelled(simulation.sample(held_out, seed=VALIDATION_SEED))

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the sequences of an epoch and their labels."""
        (own,) = np.random.SeedSequence((seed, epoch)).generate_state(1).tolist()
        return _labelled(self.simulation.sample(self.size, seed=own))


def is_simulation(source: Source) -> bool:
    """Return whether a source is a simulation: its name, or a `.toml` file."""
    return str(source) in simulations() or Path(source).suffix == ".toml"


def examples(data: Sequence[Source], loss: str = "binary") -> Examples:
    """Return what to train on: one table, or peaks.

    Args:
        data: One `.tsv`, `.csv` or `.txt` file, also as `.gz`; or any number of data sets and
            files of peaks, each of which is a task.
        loss: A key of `modelzoo.training.losses.LOSSES`.
    """
    plain = [d for d in data if not isinstance(d, Windows)]
    tables = [d for d in plain if Path(d).name.removesuffix(".gz").lower().endswith(ENDINGS)]
    if not tables:
        if loss != "binary":
            raise ValueError(f"loss: peaks against shuffles are 'binary', got {loss!r}")
        return Peaks(data)
    if len(data) > 1:
        raise ValueError(f"data: expected one table and nothing else, got {len(data)} entries")
    return Table(tables[0], loss)


def _labelled(drawn: SimulatedSet) -> tuple[np.ndarray, Tensor]:
    return drawn.codes, torch.from_numpy(drawn.labels).float()[:, None]
