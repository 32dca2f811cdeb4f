"""Training the mixture: the experts are frozen, so it learns from their embeddings alone.

The embeddings of the peaks are made once, those of their shuffles anew in every epoch. The experts
are most of the cost: an epoch over the paper's 55,000 peaks takes about a minute on one core.
"""

from __future__ import annotations

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
    """

    learning_rate: float = 0.01
    momentum: float = 0.98
    weight_decay: float = 0.0
    batch_size: int = 256
    epochs: int = 500
    patience: int = 10


class EmbeddedPeaks:
    """The frozen experts' view of the peaks to train and validate on, and of their shuffles.

    Args:
        model: The mixture whose experts embed.
        data: The peaks of each factor.
        seed: With the epoch's number, decides the shuffles.
        precision: Of the embeddings to train on; those to validate on have full precision.
    """

    def __init__(
        self,
        model: MixtureOfExperts,
        data: Sequence[Peaks],
        seed: int,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model, self.data, self.seed, self.precision = model, data, seed, precision
        self.held_out = {
            task: (embed(model, codes), labels[:, 0].numpy())
            for (task,), (codes, labels) in ((part.tasks, part.held_out) for part in data)
        }
        self.positives = torch.cat(
            [embed(model, codes, precision) for part in data for codes in part.train.values()]
        )
        ones = torch.ones(len(self.positives), 1)
        self.targets = torch.cat([ones, torch.zeros_like(ones)])

    def batches(self, epoch: int, size: int) -> Minibatches:
        """Return the batches of an epoch: every peak, and a shuffle of it that is new."""
        inputs = [self.positives]
        for factor, part in enumerate(self.data):
            codes, labels = part.epoch(epoch, (self.seed, factor))
            inputs.append(embed(self.model, codes[labels[:, 0].numpy() == 0], self.precision))
        return Minibatches(torch.cat(inputs), self.targets, size, (self.seed, epoch))

    def validate(self, mixture: nn.Module) -> float:
        """Return the mean over factors of the AUC of held-out peaks against their shuffles."""
        return fmean(self.scores(mixture).values())

    @torch.no_grad()
    def scores(self, mixture: nn.Module) -> dict[str, float]:
        """Return the validation AUC by factor."""
        device = next(mixture.parameters()).device
        return {
            task: auc(labels, mixture(embedded.to(device))[:, 0].cpu().numpy())
            for task, (embedded, labels) in self.held_out.items()
        }


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
    names = " ".join(map(_name, experts.values()))
    command = f"shiftsmooth train moe {names}{given}{options(sources)} --seed {seed}"
    for option in ("precision", "epochs"):
        if (value := getattr(params, option)) != getattr(GateParams(), option):
            command += f" --{option} {value}"
    with Run(out, identity(model, params, seed, *data)) as run:
        embedded = EmbeddedPeaks(model, data, seed, params.dtype)
        history = fit_gate(
            model,
            embedded,
            params,
            seed=seed,
            checkpoint=run.checkpoint,
            progress=progress,
        )
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
