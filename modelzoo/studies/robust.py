"""Do experts that are trained on moved and mutated sequences have better gradients?

    python -m modelzoo.studies.robust -o FOLDER [--quick] [--seed 0]

The DeepBind experts of the mixture paper's factors are trained anew, on few peaks and for few
epochs, with each kind of augmentation (`modelzoo.training.augmentation`): the paper's own outlook.
How good are they, how good is their plain gradient, and what does ShiftSmooth still add to it?
Writes `robust.csv`, `robust.md` and `results.json`. A run that was stopped goes on with the
trainings that are not there yet. The test files of the three factors are opened here too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from torch import nn

from modelzoo.architectures.expert import Expert
from modelzoo.attribution.methods import METHODS
from modelzoo.datasets.chipseq import FACTORS
from modelzoo.datasets.peaks import Peaks
from modelzoo.reports.folder import write_json
from modelzoo.reports.tables import Row, Table, number, plain, with_interval
from modelzoo.studies import statistics
from modelzoo.studies.peaks.compared import ISM
from modelzoo.studies.peaks.measures import METRICS, Values, measure
from modelzoo.studies.peaks.problems import Problem
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import LabelledSet, judged_set
from modelzoo.training.augmentation import KINDS
from modelzoo.training.expert import ExpertParams, Recipe, fit_expert, untrained
from modelzoo.training.run_folder import Run, identity
from modelzoo.zoo.catalog import model_name
from modelzoo.zoo.hub import load

MEASURED = ("window_stability", "mutation_stability", "faithfulness", "hit_auroc")
METHODS_SHOWN = ("gradient", "shiftsmooth")
PLAIN = KINDS[0]

Trained = Mapping[str, Mapping[str, Sequence[Path]]]  # by factor and kind, one for each seed


@dataclass(frozen=True)
class Settings:
    """How much is trained and measured.

    Attributes:
        peaks: The peaks of each factor to train on.
        epochs: Of each training.
        seeds: How many trainings there are of each factor and kind.
        judged: Test peaks of each factor whose attributions are measured.
        resamples: Bootstrap resamples of every interval.
    """

    peaks: int = 3000
    epochs: int = 6
    seeds: int = 1
    judged: int = 80
    resamples: int = 1000


QUICK = Settings(peaks=100, epochs=1, seeds=1, judged=6, resamples=20)


def study(out: Path, settings: Settings = Settings(), *, seed: int = 0) -> list[Row]:
    """Train, measure and write; return the rows of the table.

    Args:
        out: The folder, made if need be.
        settings: How much to train and measure.
        seed: The same seed gives the same rows.
    """
    trained = {factor: _train(factor, out / "models", settings, seed) for factor in FACTORS}
    sets = {factor: judged_set(factor) for factor in FACTORS}
    rows = [*performance(trained, sets, settings, seed), *gradients(trained, sets, settings, seed)]
    table(rows).save(out)
    write_json(out / "results.json", {"settings": {**asdict(settings), "seed": seed}, "rows": rows})
    return rows


def _train(factor: str, models: Path, settings: Settings, seed: int) -> dict[str, list[Path]]:
    """Return the folders of a factor's trainings, by kind; those that are there are kept."""
    peaks = Peaks([factor]).fewer(settings.peaks, seed)
    params, config = Recipe.found(factor)
    found: dict[str, list[Path]] = {}
    for kind in KINDS:
        recipe = Recipe(replace(params, epochs=settings.epochs, augment=kind), config)
        stem = model_name("deepbind", factor, kind)
        found[kind] = [models / f"{stem}-{seed + i}" for i in range(settings.seeds)]
        for i, folder in enumerate(found[kind]):
            if not folder.exists():
                _train_one(folder, peaks, recipe, seed + i)
    return found


def _train_one(folder: Path, peaks: Peaks, recipe: Recipe, seed: int) -> None:
    model = untrained(peaks.tasks[0], recipe.config, seed=seed)
    train_into(folder, model, peaks, recipe.params, seed, "python -m modelzoo.studies.robust")


def train_into(
    folder: Path, model: Expert, peaks: Peaks, params: ExpertParams, seed: int, command: str
) -> None:
    """Train an expert of a study; a training that was stopped goes on.

    Args:
        folder: The folder to make.
        model: The expert, which is changed.
        peaks: What it learns.
        params: How.
        seed: Decides order, shuffles, augmentation and dropout.
        command: What makes it.
    """
    with Run(folder, identity(model, params, seed, peaks)) as run:
        history = fit_expert(
            model, peaks, params, seed=seed, checkpoint=run.checkpoint, progress=False
        )
        run.finish(
            model,
            history,
            params,
            peaks,
            command=command,
            seed=seed,
            validation_auc=history.best_score,
        )


def performance(
    trained: Trained, sets: Mapping[str, LabelledSet], settings: Settings, seed: int
) -> list[Row]:
    """Return a row for each kind, of the AUC on held-out peaks, and one of that on test peaks.

    Both are means over factors and trainings; intervals are of the test sequences.

    Args:
        trained: The trainings.
        sets: The test sets by factor.
        settings: How many resamples.
        seed: The same seed gives the same rows.
    """
    means, drawn = [], []
    for index, (factor, kinds) in enumerate(trained.items()):
        data = sets[factor]
        scores = np.stack([logits(_expert(f), data.codes)[:, 0] for k in KINDS for f in kinds[k]])
        samples = statistics.bootstrap(
            data.labels,
            scores,
            resamples=settings.resamples,
            seed=seed + index,
            groups=data.groups,
        )["roc_auc"]
        means.append(statistics.auc(data.labels, scores).reshape(len(KINDS), -1).mean(1))
        drawn.append(samples.reshape(len(samples), len(KINDS), -1).mean(2))
    held_out = [
        np.mean([_validation(folder) for kinds in trained.values() for folder in kinds[kind]])
        for kind in KINDS
    ]
    validated = [
        {"measure": "ROC AUC, held-out peaks", "training": kind, "value": float(value)}
        | {"difference": None if kind == PLAIN else float(value - held_out[0])}
        for kind, value in zip(KINDS, held_out)
    ]
    told = _compared("ROC AUC, test peaks", np.mean(means, axis=0), np.mean(drawn, axis=0))
    return [*validated, *told]


def gradients(
    trained: Trained, sets: Mapping[str, LabelledSet], settings: Settings, seed: int
) -> list[Row]:
    """Return a row for each measure and kind: of the gradient, and what ShiftSmooth adds to it.

    Args:
        trained: The trainings.
        sets: The test sets by factor, whose peaks are explained.
        settings: How many peaks and resamples.
        seed: The same seed gives the same rows.
    """
    found: dict[tuple[str, str, str], list[np.ndarray]] = {}
    for index, (factor, kinds) in enumerate(trained.items()):
        data = sets[factor]
        known = data.codes[(data.labels == 1) & (data.codes < 4).all(axis=1)]
        problem = Problem.of(factor, known[: settings.judged], planted=1, seed=seed + index)
        for kind in KINDS:
            measured = [_measured(problem, _expert(folder), seed) for folder in kinds[kind]]
            for method in METHODS_SHOWN:
                for metric in MEASURED:
                    values = [one[method][f"{metric}-corrected"] for one in measured]
                    found.setdefault((metric, method, kind), []).append(np.mean(values, axis=0))
    rows = []
    for metric in MEASURED:
        columns = [(method, kind) for method in METHODS_SHOWN for kind in KINDS]
        both = np.stack([np.concatenate(found[metric, *column]) for column in columns], axis=1)
        means, drawn = statistics.paired_means(both, resamples=settings.resamples, seed=seed)
        count = len(KINDS)
        compared = _compared(METRICS[metric], means[:count], drawn[:, :count])
        added, resampled = means[count:] - means[:count], drawn[:, count:] - drawn[:, :count]
        for i, row in enumerate(compared):
            rows.append({**row, **_with_ends("added", added[i], resampled[:, i])})
    return rows


def table(rows: Sequence[Row]) -> Table:
    """Return the table of the study."""
    return Table(
        "robust",
        "Experts trained with augmentation: how good they and their gradients are",
        [
            ("measure", plain("measure")),
            ("augmentation", plain("training")),
            ("model, or its gradient", number("value")),
            ("- none (95 %)", _difference),
            (
                "ShiftSmooth N=5 adds (95 %)",
                with_interval("added", "added_low", "added_high", sign=True),
            ),
        ],
        rows,
    )


def _difference(row: Row) -> str:
    if "difference_low" not in row:  # of validation, whose peaks chose the epoch
        return number("difference", sign=True)(row)
    return with_interval("difference", "difference_low", "difference_high", sign=True)(row)


def _compared(measure: str, means: np.ndarray, drawn: np.ndarray) -> list[Row]:
    """Return a row for each kind, with its difference from the plain training."""
    rows: list[Row] = []
    for i, kind in enumerate(KINDS):
        row: Row = {"measure": measure, "training": kind, "value": float(means[i])}
        if kind == PLAIN:
            rows.append({**row, "difference": None})
        else:
            ends = _with_ends("difference", means[i] - means[0], drawn[:, i] - drawn[:, 0])
            rows.append({**row, **ends})
    return rows


def _with_ends(name: str, value: float, drawn: np.ndarray) -> Row:
    low, high = statistics.interval(drawn)
    return {name: float(value), f"{name}_low": float(low), f"{name}_high": float(high)}


def _measured(problem: Problem, model: nn.Module, seed: int) -> dict[str, Values]:
    reference = measure(problem, model, method=METHODS[ISM], seed=seed)
    return {
        name: measure(problem, model, method=METHODS[name], seed=seed, reference=reference)
        for name in METHODS_SHOWN
    }


def _expert(folder: Path) -> Expert:
    return load(folder).requires_grad_(False)  # type: ignore[return-value]


def _validation(folder: Path) -> float:
    return float(json.loads((folder / "training.json").read_text("utf-8"))["validation_auc"])


def main() -> None:
    """Train experts with each kind of augmentation, and measure them and their gradients."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.studies.robust", description=main.__doc__
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--quick", action="store_true", help="small samples; not to be cited")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    settings = QUICK if arguments.quick else Settings()
    print(table(study(arguments.output, settings, seed=arguments.seed)).to_markdown())


if __name__ == "__main__":
    main()
