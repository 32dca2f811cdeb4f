"""Training the mixture: the experts are frozen, so it learns from their embeddings alone.

The embeddings of the peaks are made once, those of their shuffles anew in every epoch. The experts
are most of the cost: an epoch over the paper's 55,000 peaks takes about a minute on one core.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from modelzoo.architectures.expert import Expert
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.datasets import chipseq
from modelzoo.sequences import columns
from modelzoo.training import run_folder as provenance
from modelzoo.training.expert import VALIDATION_SEED
from modelzoo.training.fit import History, Minibatches, checked_precision, fit, seeded


@dataclass(frozen=True)
class GateParams:
    """The hyper-parameters of the mixture's training; the defaults are the paper's."""

    learning_rate: float = 0.01
    momentum: float = 0.98
    weight_decay: float = 0.0
    batch_size: int = 256
    epochs: int = 500
    patience: int = 10
    precision: str = "float32"  # or "bfloat16", of the experts' view of training sequences

    def __post_init__(self) -> None:
        checked_precision(self.precision)


class EmbeddedPeaks:
    """The frozen experts' view of the peaks to train and validate on, and of their shuffles.

    Args:
        model: The mixture whose experts embed.
        peaks: (N, L) codes of each factor's peaks.
        seed: What the shuffles are drawn from, with the epoch's number.
        precision: Of the embeddings to train on; those to validate on have full precision.
    """

    def __init__(
        self,
        model: MixtureOfExperts,
        peaks: Mapping[str, np.ndarray],
        seed: int,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.model, self.seed, self.precision = model, seed, precision
        split = {factor: chipseq.split_peaks(codes) for factor, codes in peaks.items()}
        self.held_out = {
            factor: (
                embed(model, held_out),
                embed(model, chipseq.shuffled(held_out, VALIDATION_SEED)),
            )
            for factor, (_, held_out) in split.items()
        }
        self.train = [codes for codes, _ in split.values()]
        self.positives = torch.cat([embed(model, codes, precision) for codes in self.train])
        ones = torch.ones(len(self.positives), 1)
        self.targets = torch.cat([ones, torch.zeros_like(ones)])

    def batches(self, epoch: int, size: int) -> Minibatches:
        """Return the batches of an epoch: every peak, and a shuffle of it that is new."""
        negatives = [
            embed(self.model, chipseq.shuffled(codes, (self.seed, factor, epoch)), self.precision)
            for factor, codes in enumerate(self.train)
        ]
        inputs = torch.cat([self.positives, *negatives])
        return Minibatches(inputs, self.targets, size, (self.seed, epoch))

    def validate(self, mixture: nn.Module) -> float:
        """Return the mean over factors of the AUC of held-out peaks against their shuffles."""
        return float(np.mean(list(self.scores(mixture).values())))

    def scores(self, mixture: nn.Module) -> dict[str, float]:
        """Return the validation AUC by factor."""
        return {factor: _auc(mixture, *parts) for factor, parts in self.held_out.items()}


def embed(
    model: MixtureOfExperts,
    codes: np.ndarray,
    precision: torch.dtype = torch.float32,
    batch_size: int = 64,
) -> Tensor:
    """Return the embeddings (N, experts * E) of (N, L) codes."""
    half = torch.autocast("cpu", dtype=precision, enabled=precision != torch.float32)
    with torch.no_grad(), half:
        parts = torch.from_numpy(codes).split(batch_size)
        return torch.cat([model.embed(columns(part)) for part in parts]).float()


def fit_gate(
    model: MixtureOfExperts,
    data: EmbeddedPeaks,
    params: GateParams,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    progress: bool = True,
) -> History:
    """Train the gate and what follows it in place; the experts are not touched."""
    optimizer = torch.optim.SGD(
        model.mixture.parameters(),
        lr=params.learning_rate,
        momentum=params.momentum,
        weight_decay=params.weight_decay,
        nesterov=True,
    )
    return fit(
        model.mixture,
        lambda epoch: data.batches(epoch, params.batch_size),
        data.validate,
        optimizer=optimizer,
        epochs=params.epochs,
        patience=params.patience,
        seed=seed,
        checkpoint=checkpoint,
        identity=f"moe {list(model.experts)} {params} seed={seed}",
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
    sources: Mapping[str, str | Path] | None = None,
    params: GateParams = GateParams(),
    seed: int = 0,
    progress: bool = True,
) -> Path:
    """Train a mixture of trained experts; return the folder with weights, config and provenance.

    A run that was stopped resumes when it is called again with the same arguments.

    Args:
        experts: The trained experts by factor; they are copied and stay as they are.
        out: The folder to make.
        sources: Where each factor's peaks come from: a factor's name, or a file as for
            :func:`modelzoo.training.expert.train_expert`. By default every expert's task is one.
        params: Hyper-parameters.
        seed: Decides weights, order and shuffles.
        progress: Show bars.

    Raises:
        FileExistsError: ``out`` is there already.
        ValueError: A source is neither a factor nor a file of peaks, or a run with other
            arguments was stopped on its way to ``out``.
    """
    out = Path(out)
    checkpoint = provenance.checkpoint(out)
    if sources is None:
        sources = {expert.tasks[0]: expert.tasks[0] for expert in experts.values()}
    with seeded(seed):
        model = MixtureOfExperts.from_experts(experts).eval()
    data = EmbeddedPeaks(
        model,
        {factor: chipseq.peaks(source) for factor, source in sources.items()},
        seed,
        checked_precision(params.precision),
    )
    history = fit_gate(model, data, params, seed=seed, checkpoint=checkpoint, progress=progress)
    training = provenance.record(
        " ".join(
            ["shiftsmooth train moe", *map(_name, experts.values()), f"--seed {seed}"]
            + [
                f"--{option} {value}"
                for option in ("precision", "epochs")
                if (value := getattr(params, option)) != getattr(GateParams(), option)
            ]
        ),
        seed,
        [chipseq.source_file(source) for source in sources.values()],
        validation_auc=history.best_score,
        validation_auc_by_factor=data.scores(model.mixture),
        epochs=len(history.scores),
        params=dataclasses.asdict(params),
    )
    return provenance.finish(out, model, training)


def _name(expert: Expert) -> str:
    """Return the name that the catalog gives an expert."""
    return f"{expert.architecture}-{expert.tasks[0].lower()}"


def _auc(mixture: nn.Module, peaks: Tensor, shuffles: Tensor) -> float:
    labels = np.repeat([1, 0], [len(peaks), len(shuffles)])
    with torch.no_grad():
        logits = mixture(torch.cat([peaks, shuffles]))
    return float(roc_auc_score(labels, logits[:, 0]))
