"""What is shipped: trained by the recipes in this tree, then judged, once, on the test files.

    python -m modelzoo.studies.shipped train RUNS              # then weights and recipes
    python -m modelzoo.studies.shipped judge RUNS [NAME ...]   # their scores, into the recipes

Weights of baselines are not shipped, so that the wheel stays below 10 MB: they stay in RUNS, go to
the Hub from there, and the recipe holds their sum.

Only ``judge`` opens the test and out-of-distribution files; every choice was made before it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.baselines import BASELINES
from modelzoo.architectures.deepbind import Expert
from modelzoo.datasets import chipseq
from modelzoo.datasets.planted.simulation import Simulation, simulations
from modelzoo.files import sha256, write_atomically
from modelzoo.studies.peaks.scores import logits, task_score
from modelzoo.studies.peaks.sets import LabelledSet, paper_sets
from modelzoo.studies.planted.settings import TEST_SEED, TEST_SIZE
from modelzoo.training.argminn import train_argminn
from modelzoo.training.expert import train_expert
from modelzoo.training.mixture import GateParams, named, train_moe
from modelzoo.training.multitask import train_baseline, train_explainn
from modelzoo.zoo.catalog import RECIPES, WEIGHTS
from modelzoo.zoo.hub import load

_FACTORS = "-".join(map(str.lower, chipseq.FACTORS))
# Towers cost the most of an epoch, and half of that in half precision. Epochs are capped where
# validation gains hardly more: over towers alone still a thousandth of AUC in the last ten.
MIXTURES = {
    f"moe-{_FACTORS}": (("deepbind",), GateParams()),
    f"moe-tower-{_FACTORS}": (("tower",), GateParams(precision="bfloat16", epochs=21)),
    f"moe-mixed-{_FACTORS}": (
        ("deepbind", "tower", "danq-expert"),
        GateParams(precision="bfloat16", epochs=8),
    ),
}
EXPERTS = {
    f"{architecture}-{factor.lower()}": (architecture, factor)
    for architecture in ("deepbind", "tower", "danq-expert")
    for factor in chipseq.FACTORS
}
MULTITASK = {f"{name}-{_FACTORS}": name for name in ("explainn", *BASELINES)}
ARGMINNS = {f"argminn-{source.lower()}": source for source in (*simulations(), *chipseq.FACTORS)}
MODELS = (*EXPERTS, *MIXTURES, *MULTITASK, *ARGMINNS)


def train(runs: Path) -> None:
    """Train experts and mixtures into ``runs``, where they are not yet, and ship them."""
    for name, (architecture, factor) in EXPERTS.items():
        if not (runs / name).exists():
            train_expert(factor, out=runs / name, architecture=architecture)
        ship(runs / name)
    for name, (architectures, params) in MIXTURES.items():
        if not (runs / name).exists():
            chosen = [expert for expert, (kind, _) in EXPERTS.items() if kind in architectures]
            experts = named([_expert(runs / expert) for expert in chosen])
            train_moe(experts, out=runs / name, params=params)
        ship(runs / name)
    for name, architecture in MULTITASK.items():
        if (runs / name).exists():
            pass
        elif architecture == "explainn":
            train_explainn(out=runs / name)
        else:
            train_baseline(architecture, out=runs / name)
        ship(runs / name)
    for name, source in ARGMINNS.items():
        if not (runs / name).exists():
            train_argminn(source, out=runs / name)
        ship(runs / name)


def ship(folder: Path) -> None:
    """Put a trained model's weights and recipe where the catalog is built from.

    Of a baseline's weights, the recipe gets the sum.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    architecture = config.pop("architecture")
    recipe = {
        "architecture": architecture,
        "tasks": config["tasks"],
        "config": config,
        **training,
        "scores": {},
    }
    weights = folder / "model.safetensors"
    if architecture in BASELINES:
        recipe["sha256"] = sha256(weights.read_bytes())
    else:
        shutil.copyfile(weights, WEIGHTS / f"{folder.name}.safetensors")
    _write(folder.name, recipe)


def judge(runs: Path, names: Sequence[str] = MODELS) -> list[dict[str, Any]]:
    """Score the models on their test sets, note it in their recipes, return the rows.

    Those sets are new sequences of a simulation for what was trained on one, and the nine of the
    mixture paper for all others.
    """
    rows = []
    nine = paper_sets()
    for name in names:
        recipe = _read(name)
        model = _load(name, recipe, runs)
        source = ARGMINNS.get(name)
        sets = [planted_set(source)] if source in simulations() else nine
        row: dict[str, Any] = {"model": name, "validation": recipe["validation_auc"]}
        for data in sets:
            score = task_score(logits(model, data.codes), recipe["tasks"], data.name)
            recipe["scores"][data.name] = scores = {
                "roc_auc": float(roc_auc_score(data.labels, score)),
                "average_precision": float(average_precision_score(data.labels, score)),
            }
            if data.kind == "planted":
                scores["accuracy"] = float(((score > 0) == data.labels).mean())
            row[data.name] = scores["roc_auc"]
        _write(name, recipe)
        rows.append(row)
    return rows


def planted_set(name: str) -> LabelledSet:
    """Return the test set of a simulation, the one that `evaluate argminn` judges on."""
    batch = Simulation.load(name).sample(TEST_SIZE, seed=TEST_SEED)
    return LabelledSet(name, "planted", batch.codes, batch.labels, np.arange(TEST_SIZE))


def _expert(folder: Path) -> Expert:
    model = load(folder)
    assert isinstance(model, Expert)
    return model


def _load(name: str, recipe: dict[str, Any], runs: Path) -> nn.Module:
    kept = "sha256" in recipe
    weights = runs / name / "model.safetensors" if kept else WEIGHTS / f"{name}.safetensors"
    if kept and (found := sha256(weights.read_bytes())) != recipe["sha256"]:
        raise ValueError(f"{weights}: expected sha256 {recipe['sha256']}, got {found}")
    model = ARCHITECTURES[recipe["architecture"]](**recipe["config"])
    model.load_state_dict(load_file(weights))
    return model.eval()


def _read(name: str) -> dict[str, Any]:
    return json.loads((RECIPES / f"{name}.json").read_text(encoding="utf-8"))


def _write(name: str, recipe: dict[str, Any]) -> None:
    text = json.dumps(recipe, indent=2) + "\n"
    write_atomically(RECIPES / f"{name}.json", text.encode())


def main() -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.shipped", description=main.__doc__
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("train", help="train and ship").add_argument("runs", type=Path)
    score = steps.add_parser("judge", help="score the models on the test files")
    score.add_argument("runs", type=Path, help="where the weights are that are not shipped")
    score.add_argument("names", nargs="*", metavar="NAME", help="all by default")
    arguments = parser.parse_args()
    if arguments.step == "train":
        train(arguments.runs)
        return
    rows = judge(arguments.runs, arguments.names or MODELS)
    for row in rows:
        print(row.pop("model"), *(f"{name} {value:.3f}" for name, value in row.items()), sep="\t")


if __name__ == "__main__":
    main()
