"""Train the models of the catalog, then judge them, once, on the test files.

    python -m modelzoo.studies.shipped train RUNS [NAME ...]   # then weights and recipes
    python -m modelzoo.studies.shipped calibrate [NAME ...]    # on validation peaks
    python -m modelzoo.studies.shipped judge RUNS [NAME ...]   # their scores, into the recipes

Weights of baselines are not shipped, so that the wheel stays small: they stay in RUNS and go to the
Hub from there. All others are shipped in half precision, which moves no AUC by 0.0005, but for the
paper's mixture and its experts, which stay as they were trained.

Only `judge` opens the test and out-of-distribution files; every choice was made before it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.pretrained import CALIBRATION
from modelzoo.datasets.chipseq import FACTORS, OOD_FACTORS, sets
from modelzoo.datasets.negatives import negatives
from modelzoo.datasets.peaks import Peaks
from modelzoo.datasets.planted import Simulation, simulations
from modelzoo.files import sha256, write_atomically
from modelzoo.reports.folder import rounded
from modelzoo.sequences.batches import in_batches
from modelzoo.studies.peaks.scores import logits, task_score
from modelzoo.studies.peaks.sets import LabelledSet, judged_set
from modelzoo.studies.planted.settings import TEST_SEED, TEST_SIZE
from modelzoo.training.argminn import train_argminn
from modelzoo.training.calibration import calibration
from modelzoo.training.expert import Recipe, train_expert
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
# The mixture paper's own, and what it mixes.
AS_TRAINED = {model_name("moe", *FACTORS), *(model_name("deepbind", name) for name in FACTORS)}
FURTHER = tuple(name for name in sets("train") if name not in FACTORS)
SPECIFIC = "specific"  # what the names of experts end in that know other factors' peaks
# One expert per factor: ARID3A's is that of HepG2, the paper's.
TWELVE = tuple(name for name in sets("train") if "-" not in name)
MOE12, MOE12_MIXED = "moe-12", "moe-12-mixed"
TWELVE_OF = {MOE12: ("deepbind",), MOE12_MIXED: ("deepbind", "tower")}
MOE12_PARAMS = GateParams(precision="bfloat16", per_factor=2500, shuffles=2)


def trainings() -> dict[str, Callable[..., Path]]:
    """Return the training of each model of the catalog, by name; `out=` is the folder to write.

    A mixture takes its experts from the folders beside its own, or else from the catalog.
    """
    every: dict[str, Callable[..., Path]] = {}
    for architecture in registered(Expert):
        for factor in FACTORS:
            train = partial(train_expert, factor, architecture=architecture)
            every[model_name(architecture, factor)] = train
    for name in FURTHER:
        every |= _further(name)
    for kind, (architectures, params) in MIXTURES.items():
        every[model_name(kind, *FACTORS)] = partial(
            _train_mixture, [model_name(kind, f) for kind in architectures for f in FACTORS], params
        )
    every[model_name("explainn", *FACTORS)] = train_explainn
    for baseline in registered(Baseline):
        every[model_name(baseline, *FACTORS)] = partial(train_baseline, baseline)
    for source in (*simulations(), *FACTORS):
        every[model_name("argminn", source)] = partial(train_argminn, source)
    for name, kinds in TWELVE_OF.items():
        experts = [model_name(kind, factor) for kind in kinds for factor in TWELVE]
        every[name] = partial(_train_mixture, experts, MOE12_PARAMS)
    return every


def _further(name: str) -> dict[str, Callable[..., Path]]:
    return {
        model_name("deepbind", name): partial(train_expert, name),
        model_name("deepbind", name, SPECIFIC): partial(_train_specific, name),
        model_name("tower", name): partial(train_expert, name, architecture="tower"),
    }


def _train_specific(source: str, *, out: Path) -> Path:
    recipe = Recipe.found(source)
    params = replace(recipe.params, negatives="both")
    return train_expert(source, out=out, recipe=recipe._replace(params=params))


def _train_mixture(names: Sequence[str], params: GateParams, *, out: Path) -> Path:
    beside = [out.parent / name for name in names]
    experts: list[Expert] = [
        load(folder if folder.exists() else folder.name)  # type: ignore[misc]
        for folder in beside
    ]
    return train_moe(named(experts), out=out, params=params)


def train(runs: Path, names: Sequence[str] = ()) -> None:
    """Train models into `runs`, where they are not yet, and ship them.

    Args:
        runs: A folder for each of them is made there.
        names: The models; all by default.
    """
    every = trainings()
    for name in names or every:
        folder = _train_once(every[name], runs / name)
        ship(folder)
        noted = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        print(name, f"validation AUC {noted['validation_auc']:.4f}", sep="\t", flush=True)


def _train_once(training: Callable[..., Path], folder: Path) -> Path:
    return folder if folder.exists() else training(out=folder)


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
    _write(folder.name, recipe)
    if not weights:
        return
    info, content = catalog.info(folder.name), file.read_bytes()
    if folder.name not in AS_TRAINED:
        content = safetensors.torch.save({k: _half(value) for k, value in load_file(file).items()})
    write_atomically(info.weights, content)
    _write(folder.name, {**recipe, "sha256": sha256(content)})


def _half(value: Tensor) -> Tensor:
    """Return the numbers in half precision, or as they are where one is too large for it."""
    if not value.is_floating_point():
        return value
    half = value.half()
    return half if half.isfinite().all() else value


def calibrate(names: Sequence[str] = ()) -> None:
    """Fit probabilities on the held-out peaks of shipped experts and mixtures, into their recipes.

    Args:
        names: The models; all by default.
    """
    for name in names or catalog.list_models():
        info = catalog.info(name)
        model = load(name, source="shipped") if info.shipped else None
        if not isinstance(model, Expert | MixtureOfExperts):
            continue
        kind = info.recipe["params"].get("negatives", "shuffles")
        parts = [
            Peaks([factor], negatives=negatives(kind, factor)).held_out for factor in info.sets
        ]
        answers = torch.cat([in_batches(model, codes) for codes, _ in parts])
        fitted = calibration(answers, torch.cat([labels for _, labels in parts]))
        config = {**info.config, CALIBRATION: rounded(fitted)}
        _write(name, {**info.recipe, "config": config})
        print(name, *(f"{value:.3f}" for value in fitted[0]), sep="\t", flush=True)


def judge(
    runs: Path,
    names: Sequence[str] = (),
    *,
    sets: Sequence[LabelledSet] | None = None,
    size: int = TEST_SIZE,
) -> list[dict[str, Any]]:
    """Score the models on their test sets, note it in their recipes, return the rows.

    Those sets are new sequences of a simulation for models that were trained on one. For all
    others they are those of their own factors and the nine of the mixture paper.

    Args:
        runs: The trained models, for weights that are not shipped.
        names: The models to judge; all by default.
        sets: Other sets than those.
        size: Number of new sequences of a simulation.
    """
    rows = []
    simulated = {model_name("argminn", source): source for source in simulations()}
    for name in names or trainings():
        info = catalog.info(name)
        model, scores = _load(info, runs), dict(info.scores)
        row: dict[str, Any] = {"model": name, "validation": info.recipe["validation_auc"]}
        if name in simulated:
            judged = [planted_set(simulated[name], size)]
        else:
            judged = list(map(_judged_set, judged_names(info))) if sets is None else list(sets)
        for data in judged:
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


def judged_names(info: catalog.ModelInfo) -> list[str]:
    """Return the test sets of a model of peaks: its own factors', then the mixture paper's."""
    return list(dict.fromkeys([*info.sets, *FACTORS, *OOD_FACTORS]))


_judged_set = cache(judged_set)


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
    """Run one of the steps."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.shipped", description=main.__doc__
    )
    steps = parser.add_subparsers(dest="step", required=True)
    shipping = steps.add_parser("train", help="train and ship")
    shipping.add_argument("runs", type=Path)
    shipping.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    fitting = steps.add_parser("calibrate", help="fit probabilities on validation peaks")
    fitting.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    score = steps.add_parser("judge", help="score the models on the test files")
    score.add_argument("runs", type=Path, help="the folder of the weights that are not shipped")
    score.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    arguments = parser.parse_args()
    if arguments.step == "train":
        return train(arguments.runs, arguments.names)
    if arguments.step == "calibrate":
        return calibrate(arguments.names)
    for row in judge(arguments.runs, arguments.names):
        print(row.pop("model"), *(f"{name} {value:.3f}" for name, value in row.items()), sep="\t")


if __name__ == "__main__":
    main()
