"""What is shipped: trained by the recipes in this tree, then judged, once, on the test files.

    python -m modelzoo.training.release train RUNS   # four models, then their weights and recipes
    python -m modelzoo.training.release judge        # their scores, into the recipes

Only ``judge`` opens the test and out-of-distribution files; every choice was made before it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.catalog import RECIPES, WEIGHTS
from modelzoo.datasets import chipseq
from modelzoo.evaluation.scores import logits, paper_sets, task_score
from modelzoo.training.experts import train_expert
from modelzoo.training.fit import write_atomically
from modelzoo.training.gate import train_moe

EXPERTS = {factor: f"deepbind-{factor.lower()}" for factor in chipseq.FACTORS}
MIXTURE = "-".join(["moe", *map(str.lower, chipseq.FACTORS)])


def train(runs: Path) -> None:
    """Train the experts and the mixture into ``runs``, where they are not yet, and ship them."""
    for factor, name in EXPERTS.items():
        if not (runs / name).exists():
            train_expert(factor, out=runs / name)
        ship(runs / name)
    experts = {
        factor: DeepBind.from_pretrained(runs / name).eval() for factor, name in EXPERTS.items()
    }
    if not (runs / MIXTURE).exists():
        train_moe(experts, out=runs / MIXTURE)
    ship(runs / MIXTURE)


def ship(folder: Path) -> None:
    """Put a trained model's weights and recipe where the catalog is built from."""
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
    shutil.copyfile(folder / "model.safetensors", WEIGHTS / f"{folder.name}.safetensors")
    _write(folder.name, recipe)


def judge() -> list[dict[str, Any]]:
    """Score the shipped models on the nine data sets, note it in their recipes, return the rows."""
    rows = []
    sets = paper_sets()
    for name in (*EXPERTS.values(), MIXTURE):
        recipe = _read(name)
        model = _load(name, recipe)
        row: dict[str, Any] = {"model": name, "validation": recipe["validation_auc"]}
        for data in sets:
            score = task_score(logits(model, data.codes), recipe["tasks"], data.name)
            recipe["scores"][data.name] = {
                "roc_auc": float(roc_auc_score(data.labels, score)),
                "average_precision": float(average_precision_score(data.labels, score)),
            }
            row[data.name] = recipe["scores"][data.name]["roc_auc"]
        _write(name, recipe)
        rows.append(row)
    return rows


def _load(name: str, recipe: dict[str, Any]) -> nn.Module:
    model = ARCHITECTURES[recipe["architecture"]](**recipe["config"])
    model.load_state_dict(load_file(WEIGHTS / f"{name}.safetensors"))
    return model.eval()


def _read(name: str) -> dict[str, Any]:
    return json.loads((RECIPES / f"{name}.json").read_text(encoding="utf-8"))


def _write(name: str, recipe: dict[str, Any]) -> None:
    text = json.dumps(recipe, indent=2) + "\n"
    write_atomically(RECIPES / f"{name}.json", text.encode())


def main() -> None:
    """Run one of the two steps."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.training.release", description=main.__doc__
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("train", help="train and ship").add_argument("runs", type=Path)
    steps.add_parser("judge", help="score what is shipped on the test files")
    arguments = parser.parse_args()
    if arguments.step == "train":
        train(arguments.runs)
        return
    rows = judge()
    print(*rows[0], sep="\t")
    for row in rows:
        print(*(v if isinstance(v, str) else f"{v:.3f}" for v in row.values()), sep="\t")


if __name__ == "__main__":
    main()
