"""Training one expert: peaks against negatives that are new in every epoch."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import torch

from modelzoo.architectures import registered
from modelzoo.architectures.expert import Expert
from modelzoo.datasets.examples import Examples
from modelzoo.datasets.negatives import KINDS, Both, negatives
from modelzoo.datasets.peaks import Peaks, Source, options, task_of
from modelzoo.files import parse_toml
from modelzoo.sequences.batches import in_batches
from modelzoo.training import augmentation, batches
from modelzoo.training.calibration import calibration
from modelzoo.training.checkpoints import Checkpoint
from modelzoo.training.fit import History, fit, seeded
from modelzoo.training.params import TrainingParams
from modelzoo.training.run_folder import Run, identity
from modelzoo.training.schedules import one_cycle
from modelzoo.training.validation import Validation

DROPOUT = 0.2  # where neither recipe nor caller says


@dataclass(frozen=True, kw_only=True)
class ExpertParams(TrainingParams):
    """The hyper-parameters of an expert's training.

    Attributes:
        weight_decay: Of AdamW.
        negatives: What peaks are told from, see `modelzoo.datasets.negatives`.
        augment: How sequences are changed at random, see `modelzoo.training.augmentation`; those
            to validate by never are.
    """

    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    epochs: int = 12
    negatives: str = "shuffles"
    augment: str = "none"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, kinds in (("negatives", KINDS), ("augment", augmentation.KINDS)):
            if (value := getattr(self, name)) not in kinds:
                raise ValueError(f"{name}: expected one of {kinds}, got {value!r}")


class Recipe(NamedTuple):
    """What is to be known of an expert before it is trained; a TOML file holds the same, flat.

    Attributes:
        params: The hyper-parameters of its training.
        config: What its architecture's class is constructed with, but for the tasks.
    """

    params: ExpertParams = ExpertParams()
    config: Mapping[str, Any] = {}

    @classmethod
    def from_toml(cls, text: str, architecture: str = "deepbind") -> Recipe:
        """Return the recipe that a TOML file holds; unknown names are an error."""
        values = parse_toml(text)
        training = {field.name for field in dataclasses.fields(ExpertParams)}
        known = training | set(inspect.signature(_class(architecture)).parameters) - {"tasks"}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"recipe: expected some of {sorted(known)}, got {unknown} too")
        params = {name: value for name, value in values.items() if name in training}
        return cls(ExpertParams(**params), {n: v for n, v in values.items() if n not in training})

    def to_toml(self) -> str:
        """Return the text that `from_toml` reads."""
        # JSON's numbers, strings and lists are TOML's
        values = {**self.config, **dataclasses.asdict(self.params)}
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())

    @classmethod
    def found(cls, task: str, architecture: str = "deepbind") -> Recipe:
        """Return what was found for a data set; the defaults for any other task."""
        _class(architecture)
        path = resources.files("modelzoo.zoo") / "recipes" / f"{architecture}-{task.lower()}.toml"
        return cls.from_toml(path.read_text("utf-8"), architecture) if path.is_file() else cls()


def untrained(
    task: str, config: Mapping[str, Any], architecture: str = "deepbind", *, seed: int = 0
) -> Expert:
    """Return an untrained expert.

    Args:
        task: Name of its output.
        config: What its class is constructed with.
        architecture: One of the registered experts.
        seed: Decides its weights.
    """
    with seeded(seed):
        return _class(architecture)(**{"dropout": DROPOUT, **config}, tasks=[task])


def fit_expert(
    model: Expert,
    data: Examples,
    params: ExpertParams = ExpertParams(),
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    after_epoch: Callable[[History], None] | None = None,
    progress: bool = True,
) -> History:
    """Train an expert in place.

    Args:
        model: The untrained expert.
        data: What to train on and validate by.
        params: Hyper-parameters.
        seed: Decides order, shuffles, augmentation and dropout.
        checkpoint: What to resume from.
        after_epoch: Called after every epoch; may raise to end the run.
        progress: Show a bar.
    """

    def epoch(number: int) -> batches.Batches:
        codes, labels = data.epoch(number, seed)
        codes = augmentation.augmented(codes, params.augment, (seed, number))
        return batches.of_codes(codes, labels, params.batch_size, (seed, number))

    return fit(
        model,
        epoch,
        Validation(data),
        optimizer=torch.optim.AdamW(
            model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
        ),
        epochs=params.epochs,
        patience=params.patience,
        schedule=one_cycle,
        seed=seed,
        precision=params.dtype,
        checkpoint=checkpoint,
        after_epoch=after_epoch,
        progress=progress,
    )


def train_expert(
    source: Source,
    *,
    out: str | Path,
    architecture: str = "deepbind",
    recipe: Recipe | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Path:
    """Train one expert and return the folder with its weights, config and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        source: A data set of `modelzoo.datasets.chipseq.sets("train")`, or a file of peaks of one
            length: `.seq` or FASTA, with or without `.gz`; or `modelzoo.datasets.peaks.Windows`.
        out: The folder to make.
        architecture: One of the registered experts.
        recipe: Its hyper-parameters and what it is made of; by default those found for the factor.
        seed: Decides weights, order, shuffles, augmentation and dropout.
        device: Where the model is trained.
        progress: Show a bar.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: `source` is neither a data set nor a file of peaks, or a run with other
            arguments, or of other peaks, was stopped on its way to `out`.
        WorkError: The training failed.
    """
    task = task_of(source)
    params, config = Recipe.found(task, architecture) if recipe is None else recipe
    model = untrained(task, config, architecture, seed=seed).to(device)
    data = Peaks([source], negatives=negatives(params.negatives, source))
    command = (
        f"shiftsmooth train expert {source}{options([source])} --architecture {architecture}"
        f" --seed {seed}"
    )
    found = Recipe.found(task, architecture).params
    for option in ("negatives", "augment"):
        if (value := getattr(params, option)) != getattr(found, option):
            command += f" --{option} {value}"
    with Run(out, identity(model, params, seed, data)) as run:
        history = fit_expert(
            model,
            data,
            params,
            seed=seed,
            checkpoint=run.checkpoint,
            progress=progress,
        )
        codes, labels = data.held_out
        model.calibrate(calibration(in_batches(model, codes), labels))
        return run.finish(
            model,
            history,
            params,
            data,
            command=command,
            seed=seed,
            validation_auc=history.best_score,
            **_by_negatives(model, source, data),
        )


def _by_negatives(model: Expert, source: Source, data: Peaks) -> dict[str, Any]:
    """Return the validation AUC against each kind of negatives, where there are both."""
    if not isinstance(data.negatives, Both):
        return {}
    parts = data.negatives.parts.items()
    scores = {kind: Validation(Peaks([source], negatives=part))(model) for kind, part in parts}
    return {"validation_auc_by_negatives": scores}


def _class(architecture: str) -> type[Expert]:
    known = registered(Expert)
    if architecture not in known:
        raise ValueError(f"architecture: expected one of {list(known)}, got {architecture!r}")
    return known[architecture]
