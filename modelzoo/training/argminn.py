"""Training ARGMINN and the plain CNN beside it: on simulated sequences, or on peaks.

loss = BCE + lambda_o overlap(A, W) + lambda_l L1(W)                                  (4)

The paper gives lambda_o, 10^0.5 to 10^4, but not what Eq. 2 is divided by, without which the number
means nothing. Here `losses.filter_overlap` is the mean over everything that Eq. 2 sums over, and
the L1 norms in it are means over a filter's weights; docs/argminn.md says how that was found.
"""

from __future__ import annotations

import itertools
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelzoo.architectures.argminn import ARGMINN, MemoryAttention
from modelzoo.datasets.examples import Examples, Simulated, is_simulation
from modelzoo.datasets.peaks import Peaks, Source, options
from modelzoo.datasets.planted import Simulation
from modelzoo.sequences.batches import in_batches
from modelzoo.training.batches import Batches, Doubled
from modelzoo.training.checkpoints import Checkpoint
from modelzoo.training.fit import History, fit, seeded
from modelzoo.training.losses import filter_overlap
from modelzoo.training.params import TrainingParams
from modelzoo.training.run_folder import Run, identity
from modelzoo.training.schedules import falling, ramp
from modelzoo.training.validation import Validation

OVERLAP = (10**0.5, 1e4)  # lambda_o, from its first epoch to its last
L1 = (1e-4, 1e-3)  # lambda_l
_LOOKED_AT = 16  # batches, to see which filters matter


@dataclass(frozen=True, kw_only=True)
class Params(TrainingParams):
    """How long to train, and how fast.

    Epochs, and what an epoch sees, are the paper's (appendix B.3): there, in 100 batches of 128.

    Attributes:
        batches: The batches of an epoch. One half of each is the reverse complements of the other.
        candidates: The networks to begin with; the best after an eighth of the epochs is kept.
        held_out: The sequences of a simulation to validate by.
    """

    learning_rate: float = 2e-3  # at first
    batch_size: int = 64
    epochs: int = 40
    patience: int = 40
    batches: int = 200
    candidates: int = 3
    held_out: int = 10_000

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.batch_size % 4:
            raise ValueError(f"batch_size: expected a multiple of 4, got {self.batch_size}")

    @property
    def race(self) -> int:
        """Epochs after which one of the candidates is chosen."""
        return max(1, self.epochs // 8)

    def size(self, epoch: int) -> int:
        """Return the sequences of a batch in an epoch."""
        return self.batch_size

    @property
    def sequences(self) -> int:
        """Sequences of an epoch, one strand of each."""
        return self.batch_size // 2 * self.batches


class Objective(nn.Module):
    """A network with the loss of Eq. 4; `epoch` decides the regularisers' weights.

    Args:
        model: The network.
        scanners: The convolution to regularise, if any: one that sees the sequence, with a ReLU.
        epochs: The number of epochs of the whole run.
    """

    def __init__(self, model: nn.Module, scanners: nn.Conv1d | None, epochs: int) -> None:
        super().__init__()
        self.model, self.epochs = model, epochs
        self.epoch = 0
        self._scanners = [] if scanners is None else [scanners]  # in a list: no module twice
        self._seen = torch.empty(0)
        self._hooks = [c.register_forward_hook(self._keep) for c in self._scanners]

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits; what the scanners saw is kept for `loss`."""
        return self.model(x)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss of the batch that went through `forward` last."""
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        overlap, l1 = (ramp(self.epoch, self.epochs, bounds) for bounds in (OVERLAP, L1))
        for convolution in self._scanners if l1 else ():
            weight = convolution.weight
            some = self._seen[::4]  # Eq. 2 takes as long as all the rest, and is a mean
            loss = loss + overlap * filter_overlap(some, weight) + l1 * weight.abs().sum()
        return loss

    @property
    def scanners(self) -> nn.Conv1d | None:
        """The convolution that is regularised."""
        return self._scanners[0] if self._scanners else None

    @property
    def settled(self) -> bool:
        """Whether the regularisers have their last weights: earlier epochs are not chosen."""
        last = min(self.epochs - self.epochs // 4, self.epochs - 1)
        return not self._scanners or self.epoch >= last

    def release(self) -> None:
        """Remove the hooks from the model."""
        for hook in self._hooks:
            hook.remove()

    def _keep(self, module: nn.Module, inputs: object, output: Tensor) -> None:
        self._seen = output.relu()


@torch.no_grad()
def centre_filters(weight: Tensor) -> None:
    """Move each filter's pattern to the middle of the filter, in place, so that none is cut off.

    A filter that has found one end of a motif at its own edge would have to unlearn it to see the
    rest. Gibbs samplers shift motifs for the same reason (Lawrence et al. 1993). A position at
    either end counts as blank if its weights, less their mean over the letters, are at most a
    quarter of those of the filter's heaviest position. Zeros are shifted in.

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
    """Turn the less useful half of the filters into reverse complements of the others, in place.

    Motifs lie on both strands of DNA. A filter that has found a motif would be as useful for the
    other strand, but nothing makes another filter find it there. Attention treats the copy of a
    filter as it treats the filter.

    Args:
        model: The model to change. Of an odd number of filters, the middle one stays as it is.
        x: Sequences (B, 4, L) on which to measure how much the loss rises without a filter.
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


def examples(source: Source, params: Params) -> Examples:
    """Return what to train on.

    Args:
        source: A simulation's name, or its `.toml` file; a data set of
            `modelzoo.datasets.chipseq.sets("train")`, or a file of peaks of one length.
        params: How much of it an epoch sees, half of it positives.
    """
    if is_simulation(source):
        return Simulated(Simulation.load(str(source)), params.sequences, params.held_out)
    return Peaks([source], params.sequences // 2)


def fit_one(
    build: Callable[[], Any],
    data: Examples,
    *,
    seed: int,
    params: Params = Params(),
    regularised: bool = False,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> tuple[Any, History]:
    """Train one initialisation; return the network and its history, by validation AUC.

    A few candidates are trained for an eighth of the epochs, and the best one is trained further.
    Most networks that fail on these tasks never begin to learn: after an eighth of the epochs they
    are still at chance, and the others are far above it.

    A regularised network is judged only in epochs in which the regularisers have their last
    weights; candidates are judged after their last epoch. Before the regularisers set in, filters
    are centred before every epoch but the first (`centre_filters`). ARGMINN's filters are mirrored
    once, when the candidates have been compared (`mirror_filters`).

    At the end the last layer's bias is moved so that a probability of one half separates the
    validation set with the fewest errors. In training some attention scores are dropped, so logits
    are shifted without dropout.

    Args:
        build: Makes the untrained network. Its last linear layer gives the logits.
        data: What to train on, of one task; `examples` makes it.
        seed: Decides weights, order, sequences, shuffles and dropout.
        params: How long, how fast.
        regularised: With ARGMINN's regularisers on `network.scanners`, a convolution.
        checkpoint: What to resume from; those of the candidates are beside it until one is chosen.
        progress: Show a bar.
    """
    own = {"initialisation": seed, "regularised": regularised, **asdict(params)}
    validate = Validation(data)
    with tempfile.TemporaryDirectory() as temporary:
        if checkpoint is None:
            checkpoint = Checkpoint(Path(temporary) / "checkpoint.safetensors", {})
        chosen = Checkpoint(checkpoint.path, {**own, **checkpoint.identity})
        racing = [
            replace(chosen, path=chosen.path.with_suffix(f".{i}{chosen.path.suffix}"))
            for i in range(params.candidates)
        ]

        def resume(number: int, candidate: Checkpoint, epochs: int) -> tuple[Any, History]:
            with seeded(seed, number):
                model = build()
            objective = Objective(model, model.scanners if regularised else None, params.epochs)
            return model, _fit(objective, data, validate, candidate, epochs, seed, params, progress)

        if not chosen.path.exists():
            scores = []
            for number, candidate in enumerate(racing):
                model, history = resume(number, candidate, params.race)
                last = history.scores[-1]
                scores.append(validate(model) if last is None else last)
            os.replace(racing[int(np.argmax(np.nan_to_num(scores)))].path, chosen.path)
        for loser in racing:
            loser.path.unlink(missing_ok=True)
        model, history = resume(0, chosen, params.epochs)  # its weights are the checkpoint's
    last_layer = [module for module in model.modules() if isinstance(module, nn.Linear)][-1]
    codes, labels = data.held_out
    logits = in_batches(model, codes)[:, 0].numpy()
    with torch.no_grad():
        last_layer.bias[0] -= best_threshold(logits, labels[:, 0].numpy())
    return model, history


def _fit(
    objective: Objective,
    data: Examples,
    validate: Validation,
    checkpoint: Checkpoint,
    epochs: int,
    seed: int,
    params: Params,
    progress: bool,
) -> History:
    """Train in place for the first epochs of a run, or resume it."""
    model = objective.model

    def prepare(epoch: int, batches: Batches) -> None:
        objective.epoch = epoch
        if objective.scanners is not None and 0 < epoch <= params.epochs // 4:
            centre_filters(objective.scanners.weight)
        if isinstance(model, ARGMINN) and epoch == params.race:
            seen = map(torch.cat, zip(*itertools.islice(batches, _LOOKED_AT)))
            x, y = (part.to(model.scanners.weight.device) for part in seen)
            mirror_filters(model, x, y)

    history = fit(
        objective,
        lambda epoch: Doubled(*data.epoch(epoch, seed), params.size(epoch)),
        lambda module: validate(module) if objective.settled else None,
        optimizer=torch.optim.Adam(model.parameters(), lr=params.learning_rate, fused=True),
        epochs=epochs,
        patience=params.patience,
        loss=objective.loss,
        schedule=lambda done: falling(done * epochs / params.epochs),
        seed=seed,
        precision=params.dtype,
        checkpoint=checkpoint,
        before_epoch=prepare,
        progress=progress,
    )
    objective.release()
    return history


def best_threshold(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the threshold that separates logits of label 1 from others with the fewest errors.

    Args:
        logits: (N,).
        labels: (N,), 0 and 1.
    """
    order = np.argsort(logits)
    ordered = logits[order].astype(float)
    signs = np.where(labels[order] == 1, -1, 1)
    gained = np.concatenate([[0], signs.cumsum()])  # by calling the first n 0, and all others 1
    cuts = np.concatenate([[ordered[0] - 1], (ordered[1:] + ordered[:-1]) / 2, [ordered[-1] + 1]])
    return float(cuts[gained.argmax()])


def train_argminn(
    source: Source,
    *,
    out: str | Path,
    seed: int = 0,
    initialisations: int = 3,
    params: Params = Params(),
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Path:
    """Train ARGMINN from several initialisations, keep the best, return its folder.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        source: What to train on, see `examples`.
        out: The folder to make.
        seed: The same seed gives the same model.
        initialisations: How many to choose from, by validation AUC.
        params: How long, how fast.
        device: Where the model is trained.
        progress: Show a bar.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: `source` is none of the things it can be, or a run with other arguments, or on
            other data, was stopped on its way to `out`.
        WorkError: The training failed.
    """
    if initialisations < 1:
        raise ValueError(f"initialisations: expected at least 1, got {initialisations}")
    data = examples(source, params)
    with seeded(seed):
        first = ARGMINN(tasks=data.tasks).to(device)
    with Run(out, identity(first, params, seed, data, initialisations=initialisations)) as run:
        models, histories = zip(
            *(
                fit_one(
                    lambda: ARGMINN(tasks=data.tasks).to(device),
                    data,
                    seed=own,
                    params=params,
                    regularised=True,
                    checkpoint=replace(run.checkpoint, path=run.folder / f"{own}.safetensors"),
                    progress=progress,
                )
                for own in range(seed * initialisations, (seed + 1) * initialisations)
            )
        )
        scores = [history.best_score for history in histories]
        best = scores.index(max(scores))
        return run.finish(
            models[best],
            histories[best],
            params,
            data,
            command=f"shiftsmooth train argminn {source}{options([source])} --seed {seed}",
            seed=seed,
            validation_auc=scores[best],
            validation_auc_of_initialisations=scores,
        )
