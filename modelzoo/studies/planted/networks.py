"""The networks of the planted-motif study, and their trainings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.studies.planted.settings import SETS, Settings
from modelzoo.training.argminn import examples, fit_one
from modelzoo.workers import Part

UNITS = 8


@dataclass(frozen=True)
class Kind:
    """A kind of network that is trained on a set.

    Attributes:
        build: From the length and the task's name to an untrained network.
        filters: Its first weights, (filters, 4, width).
        regularised: Trained with ARGMINN's regularisers.
        only: The sets it is trained on.
        once: Trained from one initialisation only.
    """

    build: Callable[[int, str], nn.Module]
    filters: Callable[[Any], Tensor]
    regularised: bool = False
    only: tuple[str, ...] = tuple(SETS)
    once: bool = False


KINDS = {
    "ARGMINN": Kind(
        lambda length, name: ARGMINN(tasks=[name]), lambda model: model.scanners.weight, True
    ),
    "CNN": Kind(
        lambda length, name: PlainCNN(length, tasks=[name]), lambda model: model.scanners.weight
    ),
    "ExplaiNN": Kind(
        lambda length, name: ExplaiNN(units=UNITS, length=length, tasks=[name]),
        lambda model: model.filters,
    ),
    "CNN, regularised": Kind(
        lambda length, name: PlainCNN(length, tasks=[name]),
        lambda model: model.scanners.weight,
        True,
        once=True,
    ),
    "DeepBind": Kind(
        lambda length, name: DeepBind(filters=[UNITS], widths=[11], tasks=[name]),
        lambda model: model.trunk[0].weight,
        only=("spi1",),
    ),
}


def trained(folder: Path, settings: Settings, name: str, kind: str, seed: int) -> Any:
    """Return a network, trained on a set, or from its checkpoint where there is one.

    Args:
        folder: Of the report.
        settings: How long to train.
        name: The set, a key of `SETS`.
        kind: A key of `KINDS`.
        seed: Of the initialisation and the training.

    Returns:
        The network, in eval mode, and its validation AUC.
    """
    simulation = Simulation.load(name)
    chosen = KINDS[kind]
    model, history = fit_one(
        lambda: chosen.build(simulation.length, name),
        examples(name, settings.params),
        seed=seed,
        params=settings.params,
        regularised=chosen.regularised,
        checkpoint=folder / "models" / f"{_file(name, kind)}-{seed}.safetensors",
        progress=False,
    )
    return model, history.best_score


def chosen_model(folder: Path, settings: Settings, name: str, kind: str) -> Any:
    """Return the initialisation of a kind that validation prefers; arguments as of `trained`."""
    models = [trained(folder, settings, name, kind, own) for own in seeds(settings, kind, name)]
    return max(models, key=lambda pair: pair[1])[0]


def kinds(name: str) -> list[str]:
    """Return the kinds of network that are trained on a set."""
    return [kind for kind, chosen in KINDS.items() if name in chosen.only]


def seeds(settings: Settings, kind: str, name: str) -> list[int]:
    """Return the seeds of the initialisations, those of `shiftsmooth train argminn`."""
    if name not in KINDS[kind].only:
        return []
    first = settings.seed * settings.initialisations
    return [first + i for i in range(1 if KINDS[kind].once else settings.initialisations)]


def _file(name: str, kind: str) -> str:
    return f"{name}-{kind.lower().replace(', ', '-')}"


def training(folder: Path, settings: Settings, name: str, kind: str, seed: int) -> Part:
    """Return the training of a network as a part; arguments as of `trained`."""
    return Part(
        path=folder / "models" / f"{_file(name, kind)}-{seed}.done",
        work=partial(_train, folder, settings, name, kind, seed),
        key=repr(settings),
    )


def _train(*arguments: Any) -> bytes:
    trained(*arguments)
    return b""  # the checkpoint holds the network
