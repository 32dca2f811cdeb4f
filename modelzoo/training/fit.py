"""The one training loop: seeded epochs, early stopping on a validation score, stop and resume.

Nothing is drawn from a generator that outlives an epoch: what an epoch sees follows from the seed
and the epoch's number alone. So a run that was killed and resumed ends in the same bytes as one
that was not, and a checkpoint need not hold the state of any generator.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm.auto import tqdm

from modelzoo.errors import WorkError
from modelzoo.training.batches import Batches
from modelzoo.training.checkpoints import Checkpoint


@dataclass
class History:
    """What a run has seen.

    Attributes:
        scores: The validation score after every epoch, higher being better; None for an epoch that
            was not judged.
        seconds: The processor time of each epoch that was trained in this process.
    """

    scores: list[float | None] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)

    @property
    def best_epoch(self) -> int | None:
        """The epoch, counted from 0, with the highest score, the first of equals; None if none."""
        ranked = [-math.inf if s is None or math.isnan(s) else s for s in self.scores]
        return ranked.index(max(ranked)) if any(s > -math.inf for s in ranked) else None

    @property
    def best_score(self) -> float:
        """The highest validation score.

        Raises:
            RuntimeError: No epoch has one.
        """
        best = None if self.best_epoch is None else self.scores[self.best_epoch]
        if best is None:
            raise RuntimeError("no epoch has a validation score")
        return best

    def exhausted(self, patience: int | None) -> bool:
        """Return whether the last `patience` epochs brought no improvement."""
        best = -1 if self.best_epoch is None else self.best_epoch
        return patience is not None and len(self.scores) - 1 - best >= patience


def fit(
    model: nn.Module,
    batches: Callable[[int], Batches],
    validate: Callable[[nn.Module], float | None],
    *,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    patience: int | None = None,
    loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy_with_logits,
    schedule: Callable[[float], float] | None = None,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    checkpoint: Checkpoint | None = None,
    before_epoch: Callable[[int, Batches], None] | None = None,
    after_epoch: Callable[[History], None] | None = None,
    progress: bool = True,
) -> History:
    """Train `model` in place, leave it in eval mode with its best weights, return the history.

    Where no epoch was judged, the last weights stay.

    Args:
        model: Gives logits (B, tasks) for what `batches` yields; trained where its parameters are.
        batches: From an epoch's number, counted from 0, to its (input, target) batches. Must
            depend on nothing else.
        validate: From the model, in eval mode, to its validation score; higher is better. None
            says that this epoch is not to be chosen.
        optimizer: Over the parameters of `model` that are to change.
        epochs: The most epochs to train for.
        patience: Stop after this many epochs without a better score; None never stops early.
        loss: From logits and targets to a scalar.
        schedule: Factor on the learning rate, given the fraction of `epochs` that is done.
        seed: With the epoch's number, decides dropout.
        precision: `torch.bfloat16` runs the forward pass in half precision: about 1.6 times as
            fast on processors that have it.
        checkpoint: What to write after every epoch, and to resume from where it exists.
        before_epoch: Called with the number and the batches of an epoch, before it is trained; may
            change the model.
        after_epoch: Called after every epoch; may raise to end the run.
        progress: Show a bar.

    Raises:
        ValueError: `checkpoint` is damaged or belongs to another run.
        WorkError: No epoch's score is a number.
    """
    history = History()
    best = copy.deepcopy(model.state_dict())
    if checkpoint is not None and checkpoint.path.exists():
        history.scores, best = checkpoint.read(model, optimizer)
    bar = tqdm(total=epochs, initial=len(history.scores), unit="epoch", disable=not progress)
    with bar:
        while len(history.scores) < epochs and not history.exhausted(patience):
            epoch, started = len(history.scores), time.process_time()
            factor = None if schedule is None else _within(schedule, epoch, epochs)
            with seeded(seed, epoch):
                drawn = batches(epoch)
                if before_epoch is not None:
                    before_epoch(epoch, drawn)
                _train_epoch(model, drawn, optimizer, loss, factor, precision)
            model.eval()
            with torch.no_grad():
                history.scores.append(validate(model))
            if history.best_epoch in (epoch, None):
                best = copy.deepcopy(model.state_dict())
            if checkpoint is not None:
                checkpoint.write(model, best, optimizer, history.scores)
            history.seconds.append(time.process_time() - started)
            bar.update()
            if history.best_epoch is not None:
                bar.set_postfix(score=history.scores[-1], best=history.best_score)
            if after_epoch is not None:
                after_epoch(history)
    if history.best_epoch is None and any(score is not None for score in history.scores):
        raise WorkError(
            f"no score of {len(history.scores)} epochs is a number: the training diverged; try a"
            " lower learning rate"
        )
    model.load_state_dict(best)
    model.eval()
    return history


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Draw torch's numbers from `seed` inside the block, and leave no trace outside it."""
    if min(seed) < 0:
        raise ValueError(f"seed: expected a whole number from 0, got {min(seed)}")
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(int(state))
        yield


def _train_epoch(
    model: nn.Module,
    batches: Batches,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    factor: Callable[[float], float] | None,
    precision: torch.dtype,
) -> None:
    model.train()
    device = next(model.parameters()).device
    rates = [group["lr"] for group in optimizer.param_groups]
    for index, (x, y) in enumerate(batches):
        if factor is not None:
            for group, rate in zip(optimizer.param_groups, rates):
                group["lr"] = rate * factor(index / len(batches))
        x, y = x.to(device), y.to(device)
        with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
            logits = model(x)
        optimizer.zero_grad()
        loss(logits.float(), y).backward()
        optimizer.step()
    for group, rate in zip(optimizer.param_groups, rates):
        group["lr"] = rate


def _within(
    schedule: Callable[[float], float], epoch: int, epochs: int
) -> Callable[[float], float]:
    """Return the schedule over one epoch, as a function of the fraction of it that is done."""
    return lambda done: schedule((epoch + done) / epochs)
