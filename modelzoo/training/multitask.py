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

import csv
import dataclasses
import gzip
import math
import statistics
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

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
from modelzoo.sequences import columns, encode
from modelzoo.training import run_folder as provenance
from modelzoo.training.expert import VALIDATION_SEED, predict
from modelzoo.training.fit import History, Minibatches, checked_precision, fit, seeded
from modelzoo.training.losses import LOSSES
from modelzoo.zoo.catalog import RECIPES

TABLES = (".tsv", ".csv", ".txt")
MISSING = ("", "NA", "NaN", "nan", ".")
RANGES = {"binary": (0.0, 1.0), "multiclass": (0.0, 1.0), "poisson": (0.0, math.inf)}
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


class Examples(Protocol):
    """What a model is trained on and validated by; labels are NaN where they are missing.

    Attributes:
        tasks: Names of the labels' columns.
        length: Positions of every sequence.
        sources: The files it was read from.
        held_out: (N, L) codes and (N, tasks) labels to validate by.
    """

    tasks: tuple[str, ...]
    length: int
    sources: list[Path]
    held_out: tuple[np.ndarray, Tensor]

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the (N, L) codes and (N, tasks) labels of an epoch, one strand of each."""
        ...


class Peaks:
    """Every peak of several factors and a shuffle of each, new in every epoch.

    A peak, and its shuffle, is labelled for its own factor alone: nobody looked for the others.

    Args:
        sources: Factors or files of peaks, as for :func:`modelzoo.datasets.chipseq.peaks`.
    """

    def __init__(self, sources: Sequence[str | Path]) -> None:
        self.tasks = tuple(chipseq.task_of(source) for source in sources)
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"data: expected every task once, got {', '.join(self.tasks)}")
        split = [chipseq.split_peaks(chipseq.peaks(source)) for source in sources]
        lengths = sorted({codes.shape[1] for codes, _ in split})
        if len(lengths) > 1:
            raise ValueError(f"data: expected peaks of one length, got {lengths}")
        for task, parts in zip(self.tasks, split):
            if not all(map(len, parts)):
                raise ValueError(f"data: too few peaks of {task} to train and validate on")
        self.length = lengths[0]
        self.sources = [chipseq.source_file(source) for source in sources]
        self._train = [train for train, _ in split]
        self.held_out = self._with_shuffles([held for _, held in split], (VALIDATION_SEED,))

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the peaks and the epoch's shuffles."""
        return self._with_shuffles(self._train, (seed, epoch))

    def _with_shuffles(
        self, peaks: list[np.ndarray], seed: tuple[int, ...]
    ) -> tuple[np.ndarray, Tensor]:
        codes, labels = [], []
        for task, own in enumerate(peaks):
            codes += [own, chipseq.shuffled(own, (*seed, task))]
            for label in (1.0, 0.0):
                rows = torch.full((len(own), len(self.tasks)), torch.nan)
                rows[:, task] = label
                labels.append(rows)
        return np.concatenate(codes), torch.cat(labels)


class Table:
    """A user's own sequences and labels: id, sequence, then a column of numbers for each task.

    A hash of the sequence sets a tenth aside to validate by, whichever strand is given.

    Args:
        path: Tab-separated, or comma-separated where its name says ``.csv``; also as ``.gz``.
            Empty, NA, NaN and . are missing labels.
        loss: What the labels are for: those of classes and counts have a range.

    Raises:
        ValueError: The file is not such a table; the message says where and why.
    """

    def __init__(self, path: str | Path, loss: str = "binary") -> None:
        self.tasks, codes, labels = _read_table(
            Path(path), *RANGES.get(loss, (-math.inf, math.inf))
        )
        self.length = codes.shape[1]
        self.sources = [Path(path)]
        held = chipseq.held_out(codes)
        for part, rows in (("train", ~held), ("validate", held)):
            if empty := [
                t for t, known in zip(self.tasks, ~labels[rows].isnan().T) if not known.any()
            ]:
                raise ValueError(f"{path}: expected labels of {empty[0]!r} to {part} on, got none")
        self._train = codes[~held], labels[~held]
        self.held_out = codes[held], labels[held]

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the training rows, the same in every epoch."""
        return self._train


def examples(data: Sequence[str | Path], loss: str = "binary") -> Examples:
    """Return what to train on: one table, or factors and files of peaks.

    Args:
        data: One ``.tsv``, ``.csv`` or ``.txt`` file, also as ``.gz``; or any number of factors
            and files of peaks, each of which is a task.
        loss: A key of :data:`modelzoo.training.losses.LOSSES`.
    """
    tables = [d for d in data if Path(d).name.removesuffix(".gz").lower().endswith(TABLES)]
    if not tables:
        if loss != "binary":
            raise ValueError(f"loss: peaks against shuffles are 'binary', got {loss!r}")
        return Peaks(data)
    if len(data) > 1:
        raise ValueError(f"data: expected one table and nothing else, got {len(data)} entries")
    return Table(data[0], loss)


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


def both_strands(codes: np.ndarray, labels: Tensor) -> tuple[np.ndarray, Tensor]:
    """Return all sequences and their reverse complements, (N, L) -> (2 N, L), and their labels."""
    other = np.where(codes < 4, 3 - codes, codes)[:, ::-1]
    return np.concatenate([codes, other]), torch.cat([labels, labels])


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


def _read_table(path: Path, low: float, high: float) -> tuple[tuple[str, ...], np.ndarray, Tensor]:
    """Return the tasks, the (N, L) codes and the (N, tasks) labels of a table."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    comma = path.name.lower().removesuffix(".gz").endswith(".csv")
    with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter="," if comma else "\t")
        header = next(reader, [])
        if len(header) < 3:
            raise ValueError(
                f"{path}, line 1: expected the columns id, sequence and a label at least, "
                f"{'comma' if comma else 'tab'}-separated; got {header}"
            )
        tasks = tuple(header[2:])
        if len(set(tasks)) < len(tasks) or not all(tasks):
            raise ValueError(
                f"{path}, line 1: expected a name of its own for each label, got {tasks}"
            )
        codes: list[np.ndarray] = []
        labels: list[list[float]] = []
        for fields in reader:
            if not fields:
                continue  # an empty line
            where = f"{path}, line {reader.line_num}"
            if len(fields) != len(header):
                raise ValueError(f"{where}: expected {len(header)} columns, got {len(fields)}")
            try:
                codes.append(encode(fields[1])[0])
            except ValueError as error:
                raise ValueError(f"{where}: {error}") from None
            if len(codes[-1]) != len(codes[0]) or len(codes[0]) == 0:
                raise ValueError(
                    f"{where}: expected sequences of one length, at least 1; got "
                    f"{len(codes[-1])} after {len(codes[0])}"
                )
            labels.append(
                [
                    _label(text, f"{where}, {task}", low, high)
                    for task, text in zip(tasks, fields[2:])
                ]
            )
    if not codes:
        raise ValueError(f"{path}: expected rows below the header, got none")
    return tasks, np.stack(codes), torch.tensor(labels, dtype=torch.float32)


def _label(text: str, where: str, low: float, high: float) -> float:
    if text.strip() in MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: expected a number or nothing, got {text!r}") from None
    if not low <= value <= high or math.isinf(value):
        raise ValueError(f"{where}: expected a label from {low:g} to {high:g}, got {text!r}")
    return value
