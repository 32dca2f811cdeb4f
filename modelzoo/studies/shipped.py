"""Train the models of the catalog, then judge them, once, on the test files.

    python -m modelzoo.studies.shipped train RUNS              # then weights and recipes
    python -m modelzoo.studies.shipped judge RUNS [NAME ...]   # their scores, into the recipes

Weights of baselines are not shipped, so that the wheel stays below 10 MB: they stay in RUNS and go
to the Hub from there.

Only `judge` opens the test and out-of-distribution files; every choice was made before it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.expert import Expert
from modelzoo.datasets.chipseq import FACTORS
from modelzoo.datasets.planted.simulation import Simulation, simulations
from modelzoo.files import sha256, write_atomically
from modelzoo.studies.peaks.scores import logits, task_score
from modelzoo.studies.peaks.sets import LabelledSet, paper_sets
from modelzoo.studies.planted.settings import TEST_SEED, TEST_SIZE
from modelzoo.training.argminn import train_argminn
from modelzoo.training.expert import train_expert
from modelzoo.training.mixture import GateParams, named, train_moe
from modelzoo.training.multitask import train_baseline, train_explainn
from modelzoo.zoo import catalog
from modelzoo.zoo.catalog import model_name
from modelzoo.zoo.hub import load

# Towers cost the most of an epoch, and half of that in half precision. Epochs are capped where
# validation hardly gains more: over towers alone still a thousandth of AUC in the last ten.
MIXTURES = {
    "moe": (("deepbind",), GateParams()),
    "moe-tower": (("tower",), GateParams(precision="bfloat16", epochs=21)),
    "moe-mixed": (("deepbind", "tower", "danq-expert"), GateParams(precision="bfloat16", epochs=8)),
}


def trainings() -> dict[str, Callable[..., Path]]:
    """Return the training of each model of the catalog, by name; `out=` is the folder to write.

    A mixture takes its experts from the folders beside its own.
    """
    every: dict[str, Callable[..., Path]] = {}
    for architecture in registered(Expert):
        for factor in FACTORS:
            train = partial(train_expert, factor, architecture=architecture)
            every[model_name(architecture, factor)] = train
    for kind, (architectures, params) in MIXTURES.items():
        every[model_name(kind, *FACTORS)] = partial(_train_mixture, architectures, params)
    every[model_name("explainn", *FACTORS)] = train_explainn
    for baseline in registered(Baseline):
        every[model_name(baseline, *FACTORS)] = partial(train_baseline, baseline)
    for source in (*simulations(), *FACTORS):
        every[model_name("argminn", source)] = partial(train_argminn, source)
    return every


def _train_mixture(architectures: Sequence[str], params: GateParams, *, out: Path) -> Path:
    names = [model_name(kind, factor) for kind in architectures for factor in FACTORS]
    experts: list[Expert] = [load(out.parent / name) for name in names]  # type: ignore[misc]
    return train_moe(named(experts), out=out, params=params)


def train(runs: Path) -> None:
    """Train the models into `runs`, where they are not yet, and ship them."""
    for name, training in trainings().items():
        if not (runs / name).exists():
            training(out=runs / name)
        ship(runs / name)


def ship(folder: Path, *, weights: bool | None = None) -> None:
    """Put a trained model's weights and recipe into the catalog.

    Args:
        folder: The trained model; its name is the catalog's.
        weights: Whether to ship the weights, or only their checksum. By default those of all
            models but baselines are shipped.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    file = folder / "model.safetensors"
    training = {
        key: value
        for name in ("training.json", "times.json")
        for key, value in json.loads((folder / name).read_text(encoding="utf-8")).items()
    }
    architecture = config.pop("architecture")
    recipe = {
        "architecture": architecture,
        "tasks": config["tasks"],
        "config": config,
        **training,
        "scores": {},
        "sha256": sha256(file.read_bytes()),
    }
    if weights is None:
        weights = architecture not in registered(Baseline)
    if weights:
        shutil.copyfile(file, catalog.WEIGHTS / f"{folder.name}.safetensors")
    _write(folder.name, recipe)


def judge(
    runs: Path,
    names: Sequence[str] = (),
    *,
    sets: Sequence[LabelledSet] | None = None,
    size: int = TEST_SIZE,
) -> list[dict[str, Any]]:
    """Score the models on their test sets, note it in their recipes, return the rows.

    Those sets are new sequences of a simulation for models that were trained on one, and the nine
    of the mixture paper for all others.

    Args:
        runs: The trained models, for weights that are not shipped.
        names: The models to judge; all by default.
        sets: Other sets than the nine.
        size: Number of new sequences of a simulation.
    """
    rows = []
    nine = paper_sets() if sets is None else sets
    simulated = {model_name("argminn", source): source for source in simulations()}
    for name in names or trainings():
        info = catalog.info(name)
        model, scores = _load(info, runs), dict(info.scores)
        row: dict[str, Any] = {"model": name, "validation": info.recipe["validation_auc"]}
        for data in [planted_set(simulated[name], size)] if name in simulated else nine:
            score = task_score(logits(model, data.codes), info.tasks, data.name)
            measured = {
                "roc_auc": float(roc_auc_score(data.labels, score)),
                "average_precision": float(average_precision_score(data.labels, score)),
            }
            if data.kind == "planted":
                measured["accuracy"] = float(((score > 0) == data.labels).mean())
            scores[data.name] = measured
            row[data.name] = measured["roc_auc"]
        _write(name, {**info.recipe, "scores": scores})
        rows.append(row)
    return rows


def planted_set(name: str, size: int = TEST_SIZE) -> LabelledSet:
    """Return the test set of a simulation, the one that `evaluate argminn` judges on."""
    batch = Simulation.load(name).sample(size, seed=TEST_SEED)
    return LabelledSet(name, "planted", batch.codes, batch.labels, np.arange(size))


def _load(info: catalog.ModelInfo, runs: Path) -> nn.Module:
    if info.shipped:
        return load(info.name, source="shipped")
    weights = runs / info.name / "model.safetensors"
    if (found := sha256(weights.read_bytes())) != info.sha256:
        raise ValueError(f"{weights}: expected sha256 {info.sha256}, got {found}")
    return load(runs / info.name)


def _write(name: str, recipe: dict[str, Any]) -> None:
    text = json.dumps(recipe, indent=2) + "\n"
    write_atomically(catalog.RECIPES / f"{name}.json", text.encode())


def main() -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.shipped", description=main.__doc__
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("train", help="train and ship").add_argument("runs", type=Path)
    score = steps.add_parser("judge", help="score the models on the test files")
    score.add_argument("runs", type=Path, help="the folder of the weights that are not shipped")
    score.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    arguments = parser.parse_args()
    if arguments.step == "train":
        train(arguments.runs)
        return
    for row in judge(arguments.runs, arguments.names):
        print(row.pop("model"), *(f"{name} {value:.3f}" for name, value in row.items()), sep="\t")


if __name__ == "__main__":
    main()
