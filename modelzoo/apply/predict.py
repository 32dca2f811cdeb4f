"""From sequences to predictions in one pass, so that memory does not grow with the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.sequences import Record, Reject, one_hot, refuse

BASES = 1 << 14  # positions a model sees at once, whatever the sequences' length
WINDOW = 1 << 13  # records that are sorted by length together


class Prediction(NamedTuple):
    """What a model says of one record; `gate` is empty unless the model is a mixture."""

    name: str
    logits: list[float]
    probabilities: list[float]
    gate: list[float]

    @property
    def numbers(self) -> list[float]:
        """All of it but the name, in the order of the columns."""
        return [*self.logits, *self.probabilities, *self.gate]

    def cells(self) -> list[str]:
        """Return the text of its columns."""
        return [self.name, *(f"{number:.6g}" for number in self.numbers)]


@dataclass(frozen=True)
class Predictions:
    """A prediction for every record, in their order; each is made when it is taken.

    Attributes:
        columns: The names of a prediction's columns: the record's name, then for every task a
            logit and a probability, then for every expert of a mixture its weight.
    """

    columns: list[str]
    _made: Iterator[Prediction]

    def __iter__(self) -> Iterator[Prediction]:
        return self._made


def predict(
    model: str | Path | nn.Module,
    sequences: inputs.Sequences,
    *,
    genome: str | Path | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    reject: Reject = refuse,
) -> Predictions:
    """Return what a model predicts for sequences of any lengths.

    Args:
        model: A model of the zoo, or its name, folder or `"owner/repo"`.
        sequences: A FASTA, .seq or BED file; or the sequences themselves, as strings or records.
            They are read as predictions are taken.
        genome: FASTA file of the genome, for a BED file.
        device: Where the model runs; where it is, by default.
        batch_size: The most sequences at once; by default, as many as have 16,384 positions.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Example:
        >>> import modelzoo
        >>> bound, shuffled = modelzoo.predict("deepbind-gata3", ["ACAGATAAGA", "ATAGAAAGCA"])
        >>> bound.logits > shuffled.logits
        True
    """
    loaded = inputs.module(model, device)
    records = inputs.records(sequences, genome, reject)
    return Predictions(_columns(loaded), _predictions(loaded, records, batch_size))


def _predictions(
    model: nn.Module, records: Iterator[Record], batch_size: int | None
) -> Iterator[Prediction]:
    while window := list(islice(records, WINDOW)):
        by_length = defaultdict(list)
        for position, record in enumerate(window):
            by_length[len(record.sequence)].append(position)
        made: dict[int, Prediction] = {}
        for length, positions in by_length.items():
            size = batch_size or max(1, BASES // length)
            for start in range(0, len(positions), size):
                batch = positions[start : start + size]
                made.update(zip(batch, _batch(model, [window[i] for i in batch])))
        yield from (made[i] for i in range(len(window)))


def _columns(model: Any) -> list[str]:
    tasks = [""] if len(model.tasks) == 1 else [f"_{task}" for task in model.tasks]
    experts = model.experts if isinstance(model, MixtureOfExperts) else ()
    return [
        "id",
        *(f"logit{task}" for task in tasks),
        *(f"probability{task}" for task in tasks),
        *(f"gate_{factor}" for factor in experts),
    ]


@torch.no_grad()
def _batch(model: nn.Module, records: list[Record]) -> list[Prediction]:
    x = one_hot([record.sequence for record in records]).to(next(model.parameters()).device)
    gates: list[list[float]] = [[]] * len(records)
    if isinstance(model, MixtureOfExperts):
        # model(x) and model.gate(x) would each run the experts, where all the time goes.
        embeddings = model.embed(x)
        logits = model.mixture(embeddings)
        gates = model.mixture.alpha(embeddings).tolist()
    else:
        logits = model(x)
    return [
        Prediction(record.name, *values)
        for record, *values in zip(records, logits.tolist(), logits.sigmoid().tolist(), gates)
    ]
