"""How much of the benchmark is trained and measured."""

from __future__ import annotations

from dataclasses import dataclass

from modelzoo.studies.benchmark.methods import COMPARED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS

CHECKED = 32  # sequences that the audit of a model looks at


@dataclass(frozen=True)
class Settings:
    """How much is trained and measured.

    Attributes:
        seed: Decides everything random.
        seeds: Models of each architecture on each set.
        train: Sequences to train on; half of them are positives.
        validation: Sequences that choose the epoch, and the cells that are looked at.
        epochs: The most epochs of a training; a recipe may end it earlier.
        permuted_epochs: Of a training on labels in random order.
        test: Sequences of the test AUC, of which attributions are made of the first positives.
        explained: Positives that are explained, for each set.
        learned: The validation AUC from which on a cell is looked at: a model that has not learned
            a rule cannot show it.
        resamples: Of every interval.
        sets: Keys of `SETS`.
        randomised: Sets, of those evaluated, whose models are compared with models that learned
            nothing.
        models: Keys of `MODELS`.
        methods: Keys of `COMPARED`.
    """

    seed: int = 0
    seeds: int = 3
    train: int = 4096
    validation: int = 512
    epochs: int = 20
    permuted_epochs: int = 8
    test: int = 512
    explained: int = 16
    learned: float = 0.7
    resamples: int = 1000
    sets: tuple[str, ...] = tuple(SETS)
    randomised: tuple[str, ...] = ("and", "regulatory", "peaks")
    models: tuple[str, ...] = tuple(MODELS)
    methods: tuple[str, ...] = tuple(COMPARED)


QUICK = Settings(
    seeds=1,
    train=512,
    validation=128,
    epochs=1,
    permuted_epochs=1,
    test=128,
    explained=4,
    learned=0.0,
    resamples=200,
)
