"""The one training loop: seeded epochs, early stopping on a validation score, stop and resume.

Nothing is drawn from a generator that outlives an epoch: what an epoch sees follows from the seed
and the epoch's number alone. So a run that was killed and taken up again ends in the same bytes as
one that was not, and a checkpoint need not hold the state of any generator.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn
from tqdm.auto import tqdm

from modelzoo.files import write_atomically
from modelzoo.training.batches import Batches


@dataclass
class History:
    """What a run has seen: the validation score after every epoch, higher being better."""

    scores: list[float] = field(default_factory=list)

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 0, whose weights the run returns; the first of equals."""
        return self.scores.index(max(self.scores))

    @property
    def best_score(self) -> float:
        """The validation score of those weights."""
        return max(self.scores)

    def exhausted(self, patience: int) -> bool:
        """Return whether the last ``patience`` epochs brought no improvement."""
        return bool(self.scores) and len(self.scores) - 1 - self.best_epoch >= patience


def fit(
    model: nn.Module,
    batches: Callable[[int], Batches],
    validate: Callable[[nn.Module], float],
    *,
    optimizer: torch.optim.Optimizer,
    epochs: int,
    patience: int,
    loss: Callable[[Tensor, Tensor], Tensor] = F.binary_cross_entropy_with_logits,
    schedule: Callable[[float], float] | None = None,
    seed: int = 0,
    precision: torch.dtype = torch.float32,
    checkpoint: Path | None = None,
    identity: str = "",
    on_epoch: Callable[[History], None] | None = None,
    progress: bool = True,
) -> History:
    """Train ``model`` in place, leave it in eval mode with its best weights, return the history.

    Args:
        model: Gives logits (B, tasks) for what ``batches`` yields.
        batches: From an epoch's number, counted from 0, to its (input, target) batches. Must
            depend on nothing else.
        validate: From the model, in eval mode, to its validation score; higher is better.
        optimizer: Over the parameters of ``model`` that are to change.
        epochs: The most epochs to train for.
        patience: Stop after this many epochs without a better score.
        loss: From logits and targets to a scalar.
        schedule: Factor on the learning rate, given the fraction of ``epochs`` that is done.
        seed: What dropout is drawn from, with the epoch's number.
        precision: ``torch.bfloat16`` runs the forward pass in half precision: about 1.6 times as
            fast on processors that have it.
        checkpoint: File to write after every epoch, and to resume from where it exists.
        identity: Says which run ``checkpoint`` belongs to; another run's is refused.
        on_epoch: Called after every epoch; may raise to end the run.
        progress: Show a bar.

    Raises:
        ValueError: ``checkpoint`` belongs to another run.
    """
    history = History()
    best = copy.deepcopy(model.state_dict())
    if checkpoint is not None and checkpoint.exists():
        history, best = _resume(checkpoint, identity, model, optimizer)
    bar = tqdm(total=epochs, initial=len(history.scores), unit="epoch", disable=not progress)
    with bar:
        while len(history.scores) < epochs and not history.exhausted(patience):
            epoch = len(history.scores)
            factor = None if schedule is None else _within(schedule, epoch, epochs)
            with seeded(seed, epoch):
                _train_epoch(model, batches(epoch), optimizer, loss, factor, precision)
            model.eval()
            with torch.no_grad():
                history.scores.append(validate(model))
            if history.best_epoch == epoch:
                best = copy.deepcopy(model.state_dict())
            if checkpoint is not None:
                _save(checkpoint, identity, model, best, optimizer, history)
            bar.update()
            bar.set_postfix(score=f"{history.scores[-1]:.4f}", best=f"{history.best_score:.4f}")
            if on_epoch is not None:
                on_epoch(history)
    model.load_state_dict(best)
    model.eval()
    return history


def checked_precision(name: str) -> torch.dtype:
    """Return the type that a ``precision`` among hyper-parameters names."""
    if name not in ("float32", "bfloat16"):
        raise ValueError(f"precision: expected 'float32' or 'bfloat16', got {name!r}")
    return getattr(torch, name)


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Draw torch's CPU numbers from ``seed`` inside the block, and leave no trace outside it."""
    state = np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[]):
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
    rates = [group["lr"] for group in optimizer.param_groups]
    for index, (x, y) in enumerate(batches):
        if factor is not None:
            for group, rate in zip(optimizer.param_groups, rates):
                group["lr"] = rate * factor(index / len(batches))
        with torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32):
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


def _save(
    path: Path,
    identity: str,
    model: nn.Module,
    best: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    history: History,
) -> None:
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in best.items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{key}": torch.as_tensor(value)
            for key, value in state.items()
            if value is not None
        }
    # safetensors refuses tensors that share memory
    tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
    metadata = {"identity": identity, "scores": json.dumps(history.scores)}
    write_atomically(path, save(tensors, metadata))


def _resume(
    path: Path, identity: str, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[History, dict[str, Tensor]]:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    if metadata["identity"] != identity:
        raise ValueError(
            f"checkpoint: {path} belongs to another run. Expected {identity}, got "
            f"{metadata['identity']}; remove the file, or write elsewhere"
        )
    model.load_state_dict(_under("model.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _under("optimizer.", tensors).items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
    return History(json.loads(metadata["scores"])), _under("best.", tensors)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
