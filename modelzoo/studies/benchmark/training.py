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

SCORES = ("validation_auc", "test_auc")
SEEDS = 1000  # more than anybody trains; those of one study are apart from those of the next


def training(
    folder: Path, settings: Settings, name: str, model: str, seed: int, *, permuted: bool = False
) -> Part:
    """Return the training of a model as a part.

    Args:
        folder: Of the report.
        settings: How long to train.
        name: A key of `SETS`.
        model: A key of `MODELS`.
        seed: Of the initialisation and the order of the sequences.
        permuted: Train on labels in random order.
    """
    about = (settings.seed, settings.train, settings.validation, settings.test)
    epochs = settings.permuted_epochs if permuted else settings.epochs
    told = "-permuted" * permuted
    return Part(
        path=folder / "models" / f"{name}-{model}-{seed}{told}.part",
        work=partial(_trained, settings, name, model, seed, permuted),
        key=f"{(*about, epochs)} {MODELS[model].recipe} {name} {model} {seed}{told}",
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


def _trained(settings: Settings, name: str, model: str, seed: int, permuted: bool) -> bytes:
    train = sequences(name, "train", settings.train, settings.seed)
    codes, labels = train.window(train.codes), train.labels
    own = SEEDS * settings.seed + seed
    if permuted:
        labels = np.random.default_rng((own, 2)).permutation(labels)
    targets = torch.from_numpy(labels).float()[:, None]
    network, recipe = built(name, model, own), MODELS[model].recipe
    optimizer = recipe.of(network)

    def batches(epoch: int) -> Batches:
        turned = np.random.default_rng((own, epoch, 1)).random((len(codes), 1)) < 0.5
        drawn = np.where(turned, reverse_complement_codes(codes), codes)
        return of_codes(drawn, targets, recipe.batch, (own, epoch))

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
            optimizer=optimizer,
            epochs=settings.permuted_epochs if permuted else settings.epochs,
            patience=None if permuted else recipe.patience,
            schedule=recipe.schedule(),
            after_epoch=recipe.after_epoch(optimizer),
            seed=own,
            progress=False,
        )
        scores = {f"{split}_auc": torch.tensor(score(network, split)) for split in judged}
    tensors: Mapping[str, Tensor] = network.state_dict() | scores
    return save({key: value.clone().contiguous() for key, value in tensors.items()})
