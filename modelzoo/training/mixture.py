"""Training the mixture: the experts are frozen, so it learns from their embeddings alone.

The embeddings of the peaks are made once, those of their shuffles anew in every epoch, or once for
each of a few shuffles that epochs take in turn. The experts are most of the cost: embedding the
paper's 55,000 peaks takes about a minute on one core.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets.peaks import Peaks, Source, options
from modelzoo.sequences.batches import in_batches
from modelzoo.training.batches import Minibatches
from modelzoo.training.calibration import calibration
from modelzoo.training.checkpoints import Checkpoint
from modelzoo.training.fit import History, fit, seeded
from modelzoo.training.params import TrainingParams
from modelzoo.training.run_folder import Run, identity
from modelzoo.training.validation import auc


@dataclass(frozen=True, kw_only=True)
class GateParams(TrainingParams):
    """The hyper-parameters of the mixture's training; the defaults are the paper's.

    Attributes:
        momentum: Of SGD with Nesterov's acceleration.
        weight_decay: Of the same.
        precision: `"bfloat16"` is for the experts' view of training sequences.
        per_factor: The most peaks of each factor to train on; None for all.
        shuffles: How many shuffles of each peak there are, which epochs take in turn; None for a
            new one in every epoch.
    """

    learning_rate: float = 0.01
    momentum: float = 0.98
    weight_decay: float = 0.0
    batch_size: int = 256
    epochs: int = 500
    patience: int = 10
    per_factor: int | None = None
    shuffles: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("per_factor", "shuffles"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(f"{name}: expected a whole number from 1 or None, got {value!r}")


class EmbeddedPeaks:
    """The frozen experts' view of the peaks to train and validate on, and of their shuffles.

    Args:
        model: The mixture whose experts embed.
        data: The peaks of each factor.
        seed: With the epoch's number, decides the shuffles.
        precision: Of the embeddings to train on; those to validate on have full precision.
        shuffles: How many shuffles of each peak there are; None for a new one in every epoch.
    """

    def __init__(
        self,
        model: MixtureOfExperts,
        data: Sequence[Peaks],
        seed: int,
        precision: torch.dtype = torch.float32,
        shuffles: int | None = None,
    ) -> None:
        self.model, self.data, self.seed, self.precision = model, data, seed, precision
        self.held_out = {
            task: (embed(model, codes), labels[:, 0].numpy())
            for (task,), (codes, labels) in ((part.tasks, part.held_out) for part in data)
        }
        self.positives = [
            embed(model, codes, precision) for part in data for codes in part.train.values()
        ]
        self.shuffles = shuffles
        self._kept: dict[int, list[Tensor]] = {}

    def batches(self, epoch: int, size: int) -> Minibatches:
        """Return the batches of an epoch: every peak, and a shuffle of it."""
        positives = torch.cat(self.positives)
        negatives = torch.cat(self.negatives(epoch))
        targets = torch.cat([torch.ones(len(positives), 1), torch.zeros(len(negatives), 1)])
        inputs = torch.cat([positives, negatives])
        return Minibatches(inputs, targets, size, (self.seed, epoch))

    def negatives(self, epoch: int) -> list[Tensor]:
        """Return the embeddings of each factor's shuffles in an epoch."""
        if self.shuffles is None:
            return self._embedded_shuffles(epoch)
        number = epoch % self.shuffles
        if number not in self._kept:
            self._kept[number] = self._embedded_shuffles(number)
        return self._kept[number]

    def only(self, chosen: Sequence[int]) -> EmbeddedPeaks:
        """Return the view of some of the experts alone, on the peaks of the same factors alone.

        Nothing is embedded again, so that mixtures over many choices of experts cost little.

        Args:
            chosen: The numbers of the experts; the factors are in the same order.

        Raises:
            ValueError: Shuffles are new in every epoch, or there is not one expert per factor.
        """
        if self.shuffles is None or len(self.model.experts) != len(self.data):
            raise ValueError("chosen: expected kept shuffles, and one expert for every factor")
        width = self.positives[0].shape[1] // len(self.data)
        columns = torch.cat([torch.arange(width) + width * expert for expert in chosen])
        view = copy.copy(self)
        names = list(self.held_out)
        view.held_out = {
            names[i]: (self.held_out[names[i]][0][:, columns], self.held_out[names[i]][1])
            for i in chosen
        }
        view.positives = [self.positives[i][:, columns] for i in chosen]
        view._kept = {
            number: [self.negatives(number)[i][:, columns] for i in chosen]
            for number in range(self.shuffles)
        }
        return view

    def validate(self, mixture: nn.Module) -> float:
        """Return the mean over factors of the AUC of held-out peaks against their shuffles."""
        return fmean(self.scores(mixture).values())

    @torch.no_grad()
    def judged(self, mixture: nn.Module) -> tuple[Tensor, Tensor]:
        """Return the logits (N, 1) of all held-out peaks and shuffles, and their labels (N, 1)."""
        device = next(mixture.parameters()).device
        logits = [mixture(embedded.to(device)).cpu() for embedded, _ in self.held_out.values()]
        labels = [torch.from_numpy(labels) for _, labels in self.held_out.values()]
        return torch.cat(logits), torch.cat(labels)[:, None]

    @torch.no_grad()
    def scores(self, mixture: nn.Module) -> dict[str, float]:
        """Return the validation AUC by factor."""
        device = next(mixture.parameters()).device
        return {
            task: auc(labels, mixture(embedded.to(device))[:, 0].cpu().numpy())
            for task, (embedded, labels) in self.held_out.items()
        }

    def _embedded_shuffles(self, epoch: int) -> list[Tensor]:
        found = []
        for factor, part in enumerate(self.data):
            codes, labels = part.epoch(epoch, (self.seed, factor))
            found.append(embed(self.model, codes[labels[:, 0].numpy() == 0], self.precision))
        return found


def embed(
    model: MixtureOfExperts, codes: np.ndarray, precision: torch.dtype = torch.float32
) -> Tensor:
    """Return the embeddings (N, experts * E) of (N, L) codes."""
    device = next(model.parameters()).device
    with torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32):
        return in_batches(model.embed, codes, batch_size=64, device=device).float()


def fit_gate(
    model: MixtureOfExperts,
    data: EmbeddedPeaks,
    params: GateParams = GateParams(),
    *,
    seed: int = 0,
    checkpoint: Checkpoint | None = None,
    progress: bool = True,
) -> History:
    """Train the gate and what follows it in place; the experts are not touched.

    Args:
        model: The mixture.
        data: Its experts' view of the peaks.
        params: Hyper-parameters.
        seed: Decides the order.
        checkpoint: What to resume from.
        progress: Show a bar.
    """
    return fit(
        model.mixture,
        lambda epoch: data.batches(epoch, params.batch_size),
        data.validate,
        optimizer=torch.optim.SGD(
            model.mixture.parameters(),
            lr=params.learning_rate,
            momentum=params.momentum,
            weight_decay=params.weight_decay,
            nesterov=True,
        ),
        epochs=params.epochs,
        patience=params.patience,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )


def fit_new_expert(
    smaller: MixtureOfExperts,
    larger: MixtureOfExperts,
    data: EmbeddedPeaks,
    params: GateParams = GateParams(),
    *,
    seed: int = 0,
) -> History:
    """Train of a mixture with one more expert that expert's part alone, in place.

    The rest is as in the smaller mixture: its gate does not look at the new embedding, and what
    follows the gate stays. Trained are the new expert's row of the gate and its transform.

    Args:
        smaller: The trained mixture.
        larger: What its `with_expert` has returned.
        data: The larger mixture's view of its factors' peaks.
        params: Hyper-parameters.
        seed: Decides the order.
    """
    old, new = smaller.mixture, larger.mixture
    count, width = old.gate.weight.shape
    with torch.no_grad():
        new.gate.weight.zero_()
        new.gate.bias.zero_()
        new.gate.weight[:count, :width] = old.gate.weight
        new.gate.bias[:count] = old.gate.bias
    for mine, theirs in zip(new.transforms, old.transforms):
        mine.load_state_dict(theirs.state_dict())
    new.classifier.load_state_dict(old.classifier.state_dict())
    new.requires_grad_(False)
    new.transforms[-1].requires_grad_(True)
    new.gate.requires_grad_(True)
    rows = torch.arange(count + 1, device=new.gate.bias.device) == count
    hooks = [
        new.gate.weight.register_hook(lambda gradient: gradient * rows[:, None]),
        new.gate.bias.register_hook(lambda gradient: gradient * rows),
    ]
    try:
        return fit_gate(larger, data, params, seed=seed, progress=False)
    finally:
        for hook in hooks:
            hook.remove()
        new.requires_grad_(True)


def named(experts: Sequence[Expert]) -> dict[str, Expert]:
    """Return experts by factor; by architecture and factor where a factor has several.

    Raises:
        ValueError: Two are of one architecture and one factor.
    """
    factors = [expert.tasks[0] for expert in experts]
    names = factors if len(set(factors)) == len(factors) else [_name(e) for e in experts]
    if len(set(names)) < len(names):
        raise ValueError(f"experts: expected every architecture and factor once, got {names}")
    return dict(zip(names, experts))


def train_moe(
    experts: Mapping[str, Expert],
    *,
    out: str | Path,
    sources: Sequence[Source] | None = None,
    params: GateParams = GateParams(),
    seed: int = 0,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Path:
    """Train a mixture of trained experts; return the folder with weights, config and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        experts: The trained experts by factor; they are copied and stay as they are.
        out: The folder to make.
        sources: Where the peaks come from: data sets, or files, as for
            `modelzoo.training.expert.train_expert`. By default the tasks of the experts.
        params: Hyper-parameters.
        seed: Decides weights, order and shuffles.
        device: Where the model is trained.
        progress: Show bars.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: A source is neither a data set nor a file of peaks, or a run with other
            arguments, experts or peaks was stopped on its way to `out`.
        WorkError: The training failed.
    """
    given = "".join(f" --peaks {source}" for source in sources or ())
    if sources is None:
        sources = list(dict.fromkeys(expert.tasks[0] for expert in experts.values()))
    with seeded(seed):
        model = MixtureOfExperts.from_experts(experts).eval().to(device)
    data = [Peaks([source]) for source in sources]
    if params.per_factor is not None:
        data = [part.fewer(params.per_factor, seed) for part in data]
    names = " ".join(map(_name, experts.values()))
    command = f"shiftsmooth train moe {names}{given}{options(sources)} --seed {seed}"
    for option in ("precision", "epochs", "per_factor", "shuffles"):
        if (value := getattr(params, option)) != getattr(GateParams(), option):
            command += f" --{option.replace('_', '-')} {value}"
    with Run(out, identity(model, params, seed, *data)) as run:
        embedded = EmbeddedPeaks(model, data, seed, params.dtype, params.shuffles)
        history = fit_gate(
            model,
            embedded,
            params,
            seed=seed,
            checkpoint=run.checkpoint,
            progress=progress,
        )
        model.calibrate(calibration(*embedded.judged(model.mixture)))
        return run.finish(
            model,
            history,
            params,
            *data,
            command=command,
            seed=seed,
            validation_auc=history.best_score,
            validation_auc_by_factor=embedded.scores(model.mixture),
        )


def _name(expert: Expert) -> str:
    """Return the name that the catalog gives an expert."""
    return f"{expert.architecture}-{expert.tasks[0].lower()}"
