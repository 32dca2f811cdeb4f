"""Training one expert: peaks against their dinucleotide shuffles, fresh in every epoch."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from modelzoo.architectures.danq import DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.tower import Tower
from modelzoo.datasets import chipseq
from modelzoo.sequences import columns
from modelzoo.training import run_folder as provenance
from modelzoo.training.fit import History, Minibatches, checked_precision, fit, one_cycle, seeded

# Apart from every (seed, epoch): all seeds and all trials are judged on the same negatives.
VALIDATION_SEED = 2**31


@dataclass(frozen=True)
class Params:
    """The hyper-parameters that every expert has, as a search finds and a recipe stores them."""

    pooling: str = "max+mean"
    dropout: float = 0.2
    learning_rate: float = 5e-3
    weight_decay: float = 1e-4
    batch_size: int = 128
    epochs: int = 12
    precision: str = "float32"  # or "bfloat16", of the forward pass

    def __post_init__(self) -> None:
        checked_precision(self.precision)

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Return the parameters that a recipe holds; unknown names are an error."""
        values: dict[str, Any] = tomllib.loads(text)
        known = {f.name for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - known):
            raise ValueError(f"params: expected some of {sorted(known)}, got {unknown} too")
        values = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**values)

    def to_toml(self) -> str:
        """Return the text that :meth:`from_toml` reads."""
        # JSON's numbers, strings and lists are TOML's
        values = dataclasses.asdict(self).items()
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values)

    def build(self, task: str) -> Expert:
        """Return an untrained expert of these parameters."""
        raise NotImplementedError


@dataclass(frozen=True)
class ExpertParams(Params):
    """The hyper-parameters of a DeepBind expert."""

    filters: tuple[int, ...] = (128,)
    widths: tuple[int, ...] = (21,)

    def build(self, task: str) -> DeepBind:
        """Return an untrained expert of these parameters."""
        return DeepBind(self.filters, self.widths, self.pooling, self.dropout, tasks=[task])


@dataclass(frozen=True)
class TowerParams(Params):
    """The hyper-parameters of a tower."""

    filters: int = 48
    stem: int = 19
    width: int = 5
    dilations: tuple[int, ...] = (1, 2, 4)

    def build(self, task: str) -> Tower:
        """Return an untrained expert of these parameters."""
        shape = (self.filters, self.stem, self.width, self.dilations)
        return Tower(*shape, self.pooling, self.dropout, tasks=[task])


@dataclass(frozen=True)
class DanQParams(Params):
    """The hyper-parameters of a DanQ expert."""

    filters: int = 64
    width: int = 25
    pool: int = 13
    state: int = 32

    def build(self, task: str) -> DanQExpert:
        """Return an untrained expert of these parameters."""
        shape = (self.filters, self.width, self.pool, self.state)
        return DanQExpert(*shape, self.pooling, self.dropout, tasks=[task])


PARAMS: dict[str, type[Params]] = {
    "deepbind": ExpertParams,
    "tower": TowerParams,
    "danq-expert": DanQParams,
}


class PeakBatches:
    """An epoch's batches: every training peak and one shuffle of it, new in each epoch.

    Args:
        peaks: (N, L) codes of the training peaks.
        seed: With the epoch's number, decides shuffles and order.
        keep: Keep each epoch's shuffles, for the next trial of a search to use again.
    """

    def __init__(self, peaks: np.ndarray, seed: int, *, keep: bool = False) -> None:
        self.peaks, self.seed, self.keep = peaks, seed, keep
        self.targets = torch.cat([torch.ones(len(peaks), 1), torch.zeros(len(peaks), 1)])
        self._kept: dict[int, np.ndarray] = {}

    def negatives(self, epoch: int) -> np.ndarray:
        """Return the (N, L) codes of an epoch's shuffles."""
        if epoch in self._kept:
            return self._kept[epoch]
        shuffles = chipseq.shuffled(self.peaks, (self.seed, epoch))
        if self.keep:
            self._kept[epoch] = shuffles
        return shuffles

    def __call__(self, epoch: int, size: int) -> Minibatches:
        """Return the batches of an epoch, ``size`` rows each."""
        codes = torch.from_numpy(np.concatenate([self.peaks, self.negatives(epoch)]))
        return Minibatches(codes, self.targets, size, (self.seed, epoch), columns)


class Validation:
    """Scores a model by ROC AUC: held-out peaks against one fixed shuffle of each."""

    def __init__(self, peaks: np.ndarray) -> None:
        self.codes = np.concatenate([peaks, chipseq.shuffled(peaks, VALIDATION_SEED)])
        self.labels = np.repeat([1, 0], len(peaks))

    def __call__(self, model: nn.Module) -> float:
        """Return the AUC of the first task of ``model``."""
        return float(roc_auc_score(self.labels, predict(model, self.codes)[:, 0]))


def predict(model: nn.Module, codes: np.ndarray, batch_size: int = 128) -> Tensor:
    """Return the logits (N, tasks) of (N, L) codes; ``model`` should be in eval mode."""
    with torch.no_grad():
        return torch.cat(
            [model(columns(part)) for part in torch.from_numpy(codes).split(batch_size)]
        )


def fit_expert(
    params: Params,
    task: str,
    batches: PeakBatches,
    validation: Validation,
    *,
    seed: int = 0,
    patience: int = 5,
    checkpoint: Path | None = None,
    on_epoch: Callable[[History], None] | None = None,
    progress: bool = True,
) -> tuple[Expert, History]:
    """Return an expert trained with ``params``, and its history."""
    with seeded(seed):
        model = params.build(task)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
    )
    history = fit(
        model,
        lambda epoch: batches(epoch, params.batch_size),
        validation,
        optimizer=optimizer,
        epochs=params.epochs,
        patience=patience,
        schedule=one_cycle,
        seed=seed,
        precision=checked_precision(params.precision),
        checkpoint=checkpoint,
        identity=f"{task} {params} seed={seed}",
        on_epoch=on_epoch,
        progress=progress,
    )
    return model, history


def train_expert(
    source: str | Path,
    *,
    out: str | Path,
    architecture: str = "deepbind",
    params: Params | None = None,
    seed: int = 0,
    patience: int = 5,
    progress: bool = True,
) -> Path:
    """Train one expert and return the folder with its weights, config and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        source: One of :data:`modelzoo.datasets.chipseq.FACTORS`, or a file of peaks of one
            length: ``.seq`` or FASTA, with or without ``.gz``.
        out: The folder to make.
        architecture: One of :data:`PARAMS`, where ``params`` does not say.
        params: Hyper-parameters; by default those found for the factor.
        seed: Decides weights, order, shuffles and dropout.
        patience: Stop after this many epochs without a better validation AUC.
        progress: Show a bar.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: ``source`` is neither a factor nor a file of peaks, or a run with other
            arguments was stopped on its way to ``out``.
    """
    out = Path(out)
    checkpoint = provenance.checkpoint(out)
    task = chipseq.task_of(source)
    if params is None:
        params = found_params(task, architecture)
    train, held_out = chipseq.split_peaks(chipseq.peaks(source))
    if len(train) == 0 or len(held_out) == 0:
        raise ValueError(f"source: expected peaks to train and validate on, too few in {source}")
    model, history = fit_expert(
        params,
        task,
        PeakBatches(train, seed),
        Validation(held_out),
        seed=seed,
        patience=patience,
        checkpoint=checkpoint,
        progress=progress,
    )
    training = provenance.record(
        f"shiftsmooth train expert {source} --architecture {model.architecture} --seed {seed}",
        seed,
        [chipseq.source_file(source)],
        validation_auc=history.best_score,
        epochs=len(history.scores),
        params=dataclasses.asdict(params),
    )
    return provenance.finish(out, model, training)


def found_params(task: str, architecture: str = "deepbind") -> Params:
    """Return what was found for a factor; the defaults for any other task."""
    if architecture not in PARAMS:
        raise ValueError(f"architecture: expected one of {list(PARAMS)}, got {architecture!r}")
    recipe = resources.files("modelzoo.zoo") / "recipes" / f"{architecture}-{task.lower()}.toml"
    if not recipe.is_file():
        return PARAMS[architecture]()
    return PARAMS[architecture].from_toml(recipe.read_text(encoding="utf-8"))
