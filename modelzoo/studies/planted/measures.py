"""What is measured on each planted set, as parts that leave a file each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from modelzoo.datasets.planted.likelihood import log_likelihood_ratio
from modelzoo.datasets.planted.simulation import SimulatedSet, Simulation
from modelzoo.motifs import Motif
from modelzoo.reports.folder import rounded
from modelzoo.reports.tables import Row
from modelzoo.sequences.batches import in_batches
from modelzoo.studies.planted import fooling, instances, motifs, networks
from modelzoo.studies.planted.settings import ATTRIBUTED, SETS, TEST_SEED, Settings
from modelzoo.workers import Part

READ_SEED = TEST_SEED + 1  # apart from every seed of a training, too


def accuracy(model: nn.Module, batch: SimulatedSet) -> float:
    """Return the fraction of sequences on the right side of probability one half."""
    right = (in_batches(model, batch.codes)[:, 0].numpy() > 0) == batch.labels
    return float(right.mean())


def best_accuracy(simulation: Simulation, batch: SimulatedSet) -> float:
    """Return the accuracy of the likelihood ratio: no model can expect more."""
    return float(((log_likelihood_ratio(simulation, batch.codes) > 0) == batch.labels).mean())


def measurement(folder: Path, settings: Settings, measure: str, name: str) -> Part:
    """Return a measurement on a set as a part, whose content is JSON.

    Args:
        folder: Folder of the report, in which the networks are trained.
        settings: How much to measure.
        measure: A key of `MEASURES`.
        name: The set, a key of `SETS`.
    """
    return Part(
        path=folder / "cells" / f"{measure}-{name}.part",
        work=partial(_measured, folder, settings, measure, name),
        key=repr(settings),
    )


def _measured(folder: Path, settings: Settings, measure: str, name: str) -> bytes:
    values = MEASURES[measure].take(folder, settings, name)
    return json.dumps(rounded(values)).encode()


def _accuracies(folder: Path, settings: Settings, name: str) -> Any:
    """The accuracy of every network of a set, and the best possible."""
    simulation = Simulation.load(name)
    batch = simulation.sample(settings.test, seed=TEST_SEED)
    rows = []
    for kind in networks.kinds(name):
        for own in networks.seeds(settings, kind, name):
            model, validation = networks.trained(folder, settings, name, kind, own)
            rows.append(
                {
                    "kind": kind,
                    "seed": own,
                    "accuracy": accuracy(model, batch),
                    "validation_auc": validation,
                }
            )
    return {"best": best_accuracy(simulation, batch), "models": rows}


def _motifs(folder: Path, settings: Settings, name: str) -> Any:
    """How near filters, and TF-MoDISco's motifs, are to the planted ones."""
    simulation = Simulation.load(name)
    random = _random(settings.read, simulation.length)
    found = {}
    for kind in ("ARGMINN", "CNN", "CNN, regularised", "ExplaiNN"):
        model = networks.chosen_model(folder, settings, name, kind)
        width = networks.KINDS[kind].filters(model).shape[2]
        found[f"{kind}, filters"] = motifs.filters_as_motifs(model.activations, width, random)
    for method, attributed in _attributed(folder, settings, name).items():
        found[f"CNN, {method}"] = attributed
    near = {method: motifs.matches(some, simulation) for method, some in found.items()}
    return {
        method: {
            "similarity": motifs.similarity(near[method], simulation),
            "matching": motifs.matching(near[method]),
            "motifs": [
                {"name": m.name, "matrix": m.matrix.round(4).tolist(), "sites": m.sites}
                for m in some
            ],
        }
        for method, some in found.items()
    }


def _attributed(folder: Path, settings: Settings, name: str) -> dict[str, list[Motif]]:
    model = networks.chosen_model(folder, settings, name, "CNN")
    codes = _positives(name, settings.explained, READ_SEED).codes
    options = {"width": model.scanners.weight.shape[2], "max_seqlets": settings.seqlets}
    return {
        method: motifs.attributed_motifs(
            model, codes, ATTRIBUTED[method], seed=settings.seed, **options
        )
        for method in settings.attributed
    }


def _instances(folder: Path, settings: Settings, name: str) -> Any:
    """How many of the first k instances of each method are right, for k = 1, 2, ..."""
    batch = _positives(name, settings.instances, TEST_SEED)
    argminn = networks.chosen_model(folder, settings, name, "ARGMINN")
    cnn = networks.chosen_model(folder, settings, name, "CNN")
    read = json.loads(measurement(folder, settings, "motifs", name).read() or b"{}")
    listed = read["CNN, deep-lift-shap"]["motifs"]
    found = [Motif(m["name"], np.array(m["matrix"]), m["sites"]) for m in listed]
    ranked = {
        "ARGMINN": instances.attended(argminn, batch.codes),
        "CNN, TF-MoDISco and FIMO": instances.scanned(found, batch.codes),
    }
    for method in ("gradient", "shiftsmooth-5"):
        explained = ATTRIBUTED[method]
        ranked[f"CNN, peaks of {method}"] = instances.peaks(
            cnn, batch.codes, explained, seed=settings.seed
        )
    most = int((batch.motifs >= 0).sum())
    return {
        "planted": most,
        "right": {
            method: instances.right(some[:most], batch).tolist() for method, some in ranked.items()
        },
    }


def _syntax(folder: Path, settings: Settings, name: str) -> Any:
    """What ARGMINN's filters are, and how far apart their instances lie."""
    simulation = Simulation.load(name)
    model = networks.chosen_model(folder, settings, name, "ARGMINN")
    random = _random(settings.read, simulation.length)
    reading = motifs.Reading.of(model, simulation, random)
    batch = _positives(name, settings.read, TEST_SEED)
    read = reading.instances(batch.codes)
    first, second = (motif.name for motif in simulation.motifs[:2])
    return {
        "filters": {
            str(index): {"motif": match.target.name, "strand": match.orientation}
            for index, match in reading.names.items()
        },
        "spacings": motifs.spacings(read, first, second),
        "allowed": sorted({s for a in simulation.positives for s in a.spacings}),
        "sequences": len(batch),
    }


def _gc(folder: Path, settings: Settings, name: str) -> Any:
    """Accuracy on backgrounds of another G+C content than the one trained on."""
    simulation = Simulation.load(name)
    models = {
        kind: networks.chosen_model(folder, settings, name, kind)
        for kind in ("ARGMINN", "CNN", "ExplaiNN")
    }
    rows = []
    for gc in settings.gc:
        batch = simulation.sample(settings.test // 5, seed=TEST_SEED, gc=gc)
        known = dataclasses.replace(simulation, gc=gc)
        row = {kind: accuracy(model, batch) for kind, model in models.items()}
        rows.append({"gc": gc, "best": best_accuracy(known, batch), **row})
    return rows


def _adversarial(folder: Path, settings: Settings, name: str) -> Any:
    """Accuracy on sequences made from a network's own filters to fool it."""
    simulation = Simulation.load(name)
    n = settings.test // 10
    ordinary = simulation.sample(2 * n, seed=TEST_SEED)
    rows = []
    for kind in ("CNN", "ARGMINN", "DeepBind", "ExplaiNN"):
        for own in networks.seeds(settings, kind, name):
            model, _ = networks.trained(folder, settings, name, kind, own)
            weight = networks.KINDS[kind].filters(model)
            row: Row = {"kind": kind, "seed": own, "ordinary": accuracy(model, ordinary)}
            negatives = fooling.without_motifs(weight, simulation, n, seed=own)
            positives = fooling.amid_dullness(weight, simulation, n, seed=own)
            row["exciting"] = None
            if negatives is not None:
                row["exciting"] = accuracy(model, _swapped(ordinary, negatives, 0))
            row["dull"] = accuracy(model, _swapped(ordinary, positives.codes, 1))
            rows.append(row)
    return rows


def _swapped(batch: SimulatedSet, codes: np.ndarray, label: int) -> SimulatedSet:
    """A set with the sequences of one label replaced by others."""
    changed = batch.codes.copy()
    changed[batch.labels == label] = codes
    return dataclasses.replace(batch, codes=changed)


def _positives(name: str, n: int, seed: int) -> SimulatedSet:
    return Simulation.load(name).sample(n, seed=seed, positives=n)


def _random(n: int, length: int) -> np.ndarray:
    return np.random.default_rng(READ_SEED).integers(0, 4, (n, length), dtype=np.uint8)


@dataclass(frozen=True)
class Measure:
    """A measurement: how it is taken, from (folder, settings, set), and on which sets."""

    take: Callable[[Path, Settings, str], Any]
    sets: tuple[str, ...] = tuple(SETS)


MEASURES = {
    "motifs": Measure(_motifs),
    "instances": Measure(_instances),
    "accuracy": Measure(_accuracies),
    "syntax": Measure(_syntax, ("rest", "tal-gata")),
    "gc": Measure(_gc, ("rest",)),
    "adversarial": Measure(_adversarial, ("spi1",)),
}
