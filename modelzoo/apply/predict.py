"""From records to predictions in one pass, so that memory does not grow with the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import nn

from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.sequences import Record, one_hot

LONGEST = 100_000  # positions; what the models keep of one sequence grows with its length
_BASES = 1 << 14  # positions a model sees at once, whatever the sequences' length
_WINDOW = 1 << 13  # records that are sorted by length together


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


def predict(model: nn.Module, records: Iterable[Record]) -> Iterator[Prediction]:
    """Yields a prediction for every record, in their order.

    Args:
        model: A model of the zoo, in eval mode.
        records: Sequences of any lengths up to `LONGEST`. They are read as predictions are taken.
    """
    records = iter(records)
    while window := list(islice(records, _WINDOW)):
        by_length = defaultdict(list)
        for position, record in enumerate(window):
            by_length[len(record.sequence)].append(position)
        predictions: dict[int, Prediction] = {}
        for length, positions in by_length.items():
            size = max(1, _BASES // length)
            for start in range(0, len(positions), size):
                batch = positions[start : start + size]
                predictions.update(zip(batch, _batch(model, [window[i] for i in batch])))
        yield from (predictions[i] for i in range(len(window)))


def header(model: Any) -> list[str]:
    """Returns the names of a prediction's columns: a pair a task, a weight an expert."""
    tasks = [""] if len(model.tasks) == 1 else [f"_{task}" for task in model.tasks]
    experts = model.experts if isinstance(model, MixtureOfExperts) else ()
    return [
        "id",
        *(f"logit{task}" for task in tasks),
        *(f"probability{task}" for task in tasks),
        *(f"gate_{factor}" for factor in experts),
    ]


def row(prediction: Prediction) -> list[str]:
    """Returns a prediction as the text of its columns."""
    return [prediction.name, *(f"{number:.6g}" for number in prediction.numbers)]


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
