"""Training models of several tasks, some of whose labels are missing: ExplaiNN and its baselines.

The recipe is that of the ExplaiNN paper (section "Model training"): Adam, batches of 100, both
strands of every sequence in training and in validation, early stopping.

What there is to learn from is either the peaks of several factors, each against its shuffles in the
column of that factor alone, or a user's own table.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.dnabert import DNABERT, HUB
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.architectures.pretrained import Pretrained
from modelzoo.datasets import chipseq
from modelzoo.datasets.examples import Examples, examples
from modelzoo.datasets.peaks import Source, options
from modelzoo.training import batches
from modelzoo.training.fit import fit, seeded
from modelzoo.training.losses import LOSSES
from modelzoo.training.params import TrainingParams
from modelzoo.training.run_folder import Run, identity
from modelzoo.training.validation import CLASSIFYING, Validation
from modelzoo.zoo.catalog import RECIPES
from modelzoo.zoo.hub import bert_folder

Filters = Literal["random", "jaspar", "jaspar-frozen"]
Build = Callable[[Sequence[str], int], Pretrained]  # from tasks and length to an untrained model


@dataclass(frozen=True, kw_only=True)
class MultiTaskParams(TrainingParams):
    """The hyper-parameters of a training; the defaults are the paper's, but for the epochs.

    Attributes:
        loss: What the labels are, a key of `modelzoo.training.losses.LOSSES`.
    """

    loss: str = "binary"
    learning_rate: float = 3e-3
    batch_size: int = 100
    epochs: int = 16
    patience: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")

    @classmethod
    def of(cls, architecture: str, **more: Any) -> MultiTaskParams:
        """Return what the recipe says of an architecture, and `more`."""
        text = (RECIPES / "multitask.toml").read_text(encoding="utf-8")
        return cls(**tomllib.loads(text).get(architecture, {}) | more)


def train_multitask(
    build: Build,
    data: Examples,
    *,
    command: str,
    out: str | Path,
    params: MultiTaskParams = MultiTaskParams(),
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
    **notes: Any,
) -> Path:
    """Train a model and return the folder with its weights, configuration and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        build: Makes the untrained model; parameters that want no gradient stay as they are.
        data: What to train on.
        command: The command line that does the same.
        out: The folder to make.
        params: Hyper-parameters.
        seed: Decides weights, order, shuffles and dropout.
        device: Where the model is trained.
        progress: Show a bar.
        notes: What else to write down in `training.json`.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: A run with other arguments, or on other data, was stopped on its way to `out`.
        WorkError: The training failed.
    """
    validation = Validation(data, params.loss, strands=2)
    with seeded(seed):
        model = build(data.tasks, data.length).to(device)

    def epoch(number: int) -> batches.Batches:
        codes, labels = batches.both_strands(*data.epoch(number, seed))
        return batches.of_codes(codes, labels, params.batch_size, (seed, number))

    with Run(out, identity(model, params, seed, data)) as run:
        history = fit(
            model,
            epoch,
            validation,
            optimizer=torch.optim.Adam(
                [p for p in model.parameters() if p.requires_grad], lr=params.learning_rate
            ),
            epochs=params.epochs,
            patience=params.patience,
            loss=LOSSES[params.loss],
            seed=seed,
            precision=params.dtype,
            checkpoint=run.checkpoint,
            progress=progress,
        )
        score = "validation_auc" if params.loss in CLASSIFYING else "validation_correlation"
        more: dict[str, Any] = {score: history.best_score}
        if by_task := validation.by_task(model):
            more[f"{score}_by_task"] = by_task
        return run.finish(model, history, params, data, command=command, seed=seed, **more, **notes)


def train_baseline(
    name: str,
    data: Sequence[Source] = chipseq.FACTORS,
    *,
    out: str | Path,
    bert: str | Path | None = None,
    params: MultiTaskParams | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
    **config: Any,
) -> Path:
    """Train a baseline of the ExplaiNN paper, or DNABERT, see `train_multitask`.

    Args:
        name: The name of a registered `Baseline`, or `"dnabert"`.
        data: A table, or factors and files of peaks, see `modelzoo.datasets.examples.examples`.
        out: The folder to make.
        bert: For `"dnabert"` alone: the folder or repository of the BERT, DNABERT's on the Hub
            by default.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
        device: Where the model is trained.
        progress: Show a bar.
        config: What else its class is constructed with.
    """
    params = params or MultiTaskParams.of(name)
    command = f"baseline {name}" + (f" --bert {bert}" if bert else "")
    if name != "dnabert" and bert is not None:
        raise ValueError(f"bert: expected None, for {name} has no BERT; got {bert}")

    def build(tasks: Sequence[str], length: int) -> Pretrained:
        if name == "dnabert":
            return DNABERT.from_bert(bert_folder(bert or HUB), tasks)
        return registered(Baseline)[name](tasks=tasks, length=length, **config)

    return train_multitask(
        build,
        examples(data, params.loss),
        command=_command(command, name, data, params, seed),
        out=out,
        params=params,
        seed=seed,
        device=device,
        progress=progress,
    )


def train_explainn(
    data: Sequence[Source] = chipseq.FACTORS,
    *,
    out: str | Path,
    units: int = 100,
    filters: Filters = "random",
    params: MultiTaskParams | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
    **config: Any,
) -> Path:
    """Train an ExplaiNN, see `train_multitask`.

    Args:
        data: A table, or factors and files of peaks, see `modelzoo.datasets.examples.examples`.
        out: The folder to make.
        units: How many units.
        filters: What the filters start as: `"random"`; `"jaspar"`, motifs of JASPAR on both
            strands, which training changes; or `"jaspar-frozen"`, which stay. `training.json` names
            the motifs.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
        device: Where the model is trained.
        progress: Show a bar.
        config: What else `ExplaiNN` is constructed with.
    """
    params = params or MultiTaskParams.of("explainn")
    command = f"explainn --units {units}"
    start: Tensor | None = None
    names: tuple[str, ...] = ()
    if filters != "random":
        from modelzoo.training.initial_filters import jaspar_filters

        if units % 2:
            raise ValueError(
                f"units: expected an even number, a motif has two strands; got {units}"
            )
        command += f" --filters {filters}"
        start, names = jaspar_filters(units // 2, config.get("width", 19))

    def build(tasks: Sequence[str], length: int) -> ExplaiNN:
        model = ExplaiNN(units, tasks=tasks, length=length, **config)
        return model if start is None else model.set_filters(start, frozen="frozen" in filters)

    return train_multitask(
        build,
        examples(data, params.loss),
        command=_command(command, "explainn", data, params, seed),
        out=out,
        params=params,
        seed=seed,
        device=device,
        progress=progress,
        **({"filters": names} if names else {}),
    )


def train_model_units(
    models: Mapping[str, nn.Module],
    data: Sequence[Source] = chipseq.FACTORS,
    *,
    out: str | Path,
    hidden: int = 0,
    params: MultiTaskParams | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Path:
    """Train the layers after trained models that take the place of units, see `train_multitask`.

    Args:
        models: Models of the zoo by name; they stay as they are.
        data: A table, or factors and files of peaks, see `modelzoo.datasets.examples.examples`.
        out: The folder to make.
        hidden: Nodes of a unit's fully connected layer, 200 in the paper; 0 for none.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
        device: Where the model is trained.
        progress: Show a bar.
    """
    params = params or MultiTaskParams.of("explainn-models")
    command = f"explainn {' '.join(f'--unit {name}' for name in models)} --hidden {hidden}"
    return train_multitask(
        lambda tasks, length: ModelUnits(models, hidden=hidden, tasks=tasks),
        examples(data, params.loss),
        command=_command(command, "explainn-models", data, params, seed),
        out=out,
        params=params,
        seed=seed,
        device=device,
        progress=progress,
    )


def _command(
    model: str, recipe: str, data: Sequence[Source], params: MultiTaskParams, seed: int
) -> str:
    """Return the command line that trains `model`, without what is the default."""
    words = "".join(f" --data {source}" for source in data) + options(data)
    usual = MultiTaskParams.of(recipe)
    for name in ("loss", "epochs"):
        if (value := getattr(params, name)) != getattr(usual, name):
            words += f" --{name} {value}"
    return f"shiftsmooth train {model}{words} --seed {seed}"
