"""Training models of several tasks, some of whose labels are missing: ExplaiNN and its baselines.

The recipe is that of the ExplaiNN paper (section "Model training"): Adam, batches of 100, both
strands of every sequence in training and in validation, early stopping.

What there is to learn from is either the peaks of several factors, each against its shuffles in the
column of that factor alone, or a table of a user's own:

    id      sequence  liver  kidney
    chr1:5  ACGT...   1      0
    chr1:9  TTGA...          1          # no label for the liver
"""

from __future__ import annotations

import dataclasses
import statistics
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.dnabert import DNABERT, HUB
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.architectures.pretrained import Pretrained
from modelzoo.datasets import chipseq
from modelzoo.datasets.examples import Examples, examples
from modelzoo.sequences import columns
from modelzoo.training import run_folder as provenance
from modelzoo.training.batches import Minibatches, both_strands
from modelzoo.training.expert import predict
from modelzoo.training.fit import History, checked_precision, fit, seeded
from modelzoo.training.losses import LOSSES
from modelzoo.zoo.catalog import RECIPES

CLASSIFYING = ("binary", "multiclass")  # validated by ROC AUC

Filters = Literal["random", "jaspar", "jaspar-frozen"]
Build = Callable[[Sequence[str], int], nn.Module]  # from tasks and length to an untrained model


@dataclass(frozen=True)
class MultiTaskParams:
    """The hyper-parameters of a training; the defaults are the paper's, but for the epochs."""

    loss: str = "binary"
    learning_rate: float = 3e-3
    batch_size: int = 100
    epochs: int = 16
    patience: int = 4
    precision: str = "float32"  # or "bfloat16", of the forward pass

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise ValueError(f"loss: expected one of {', '.join(LOSSES)}, got {self.loss!r}")
        checked_precision(self.precision)

    @classmethod
    def of(cls, architecture: str, **more: Any) -> MultiTaskParams:
        """Return what the recipe says of an architecture, and ``more``."""
        text = (RECIPES / "multitask.toml").read_text(encoding="utf-8")
        return cls(**tomllib.loads(text).get(architecture, {}) | more)


class Validation:
    """Scores a model on the held-out examples, both strands; higher is better.

    Classes by ROC AUC and numbers by their correlation, each the mean over tasks; a profile over
    tasks (loss ``"pearson"``) by its correlation over them.
    """

    def __init__(self, data: Examples, loss: str) -> None:
        self.tasks, self.loss = data.tasks, loss
        codes, self.labels = both_strands(*data.held_out)
        self.codes = codes

    def __call__(self, model: nn.Module) -> float:
        """Return the score."""
        outputs = predict(model, self.codes)
        if self.loss == "pearson":
            return 1 - float(LOSSES["pearson"](outputs, self.labels))
        return statistics.fmean(self._by_task(outputs).values())

    def by_task(self, model: nn.Module) -> dict[str, float]:
        """Return the score of every task that has one; none for a profile."""
        return {} if self.loss == "pearson" else self._by_task(predict(model, self.codes))

    def _by_task(self, outputs: Tensor) -> dict[str, float]:
        scores = {}
        for task, y, t in zip(self.tasks, outputs.T.double().numpy(), self.labels.T.numpy()):
            y, t = y[~np.isnan(t)], t[~np.isnan(t)]
            if len(set(t)) < 2:
                continue  # one class, or a constant, tells nothing
            if self.loss in CLASSIFYING:
                scores[task] = float(roc_auc_score(t >= 0.5, y))
            else:
                scores[task] = float(np.corrcoef(y, t)[0, 1]) if np.ptp(y) else 0.0
        if not scores:
            raise ValueError("data: expected different labels to validate by, got equal ones")
        return scores


def train_multitask(
    build: Build,
    data: Examples,
    *,
    command: str,
    out: str | Path,
    params: MultiTaskParams = MultiTaskParams(),
    seed: int = 0,
    progress: bool = True,
    **notes: Any,
) -> Path:
    """Train a model and return the folder with its weights, configuration and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        build: Makes the untrained model; parameters that want no gradient stay as they are.
        data: What to train on, see :func:`examples`.
        command: The command line that does the same; it tells one run from another.
        out: The folder to make.
        params: Hyper-parameters.
        seed: Decides weights, order, shuffles and dropout.
        progress: Show a bar.
        notes: What else to write down in ``training.json``.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: A run with other arguments was stopped on its way to ``out``.
    """
    out = Path(out)
    checkpoint = provenance.checkpoint(out)
    validation = Validation(data, params.loss)
    with seeded(seed):
        model = build(data.tasks, data.length)
    optimizer = torch.optim.Adam(
        [p for p in model.parameters() if p.requires_grad], lr=params.learning_rate
    )
    clock = [time.process_time()]

    def batches(epoch: int) -> Minibatches:
        codes, labels = both_strands(*data.epoch(epoch, seed))
        rows = torch.from_numpy(codes)
        return Minibatches(rows, labels, params.batch_size, (seed, epoch), columns)

    def note_time(history: History) -> None:
        clock.append(time.process_time())

    history = fit(
        model,
        batches,
        validation,
        optimizer=optimizer,
        epochs=params.epochs,
        patience=params.patience,
        loss=LOSSES[params.loss],
        seed=seed,
        precision=checked_precision(params.precision),
        checkpoint=checkpoint,
        identity=f"{command} {params}",
        on_epoch=note_time,
        progress=progress,
    )
    score = "validation_auc" if params.loss in CLASSIFYING else "validation_correlation"
    more: dict[str, Any] = {score: history.best_score}
    if by_task := validation.by_task(model):
        more[f"{score}_by_task"] = by_task
    if len(clock) > 1:  # of this process: a resumed run trained some epochs in another
        more["processor_seconds_an_epoch"] = statistics.median(np.diff(clock).tolist())
    training = provenance.record(
        command,
        seed,
        data.sources,
        **more,
        epochs=len(history.scores),
        params=dataclasses.asdict(params),
        **notes,
    )
    assert isinstance(model, Pretrained)
    return provenance.finish(out, model, training)


def train_baseline(
    name: str,
    data: Sequence[str | Path] = chipseq.FACTORS,
    *,
    out: str | Path,
    bert: str | Path | None = None,
    params: MultiTaskParams | None = None,
    seed: int = 0,
    progress: bool = True,
    **config: Any,
) -> Path:
    """Train a baseline of the ExplaiNN paper, or DNABERT, see :func:`train_multitask`.

    Args:
        name: The name of a registered `Baseline`, or ``"dnabert"``.
        data: A table, or factors and files of peaks, see :func:`examples`.
        out: The folder to make.
        bert: For ``"dnabert"`` alone: the folder or repository of the BERT, DNABERT's on the Hub
            by default.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
        progress: Show a bar.
        config: What else its class is constructed with.
    """
    params = params or MultiTaskParams.of(name)
    command = f"baseline {name}" + (f" --bert {bert}" if bert else "")
    if name != "dnabert" and bert is not None:
        raise ValueError(f"bert: expected None, for {name} has no BERT; got {bert}")

    def build(tasks: Sequence[str], length: int) -> nn.Module:
        if name == "dnabert":
            return DNABERT.from_bert(bert or HUB, tasks)
        return registered(Baseline)[name](tasks=tasks, length=length, **config)

    return train_multitask(
        build,
        examples(data, params.loss),
        command=_command(command, name, data, params, seed),
        out=out,
        params=params,
        seed=seed,
        progress=progress,
    )


def train_explainn(
    data: Sequence[str | Path] = chipseq.FACTORS,
    *,
    out: str | Path,
    units: int = 100,
    filters: Filters = "random",
    params: MultiTaskParams | None = None,
    seed: int = 0,
    progress: bool = True,
    **config: Any,
) -> Path:
    """Train an ExplaiNN, see :func:`train_multitask`.

    Args:
        data: A table, or factors and files of peaks, see :func:`examples`.
        out: The folder to make.
        units: How many units.
        filters: What the filters start as: ``"random"``; ``"jaspar"``, motifs of JASPAR in both
            strands, that training may change; or ``"jaspar-frozen"``, that it may not. Their names
            are written down.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
        progress: Show a bar.
        config: What else :class:`ExplaiNN` is constructed with.
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
        progress=progress,
        **({"filters": names} if names else {}),
    )


def train_model_units(
    models: Mapping[str, nn.Module],
    data: Sequence[str | Path] = chipseq.FACTORS,
    *,
    out: str | Path,
    hidden: int = 0,
    params: MultiTaskParams | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Train what follows trained models in the place of units, see :func:`train_multitask`.

    Args:
        models: Models of the zoo by name; they stay as they are.
        data: A table, or factors and files of peaks, see :func:`examples`.
        out: The folder to make.
        hidden: Nodes of a unit's fully connected layer, 200 in the paper; 0 for none.
        params: Hyper-parameters; the recipe's by default.
        seed: Decides weights, order, shuffles and dropout.
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
        progress=progress,
    )


def _command(
    model: str, recipe: str, data: Sequence[str | Path], params: MultiTaskParams, seed: int
) -> str:
    """Return the command line that trains ``model``, without what is the default."""
    options = "".join(f" --data {source}" for source in data)
    usual = MultiTaskParams.of(recipe)
    for name in ("loss", "epochs"):
        if (value := getattr(params, name)) != getattr(usual, name):
            options += f" --{name} {value}"
    return f"shiftsmooth train {model}{options} --seed {seed}"
