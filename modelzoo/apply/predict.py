"""From sequences to predictions in one pass, so that memory does not grow with the file."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.pretrained import Pretrained
from modelzoo.architectures.weights import checksum
from modelzoo.errors import working
from modelzoo.jobs import key_of
from modelzoo.sequences import Interval, Record, Reject, one_hot, refuse
from modelzoo.sequences.intervals import Center, holds_intervals
from modelzoo.sequences.records import Attempt, Excluded, accepted
from modelzoo.zoo.adapters import Wrapped, named

BASES = 1 << 14  # positions a model sees at once, whatever the sequences' length
_PLACE = ("chrom", "start", "end", "strand")
WINDOW = 1 << 11  # rows of a file whose records are sorted by length together: a part


class Prediction(NamedTuple):
    """What a model says of one record.

    Attributes:
        name: The record's.
        logits: The model's outputs, one per task.
        probabilities: Empty unless the outputs are logits, as those of the zoo's models are;
            calibrated where the model is.
        gate: Empty unless the model is a mixture.
        interval: Where the record was read from a genome.
    """

    name: str
    logits: list[float]
    probabilities: list[float]
    gate: list[float]
    interval: Interval | None = None

    @property
    def numbers(self) -> list[float]:
        """All of it but the name, in the order of the columns."""
        return [*self.logits, *self.probabilities, *self.gate]

    def cells(self) -> list[str]:
        """Return the text of its columns."""
        place = map(str, self.interval[:4]) if self.interval else ()
        return [self.name, *place, *(f"{number:.6g}" for number in self.numbers)]


@dataclass(frozen=True)
class Predictions:
    """A prediction for every record, in their order; each is made when it is taken.

    Attributes:
        columns: The names of a prediction's columns: the record's name; chrom, start, end and
            strand where records are from a genome; for every task a logit and a probability, or an
            output where a model's outputs are not logits; for every expert of a mixture its weight.
        tasks: The names of the model's outputs.
    """

    columns: list[str]
    tasks: Sequence[str]
    _made: Iterator[Prediction]

    def __iter__(self) -> Iterator[Prediction]:
        return self._made


def predict(
    model: str | Path | nn.Module,
    sequences: inputs.Sequences,
    *,
    genome: str | Path | None = None,
    width: int | None = None,
    center: Center | None = None,
    exclude: str | Path | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    reject: Reject = refuse,
) -> Predictions:
    """Return what a model predicts for sequences of any lengths.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`.
        sequences: A file of sequences or of intervals, see `modelzoo.sequences.read_sequences`;
            or the sequences themselves, as strings or records. They are read as predictions are
            taken.
        genome: The genome of the intervals, in FASTA or 2bit.
        width: Of the windows around the intervals' centers; by default the length that a model of
            the catalog was trained on.
        center: `"summit"` or `"middle"`; by default the summit where the file has one.
        exclude: A file of regions; windows that overlap one are left out.
        device: Where the model runs; where it is, by default.
        batch_size: The most sequences at once; by default, as many as have 16,384 positions.
        reject: Called with what is wrong with a record or with its numbers; it is left out if this
            returns.

    Example:
        >>> import modelzoo
        >>> bound, shuffled = modelzoo.predict("deepbind-gata3", ["ACAGATAAGA", "ATAGAAAGCA"])
        >>> bound.logits > shuffled.logits
        True
    """
    inputs.at_least("batch_size", batch_size, 1)
    loaded: Any = inputs.module(model, device)
    found = inputs.rows(
        sequences,
        genome,
        width=width,
        trained_width=inputs.trained_width(model),
        center=center,
        exclude=exclude,
    )
    if isinstance(sequences, str | Path):
        placed = holds_intervals(sequences)
    else:
        first, found = inputs.peeked(found)
        placed = first is not None and first.interval is not None
    found = _named(loaded, found)
    made = _predictions(loaded, found, batch_size, reject)
    return Predictions(_columns(loaded, placed), loaded.tasks, _finite(made, reject))


@dataclass(frozen=True)
class InParts:
    """Predictions of a file that are made in parts, see `modelzoo.jobs.Job.contents`.

    Attributes:
        columns: See `Predictions`, as for `tasks`.
        tasks: The names of the model's outputs.
        works: What gives the content of each part.
        key: Tells everything that the contents depend on.
    """

    columns: list[str]
    tasks: Sequence[str]
    works: Sequence[Callable[[], bytes]]
    key: str

    def taken(self, contents: Iterable[bytes], reject: Reject) -> Predictions:
        """Return the predictions in the parts' contents.

        Args:
            contents: Of all parts in order.
            reject: Called as `predict` calls it.
        """
        return Predictions(self.columns, self.tasks, _taken(contents, reject))


def predict_in_parts(
    model: inputs.Named, source: inputs.Source, *, batch_size: int | None = None
) -> InParts:
    """Return how to predict a file in parts, with the numbers that `predict` gives.

    Args:
        model: How every process loads the model.
        source: The file, with the width that a model of the catalog was trained on given.
        batch_size: See `predict`.
    """
    loaded: Any = model.load()
    rows = _named(loaded, source.rows())
    with working():
        count = sum(1 for _ in rows)
    weights = checksum(loaded)
    about = {
        "version": version("shiftsmooth"),
        "weights": weights,
        "calibration": getattr(loaded, "calibration", None),
        "batch_size": batch_size,
        **model.about(),
        **source.key(),
    }
    works = [
        partial(_part, model, weights, source, start, min(start + WINDOW, count), batch_size)
        for start in range(0, count, WINDOW)
    ]
    columns = _columns(loaded, holds_intervals(source.path))
    return InParts(columns, loaded.tasks, works, key_of(about))


def _part(
    model: inputs.Named,
    weights: str,
    source: inputs.Source,
    start: int,
    stop: int,
    batch_size: int | None,
) -> bytes:
    """Return the predictions of some rows as JSON, with what is wrong with the others."""
    rejected: list[ValueError] = []
    rows = iter(source.some(start, stop))
    with working():
        made = _predictions(model.load(weights), rows, batch_size, rejected.append)
        found = list(_finite(made, rejected.append))
    wrong = [(isinstance(error, Excluded), str(error)) for error in rejected]
    return json.dumps([found, wrong]).encode()


def _taken(contents: Iterable[bytes], reject: Reject) -> Iterator[Prediction]:
    for content in contents:
        found, wrong = json.loads(content)
        for is_excluded, message in wrong:
            reject(Excluded(message) if is_excluded else ValueError(message))
        for *values, interval in found:
            name, logits, probabilities, gate = values
            place = interval and Interval(*interval)
            yield Prediction(name, logits, probabilities, gate, place)


def _named(model: Any, rows: Iterator[Attempt]) -> Iterator[Attempt]:
    """Return the rows, after one call where the model's tasks have no names yet."""
    if not isinstance(model, Wrapped) or model.has_names:
        return rows
    first, rows = inputs.peeked(rows)
    named(model, inputs.TRIED if first is None else len(first.sequence))
    return rows


def _finite(predictions: Iterable[Prediction], reject: Reject) -> Iterator[Prediction]:
    for prediction in predictions:
        if all(map(isfinite, prediction.numbers)):
            yield prediction
        else:
            _, *cells = prediction.cells()
            cause = f"expected finite numbers, got {', '.join(cells)}"
            reject(ValueError(f"predictions of {prediction.name!r}: {cause}"))


def _predictions(
    model: nn.Module, rows: Iterator[Attempt], batch_size: int | None, reject: Reject
) -> Iterator[Prediction]:
    while taken := list(islice(rows, WINDOW)):
        window = list(accepted(taken, reject))
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


def _columns(model: Any, placed: bool) -> list[str]:
    tasks = [""] if len(model.tasks) == 1 else [f"_{task}" for task in model.tasks]
    experts = model.experts if isinstance(model, MixtureOfExperts) else ()
    kinds = ["output"] if isinstance(model, Wrapped) else ["logit", "probability"]
    return [
        "id",
        *(_PLACE if placed else ()),
        *(f"{kind}{task}" for kind in kinds for task in tasks),
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
    probabilities = model.probabilities(logits) if isinstance(model, Pretrained) else logits[:, :0]
    rows = zip(records, logits.tolist(), probabilities.tolist(), gates)
    return [
        Prediction(record.name, outputs, chances, gate, record.interval)
        for record, outputs, chances, gate in rows
    ]
