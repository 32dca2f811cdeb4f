"""Training ARGMINN and the plain CNN beside it: on simulated sequences, or on peaks.

loss = BCE + lambda_o overlap(A, W) + lambda_l L1(W)                                  (4)

The paper gives lambda_o, 10^0.5 to 10^4, but not what Eq. 2 is divided by, without which the number
means nothing. Here :func:`filter_overlap` is the mean over everything that Eq. 2 sums over, and the
L1 norms in it are means over a filter's weights; docs/argminn.md says how that was found.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from modelzoo.architectures.argminn import ARGMINN, MemoryAttention
from modelzoo.datasets.peaks import (
    VALIDATION_SEED,
    read_peaks,
    shuffled,
    source_file,
    split_peaks,
    task_of,
)
from modelzoo.datasets.planted.simulation import Simulation, simulations
from modelzoo.training import run_folder as provenance
from modelzoo.training.batches import Doubled
from modelzoo.training.expert import Validation, predict
from modelzoo.training.fit import History, fit, seeded
from modelzoo.training.losses import filter_overlap
from modelzoo.training.schedules import falling, ramp

OVERLAP = (10**0.5, 1e4)  # lambda_o, from its first epoch to its last
L1 = (1e-4, 1e-3)  # lambda_l
VALIDATION_SIZE = 10_000
_LOOKED_AT = 16  # batches, to see which filters matter


@dataclass(frozen=True)
class Params:
    """How long to train, and how fast.

    Epochs, and what an epoch sees, are the paper's (appendix B.3): there, in 100 batches of 128.
    """

    epochs: int = 40
    batches: int = 200  # of an epoch
    batch_size: int = 64  # half of it reverse complements of the other half
    learning_rate: float = 2e-3  # at first
    candidates: int = 3  # first weights: the best after an eighth of the epochs go on

    @property
    def race(self) -> int:
        """Epochs after which one of the candidates is chosen."""
        return max(1, self.epochs // 8)


class Objective(nn.Module):
    """A network with the loss of Eq. 4; :attr:`epoch` decides the regularisers' weights.

    Args:
        model: The network.
        scanners: Its convolution to regularise, if any: one that sees the sequence, with a ReLU.
        epochs: Of the whole run.
    """

    def __init__(self, model: nn.Module, scanners: nn.Conv1d | None, epochs: int) -> None:
        super().__init__()
        self.model, self.epochs = model, epochs
        self.epoch = 0
        self._scanners = [] if scanners is None else [scanners]  # in a list: no module twice
        self._seen = torch.empty(0)
        self._hooks = [c.register_forward_hook(self._keep) for c in self._scanners]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; what the scanners saw is kept for :meth:`loss`."""
        return self.model(x)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the batch that went through :meth:`forward` last."""
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        overlap, l1 = (ramp(self.epoch, self.epochs, bounds) for bounds in (OVERLAP, L1))
        for convolution in self._scanners if l1 else ():
            weight = convolution.weight
            some = self._seen[::4]  # Eq. 2 takes as long as all the rest, and is a mean
            loss = loss + overlap * filter_overlap(some, weight) + l1 * weight.abs().sum()
        return loss

    @property
    def settled(self) -> bool:
        """Whether the regularisers have their last weights: earlier epochs are not chosen."""
        last = min(self.epochs - self.epochs // 4, self.epochs - 1)
        return not self._scanners or self.epoch >= last

    def release(self) -> None:
        """Leave the model as if it had never been watched."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._seen = output.relu()


@torch.no_grad()
def centre_filters(weight: Tensor) -> None:
    """Move what each filter looks for to its middle, in place, so that nothing is cut off.

    A filter that found the end of a motif first would have to unlearn it to see the rest: it stays
    where it is. Gibbs samplers of motifs shift theirs for the same reason (Lawrence et al. 1993).
    Positions at either end count as blank where they weigh, less their mean over the letters, at
    most a quarter of the filter's heaviest; what is shifted in is 0.

    Args:
        weight: (filters, 4, width).
    """
    width = weight.shape[2]
    weighs = (weight - weight.mean(dim=1, keepdim=True)).abs().sum(dim=1)
    for own, filled in zip(weight, weighs > weighs.amax(dim=1, keepdim=True) / 4):
        used = filled.nonzero().flatten().tolist() or [0, width - 1]
        shift = math.trunc((width - 1 - used[-1] - used[0]) / 2)
        own.copy_(F.pad(own, (shift, -shift)))


@torch.no_grad()
def mirror_filters(model: ARGMINN, x: Tensor, y: Tensor) -> None:
    """Turn the lesser half of the filters into reverse complements of the others, in place.

    DNA has two strands, and batches hold both. A filter that found a motif is of as much use for
    the other strand, but nothing makes another filter find it there. What attention asks of the
    copy, and takes from it, is what it does for the original.

    Args:
        model: Whose filters; of an odd number, the middle one stays as it is.
        x: Sequences to see on how much the loss rises without a filter, (B, 4, L).
        y: Their labels, (B, 1).
    """
    weight, bias = model.scanners.weight, model.scanners.bias
    assert bias is not None
    losses = []
    training = model.training
    model.eval()
    for index in range(len(bias)):
        kept = weight[index].clone(), bias[index].clone()
        weight[index], bias[index] = 0, 0
        losses.append(F.binary_cross_entropy_with_logits(model(x), y))
        weight[index], bias[index] = kept
    model.train(training)
    half = len(bias) // 2
    ranked = torch.stack(losses).argsort(descending=True)
    best, least = ranked[:half], ranked[len(bias) - half :]
    weight[least], bias[least] = weight[best].flip(1, 2), bias[best]
    for layer in model.layers:
        assert isinstance(layer, MemoryAttention)
        for linear in (layer.key, layer.value):
            linear.weight[:, least] = linear.weight[:, best]


class SimulatedTask:
    """A simulation to train on: new sequences in every epoch, one fixed set to validate on."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.name, self.length = simulation.name, simulation.length
        self.held_out = simulation.sample(VALIDATION_SIZE, seed=VALIDATION_SEED)

    def batches(self, seed: int, epoch: int, params: Params) -> Doubled:
        """Return the batches of an epoch."""
        size = params.batch_size // 2 * params.batches
        drawn = self.simulation.sample(size, seed=_one_seed(seed, epoch))
        return Doubled(drawn.codes, drawn.labels, params.batch_size)

    def validate(self, model: nn.Module) -> float:
        """Return the ROC AUC of the first task of ``model``."""
        logits = predict(model, self.held_out.codes)[:, 0]
        return float(roc_auc_score(self.held_out.labels, logits))


class PeakTask:
    """Peaks to train on, against shuffles that are new in every epoch."""

    def __init__(self, source: str | Path) -> None:
        self.name = task_of(source)
        self.peaks, held_out = split_peaks(read_peaks(source))
        self.length = self.peaks.shape[1]
        self.held_out = self.validate = Validation(held_out)

    def batches(self, seed: int, epoch: int, params: Params) -> Doubled:
        """Return the batches of an epoch: other peaks in each, every one with its shuffle."""
        size = params.batch_size // 4 * params.batches
        rng = np.random.default_rng((seed, epoch))
        chosen = self.peaks[rng.choice(len(self.peaks), size, replace=size > len(self.peaks))]
        codes = np.concatenate([chosen, shuffled(chosen, (seed, epoch))])
        return Doubled(codes, np.repeat([1, 0], size), params.batch_size)


Task = SimulatedTask | PeakTask


def task(source: str | Path) -> Task:
    """Return what to train on.

    Args:
        source: A simulation's name, or its ``.toml`` file; one of
            :data:`modelzoo.datasets.chipseq.FACTORS`, or a file of peaks of one length.
    """
    if str(source) in simulations() or Path(source).suffix == ".toml":
        return SimulatedTask(Simulation.load(source))
    return PeakTask(source)


def fit_one(
    build: Callable[[], Any],
    task: Task,
    *,
    seed: int,
    params: Params = Params(),
    regularised: bool = False,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> tuple[Any, History]:
    """Train one initialisation; return the network and its history, by validation AUC.

    It is the best of a few candidates, all of which are trained for an eighth of the epochs. Most
    networks that fail here never begin: they are at chance then, and others far above it.

    Of a regularised network only epochs in which the regularisers have their last weights compete:
    an earlier one is noted as -1, the one that decides between candidates as its AUC less 1. Until
    the regularisers come, filters are centred before every epoch but the first
    (:func:`centre_filters`); ARGMINN's are mirrored once, when the candidates have been compared
    (:func:`mirror_filters`).

    At the end the last layer's bias is moved so that a probability of one half is where the
    validation set is told apart with the fewest errors: attention has more scores than in training,
    where some are dropped, and the logits move with that.

    Args:
        build: Makes the untrained network. Its last linear layer gives the logits.
        task: What to train on.
        seed: Decides weights, order, sequences, shuffles and dropout.
        params: How long, how fast.
        regularised: With ARGMINN's regularisers on ``network.scanners``, a convolution.
        checkpoint: File to resume from; those of the candidates are beside it until one is chosen.
        progress: Show a bar.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = checkpoint or Path(temporary) / "checkpoint.safetensors"
        own = [path.with_suffix(f".{i}{path.suffix}") for i in range(params.candidates)]

        def go_on(candidate: int, path: Path, epochs: int) -> tuple[Any, History]:
            with seeded(seed, candidate):
                model = build()
            return model, _fit(model, task, path, epochs, seed, params, regularised, progress)

        if not path.exists():
            histories = [go_on(i, path, params.race)[1] for i, path in enumerate(own)]
            scores = [history.scores[-1] for history in histories]
            os.replace(own[scores.index(max(scores))], path)
        for loser in own:
            loser.unlink(missing_ok=True)
        model, history = go_on(0, path, params.epochs)  # whose weights are the checkpoint's
    last = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    held_out = predict(model, task.held_out.codes)[:, 0].numpy()
    with torch.no_grad():
        last.bias[0] -= best_threshold(held_out, task.held_out.labels)
    return model, history


def _fit(
    model: Any,
    task: Task,
    checkpoint: Path,
    epochs: int,
    seed: int,
    params: Params,
    regularised: bool,
    progress: bool,
) -> History:
    """Train in place for the first epochs of a run, or go on with it."""
    objective = Objective(model, model.scanners if regularised else None, params.epochs)

    def batches(epoch: int) -> Doubled:
        objective.epoch = epoch
        drawn = task.batches(seed, epoch, params)
        if regularised and 0 < epoch <= params.epochs // 4:
            centre_filters(model.scanners.weight)
        if isinstance(model, ARGMINN) and epoch == params.race:
            x, y = map(torch.cat, zip(*itertools.islice(drawn, _LOOKED_AT)))
            mirror_filters(model, x, y)
        return drawn

    def validate(module: nn.Module) -> float:
        if objective.settled:
            return task.validate(module)
        return task.validate(module) - 1 if objective.epoch == params.race - 1 else -1.0

    history = fit(
        objective,
        batches,
        validate,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True),
        epochs=epochs,
        patience=epochs,
        loss=objective.loss,
        schedule=lambda done: falling(done * epochs / params.epochs),
        seed=seed,
        checkpoint=checkpoint,
        identity=f"{task.name} {type(model).__name__} {params} {regularised=} {seed=}",
        progress=progress,
    )
    objective.release()
    return history


def best_threshold(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the number above which logits of label 1 lie, with the fewest errors.

    Args:
        logits: (N,).
        labels: (N,), 0 and 1.
    """
    order = np.argsort(logits)
    ordered = logits[order].astype(float)
    signs = np.where(labels[order] == 1, -1, 1)
    gained = np.concatenate([[0], signs.cumsum()])  # over calling all 1, by calling the first n 0
    cuts = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    return float(cuts[gained.argmax()])


def train_argminn(
    source: str | Path,
    *,
    out: str | Path,
    seed: int = 0,
    initialisations: int = 3,
    params: Params = Params(),
    progress: bool = True,
) -> Path:
    """Train ARGMINN from several initialisations, keep the best, return its folder.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        source: What to train on, see :func:`task`.
        out: The folder to make.
        seed: The same seed gives the same model.
        initialisations: How many to choose from, by validation AUC.
        params: How long, how fast.
        progress: Show a bar.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: ``source`` is none of the things it can be.
    """
    out = Path(out)
    folder = provenance.partial(out)
    work = task(source)
    seeds = range(seed * initialisations, (seed + 1) * initialisations)
    models, histories = zip(
        *(
            fit_one(
                lambda: ARGMINN(tasks=[work.name]),
                work,
                seed=own,
                params=params,
                regularised=True,
                checkpoint=folder / f"{own}.safetensors",
                progress=progress,
            )
            for own in seeds
        )
    )
    scores = [history.best_score for history in histories]
    best = scores.index(max(scores))
    training = provenance.record(
        f"shiftsmooth train argminn {source} --seed {seed}",
        seed,
        [] if isinstance(work, SimulatedTask) else [source_file(source)],
        validation_auc=scores[best],
        validation_auc_of_initialisations=scores,
        epochs=len(histories[best].scores),
        params=dataclasses.asdict(params),
    )
    for own in seeds:
        (folder / f"{own}.safetensors").unlink()
    return provenance.finish(out, models[best], training)


def _one_seed(*seed: int) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
