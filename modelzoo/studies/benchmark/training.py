"""The training of a model on a set, as a part whose content is its weights and its scores."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from modelzoo.sequences import in_batches, reverse_complement_codes
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS, sequences
from modelzoo.studies.benchmark.settings import Settings
from modelzoo.studies.statistics import auc
from modelzoo.training.batches import Batches, of_codes
from modelzoo.training.fit import fit, seeded
from modelzoo.workers import Part, threads

BATCH = 64
LEARNING_RATE = 3e-3  # of Adam
SCORES = ("validation_auc", "test_auc")
SEEDS = 1000  # more than anybody trains; those of one study are apart from those of the next
PERMUTED = "permuted"  # a model that learns labels in random order


def training(folder: Path, settings: Settings, name: str, model: str, seed: int | str) -> Part:
    """Return the training of a model as a part.

    Args:
        folder: Of the report.
        settings: How long to train.
        name: A key of `SETS`.
        model: A key of `MODELS`.
        seed: Of the initialisation and the order of the sequences; or `PERMUTED`.
    """
    about = (settings.seed, settings.train, settings.validation, settings.epochs)
    return Part(
        path=folder / "models" / f"{name}-{model}-{seed}.part",
        work=partial(_trained, settings, name, model, seed),
        key=f"{(*about, settings.patience, settings.test)} {name} {model} {seed}",
    )


def built(name: str, model: str, seed: int) -> nn.Module:
    """Return an untrained model in eval mode; arguments as of `training`."""
    with seeded(seed):
        return MODELS[model].build(SETS[name].length).eval()


def loaded(part: Part, name: str, model: str) -> tuple[nn.Module, dict[str, float]]:
    """Return a trained model, in eval mode and without gradients of its parameters, and its scores.

    Args:
        part: As `training` gives it; trained here if it is not there yet.
        name: A key of `SETS`.
        model: A key of `MODELS`.
    """
    content = part.read()
    if content is None:  # another job's part, which may not be done yet
        part.do()
        content = part.read() or b""
    tensors = load(content)
    found = built(name, model, 0)
    scores = {key: float(tensors.pop(key)) for key in SCORES}
    found.load_state_dict(tensors)
    return found.requires_grad_(False), scores


def _trained(settings: Settings, name: str, model: str, seed: int | str) -> bytes:
    train = sequences(name, "train", settings.train, settings.seed)
    codes, labels = train.window(train.codes), train.labels
    permuted = seed == PERMUTED
    own = SEEDS * settings.seed + (SEEDS - 1 if isinstance(seed, str) else seed)
    if permuted:
        labels = np.random.default_rng(own).permutation(labels)
    targets = torch.from_numpy(labels).float()[:, None]
    network = built(name, model, own)

    def batches(epoch: int) -> Batches:
        turned = np.random.default_rng((own, epoch, 1)).random((len(codes), 1)) < 0.5
        return of_codes(
            np.where(turned, reverse_complement_codes(codes), codes), targets, BATCH, (own, epoch)
        )

    judged = {
        split: sequences(name, split, count, settings.seed)
        for split, count in (("validation", settings.validation), ("test", settings.test))
    }

    def score(network: nn.Module, split: str) -> float:
        drawn = judged[split]
        answers = in_batches(network, drawn.window(drawn.codes))[:, 0].numpy()
        return float(auc(drawn.labels, answers))

    with threads(1):
        fit(
            network,
            batches,
            lambda network: None if permuted else score(network, "validation"),
            optimizer=torch.optim.Adam(network.parameters(), lr=LEARNING_RATE),
            epochs=settings.epochs,
            patience=None if permuted else settings.patience,
            seed=own,
            progress=False,
        )
        scores = {f"{split}_auc": torch.tensor(score(network, split)) for split in judged}
    tensors: Mapping[str, Tensor] = network.state_dict() | scores
    return save({key: value.clone().contiguous() for key, value in tensors.items()})
