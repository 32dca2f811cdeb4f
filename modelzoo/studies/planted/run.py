"""`evaluate argminn`: ARGMINN's paper again, on planted motifs, in one folder.

index.html        the report; tables/ and figures/ hold its parts
models/           the trained networks, as checkpoints: a stopped evaluation goes on from them
cells/            what was measured, a file each
results.json      every number, the same for the same seed
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.attribution.methods import METHODS, Method
from modelzoo.datasets.planted.simulation import SimulatedSet, Simulation
from modelzoo.files import write_atomically
from modelzoo.reports.folder import Report, write_json
from modelzoo.reports.page import QUICK_RUN
from modelzoo.reports.tables import Row
from modelzoo.studies.planted import measures as planted
from modelzoo.studies.planted.measures import TEST_SEED, TEST_SIZE
from modelzoo.studies.planted.report import SETS, show
from modelzoo.training.argminn import Params, SimulatedTask, fit_one
from modelzoo.workers import one_thread

# DeepLiftShap with as many references as in the paper.
ATTRIBUTED: dict[str, Method] = {
    "deep-lift-shap": METHODS["deep-lift-shap"].having(shuffles=10),
    "integrated-gradients": METHODS["integrated-gradients"],
    "gradient": METHODS["gradient"],
    "shiftsmooth-5": METHODS["shiftsmooth"].having(max_shift=5),
}
GC = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
READ_SEED = TEST_SEED + 1  # apart from every seed of a training, too
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


@dataclass(frozen=True)
class Settings:
    """How much is trained and measured."""

    seed: int = 0
    initialisations: int = 3
    params: Params = field(default_factory=Params)
    test: int = TEST_SIZE  # sequences to judge on
    explained: int = 1280  # positives that are attributed for TF-MoDISco, as in the paper
    seqlets: int = 500  # of either sign that it looks at: its time grows with their square
    instances: int = 256  # positives in which instances are ranked: 128 and their other strands
    read: int = 4000  # sequences to read syntax from, and random ones to read filters from
    gc: tuple[float, ...] = GC


QUICK = Settings(
    initialisations=1,
    params=Params(epochs=2, batches=25, candidates=1),
    test=1000,
    explained=200,
    seqlets=200,
    instances=64,
    read=500,
    gc=(0.2, 0.5, 0.8),
)


def evaluate(
    out: str | Path,
    *,
    quick: bool = False,
    seed: int = 0,
    workers: int | None = None,
    settings: Settings | None = None,
    progress: bool = True,
) -> Path:
    """Train and measure what is not there yet, write the report, return the path of its page.

    Args:
        out: Folder of the report, made if it does not exist.
        quick: Train and measure hardly anything: shows that everything works, and nothing else.
        seed: The same seed gives the same `results.json`.
        workers: Processes; one a core by default. For more than one, a script has to guard its
            main part by `if __name__ == "__main__"`.
        settings: How much to do, where neither `quick` nor its opposite fits.
        progress: Show a bar.

    Raises:
        ValueError: `out` was made with other settings.
    """
    chosen = settings or dataclasses.replace(QUICK if quick else Settings(), seed=seed)
    page = Report(Path(out), "ARGMINN on planted motifs")
    if quick:
        page.warning(QUICK_RUN)
    _claim(page.folder, chosen)
    jobs = [
        _Job(page.folder, chosen, name, kind, own)
        for name in SETS
        for kind in KINDS
        for own in _seeds(chosen, kind, name)
    ]
    _run(jobs, workers or os.cpu_count() or 1, "training", progress)
    cells = [
        _Cell(page.folder, chosen, measure, name)
        for measure, names in MEASURES.items()
        for name in names
    ]
    first = [
        cell for cell in cells if cell.measure == "motifs"
    ]  # instances are scanned for with them
    for part in (first, cells):
        _run(part, workers or os.cpu_count() or 1, "measuring", progress)
    results = {f"{cell.measure} {cell.name}": cell.read() for cell in cells}
    show(page, results)
    versions = {"torch": torch.__version__, "numpy": np.__version__}
    record = {"settings": dataclasses.asdict(chosen), "versions": versions, **results}
    write_json(page.folder / "results.json", record)
    return page.finish()


def trained(folder: Path, settings: Settings, name: str, kind: str, seed: int) -> Any:
    """A network of some kind, trained on a set; from its checkpoint where there is one.

    Args:
        folder: Of the report.
        settings: How long to train.
        name: The set, a key of :data:`SETS`.
        kind: A key of :data:`KINDS`.
        seed: Of the initialisation and the training.

    Returns:
        The network, in eval mode, and its validation AUC.
    """
    simulation = Simulation.load(name)
    chosen = KINDS[kind]
    model, history = fit_one(
        lambda: chosen.build(simulation.length, name),
        SimulatedTask(simulation),
        seed=seed,
        params=settings.params,
        regularised=chosen.regularised,
        checkpoint=folder / "models" / f"{_file(name, kind)}-{seed}.safetensors",
        progress=False,
    )
    return model, history.best_score


def chosen_model(folder: Path, settings: Settings, name: str, kind: str) -> Any:
    """The initialisation of a kind that validation prefers; arguments as of :func:`trained`."""
    models = [trained(folder, settings, name, kind, own) for own in _seeds(settings, kind, name)]
    return max(models, key=lambda pair: pair[1])[0]


@dataclass(frozen=True)
class _Job:
    """A training."""

    folder: Path
    settings: Settings
    name: str
    kind: str
    seed: int

    @property
    def marker(self) -> Path:
        return self.folder / "models" / f"{_file(self.name, self.kind)}-{self.seed}.done"

    def run(self) -> None:
        trained(self.folder, self.settings, self.name, self.kind, self.seed)
        write_atomically(self.marker, b"")


@dataclass(frozen=True)
class _Cell:
    """A measurement on a set."""

    folder: Path
    settings: Settings
    measure: str
    name: str

    @property
    def marker(self) -> Path:
        return self.folder / "cells" / f"{self.measure}-{self.name}.json"

    def run(self) -> None:
        values = _MEASURE[self.measure](self.folder, self.settings, self.name)
        write_json(self.marker, values)

    def read(self) -> Any:
        return json.loads(self.marker.read_text(encoding="utf-8"))


def _run(todo: Sequence[_Job | _Cell], workers: int, what: str, progress: bool) -> None:
    left = [one for one in todo if not one.marker.exists()]
    with tqdm(
        total=len(todo), desc=what, disable=not progress, initial=len(todo) - len(left)
    ) as bar:
        for _ in _finished(left, min(workers, len(left))):
            bar.update()


def _finished(todo: Sequence[_Job | _Cell], workers: int) -> Iterator[None]:
    """Compute in so many processes, one thread each, and yield as each is done."""
    if workers < 2:
        for one in todo:
            _call(one)
            yield
        return
    others = set(active_children())
    # A forked child would inherit torch's threads in an unknown state.
    with ProcessPoolExecutor(workers, get_context("spawn"), one_thread) as pool:
        try:
            for future in as_completed([pool.submit(_call, one) for one in todo]):
                future.result()
                yield
        except BaseException:  # a training takes minutes, and nobody waits for it now
            for worker in set(active_children()) - others:
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _call(one: _Job | _Cell) -> None:
    one.run()


def _accuracies(folder: Path, settings: Settings, name: str) -> Any:
    """The accuracy of every network of a set, and the best there is."""
    simulation = Simulation.load(name)
    batch = simulation.sample(settings.test, seed=TEST_SEED)
    rows = []
    for kind in _kinds(name):
        for own in _seeds(settings, kind, name):
            model, validation = trained(folder, settings, name, kind, own)
            rows.append(
                {
                    "kind": kind,
                    "seed": own,
                    "accuracy": planted.accuracy(model, batch),
                    "validation_auc": validation,
                }
            )
    return {"best": planted.best_accuracy(simulation, batch), "models": rows}


def _motifs(folder: Path, settings: Settings, name: str) -> Any:
    """How near filters, and TF-MoDISco's motifs, are to the planted ones."""
    simulation = Simulation.load(name)
    random = np.random.default_rng(READ_SEED).integers(
        0, 4, (settings.read, simulation.length), dtype=np.uint8
    )
    found = {}
    for kind in ("ARGMINN", "CNN", "CNN, regularised", "ExplaiNN"):
        model = chosen_model(folder, settings, name, kind)
        width = KINDS[kind].filters(model).shape[2]
        found[f"{kind}, filters"] = planted.filters_as_motifs(model.activations, width, random)
    for method, motifs in _attributed(folder, settings, name).items():
        found[f"CNN, {method}"] = motifs
    near = {method: planted.matches(motifs, simulation) for method, motifs in found.items()}
    return {
        method: {
            "similarity": planted.similarity(near[method], simulation),
            "matching": planted.matching(near[method]),
            "motifs": [
                {"name": m.name, "matrix": m.matrix.round(4).tolist(), "sites": m.sites}
                for m in motifs
            ],
        }
        for method, motifs in found.items()
    }


def _attributed(folder: Path, settings: Settings, name: str) -> dict[str, list[planted.Motif]]:
    model = chosen_model(folder, settings, name, "CNN")
    codes = _positives(name, settings.explained, READ_SEED).codes
    options = {"width": model.scanners.weight.shape[2], "max_seqlets": settings.seqlets}
    return {
        name: planted.attributed_motifs(model, codes, method, seed=settings.seed, **options)
        for name, method in ATTRIBUTED.items()
    }


def _instances(folder: Path, settings: Settings, name: str) -> Any:
    """How many of the first k instances of each method are right, for k = 1, 2, ..."""
    batch = _positives(name, settings.instances, TEST_SEED)
    argminn = chosen_model(folder, settings, name, "ARGMINN")
    cnn = chosen_model(folder, settings, name, "CNN")
    found = _Cell(folder, settings, "motifs", name).read()["CNN, deep-lift-shap"]["motifs"]
    motifs = [planted.Motif(m["name"], np.array(m["matrix"]), m["sites"]) for m in found]
    ranked = {
        "ARGMINN": planted.attended(argminn, batch.codes),
        "CNN, TF-MoDISco and FIMO": planted.scanned(motifs, batch.codes),
    }
    for method in ("gradient", "shiftsmooth-5"):
        ranked[f"CNN, peaks of {method}"] = planted.peaks(
            cnn, batch.codes, ATTRIBUTED[method], seed=settings.seed
        )
    most = int((batch.motifs >= 0).sum())
    return {
        "planted": most,
        "right": {
            method: planted.right(found[:most], batch).tolist() for method, found in ranked.items()
        },
    }


def _syntax(folder: Path, settings: Settings, name: str) -> Any:
    """What ARGMINN's filters are, and how far apart their instances lie."""
    simulation = Simulation.load(name)
    model = chosen_model(folder, settings, name, "ARGMINN")
    random = np.random.default_rng(READ_SEED).integers(
        0, 4, (settings.read, simulation.length), dtype=np.uint8
    )
    reading = planted.Reading.of(model, simulation, random)
    batch = _positives(name, settings.read, TEST_SEED)
    instances = reading.instances(batch.codes)
    first, second = (motif.name for motif in simulation.motifs[:2])
    return {
        "filters": {
            str(index): {"motif": match.target.name, "strand": match.orientation}
            for index, match in reading.names.items()
        },
        "spacings": planted.spacings(instances, first, second),
        "allowed": sorted({s for a in simulation.positives for s in a.spacings}),
        "sequences": len(batch),
    }


def _gc(folder: Path, settings: Settings, name: str) -> Any:
    """Accuracy on backgrounds of another G+C content than the one trained on."""
    simulation = Simulation.load(name)
    models = {
        kind: chosen_model(folder, settings, name, kind) for kind in ("ARGMINN", "CNN", "ExplaiNN")
    }
    rows = []
    for gc in settings.gc:
        batch = simulation.sample(settings.test // 5, seed=TEST_SEED, gc=gc)
        known = dataclasses.replace(simulation, gc=gc)
        row = {kind: planted.accuracy(model, batch) for kind, model in models.items()}
        rows.append({"gc": gc, "best": planted.best_accuracy(known, batch), **row})
    return rows


def _adversarial(folder: Path, settings: Settings, name: str) -> Any:
    """Accuracy on sequences made from a network's own filters to fool it."""
    simulation = Simulation.load(name)
    n = settings.test // 10
    ordinary = simulation.sample(2 * n, seed=TEST_SEED)
    rows = []
    for kind in ("CNN", "ARGMINN", "DeepBind", "ExplaiNN"):
        for own in _seeds(settings, kind, name):
            model, _ = trained(folder, settings, name, kind, own)
            weight = KINDS[kind].filters(model)
            row: Row = {"kind": kind, "seed": own, "ordinary": planted.accuracy(model, ordinary)}
            negatives = planted.without_motifs(weight, simulation, n, seed=own)
            positives = planted.amid_dullness(weight, simulation, n, seed=own)
            row["exciting"] = None
            if negatives is not None:
                row["exciting"] = planted.accuracy(model, _swapped(ordinary, negatives, 0))
            row["dull"] = planted.accuracy(model, _swapped(ordinary, positives.codes, 1))
            rows.append(row)
    return rows


def _swapped(batch: SimulatedSet, codes: np.ndarray, label: int) -> SimulatedSet:
    """A set with the sequences of one label replaced by others."""
    changed = batch.codes.copy()
    changed[batch.labels == label] = codes
    return dataclasses.replace(batch, codes=changed)


_MEASURE: dict[str, Callable[[Path, Settings, str], Any]] = {
    "accuracy": _accuracies,
    "motifs": _motifs,
    "instances": _instances,
    "syntax": _syntax,
    "gc": _gc,
    "adversarial": _adversarial,
}
MEASURES: dict[str, Sequence[str]] = {
    "motifs": tuple(SETS),
    "instances": tuple(SETS),
    "accuracy": tuple(SETS),
    "syntax": ("rest", "tal-gata"),
    "gc": ("rest",),
    "adversarial": ("spi1",),
}


def _positives(name: str, n: int, seed: int) -> SimulatedSet:
    return Simulation.load(name).sample(n, seed=seed, positives=n)


def _kinds(name: str) -> list[str]:
    return [kind for kind, chosen in KINDS.items() if name in chosen.only]


def _seeds(settings: Settings, kind: str, name: str) -> list[int]:
    """The seeds of the initialisations, those of `shiftsmooth train argminn`."""
    if name not in KINDS[kind].only:
        return []
    first = settings.seed * settings.initialisations
    return [first + i for i in range(1 if KINDS[kind].once else settings.initialisations)]


def _file(name: str, kind: str) -> str:
    return f"{name}-{kind.lower().replace(', ', '-')}"


def _claim(folder: Path, settings: Settings) -> None:
    """Make the folder's places; refuse a folder of another evaluation."""
    for name in ("models", "cells"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    text = json.dumps(dataclasses.asdict(settings), indent=1) + "\n"
    path = folder / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise ValueError(f"out: {folder} was made with other settings; choose another folder")
    write_atomically(path, text.encode())
