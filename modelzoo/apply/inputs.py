"""What the functions of this folder are given: a model, and sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import torch
from torch import nn

from modelzoo.sequences import Record, Regions, Reject, read_fasta, read_intervals, read_sequences
from modelzoo.sequences.intervals import Center, holds_intervals
from modelzoo.sequences.records import checked, outside
from modelzoo.zoo import catalog
from modelzoo.zoo.adapters import load_any, wrap

TRIED = 1 << 11  # positions that a model is tried on to name its tasks, if there is no record
LONGEST = 100_000  # positions; what the models keep of one sequence grows with its length

Sequences = str | Path | Iterable[str | Record]


def at_least(name: str, value: int | None, least: int) -> None:
    """Raise a ValueError where an argument is given and smaller than it may be.

    Args:
        name: What the caller calls it.
        value: What is given.
        least: The smallest value.
    """
    if value is not None and value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")


def module(model: str | Path | nn.Module, device: str | torch.device | None) -> nn.Module:
    """Return a model, in eval mode.

    Args:
        model: The model itself, or what `modelzoo.zoo.adapters.load_any` takes.
        device: Where it is to be; None leaves a model where it is.
    """
    if isinstance(model, nn.Module):
        return wrap((model if device is None else model.to(device)).eval())
    return load_any(model, device=device or "cpu")


def trained_width(model: str | Path | nn.Module) -> int | None:
    """Return the length that a catalog model was trained on; None for others.

    Args:
        model: A name of the catalog, or any other model.
    """
    if isinstance(model, nn.Module) or str(model) not in catalog.list_models():
        return None
    return catalog.info(str(model)).length


def peeked(records: Iterator[Record]) -> tuple[Record | None, Iterator[Record]]:
    """Return the first record, if there is one, and all of them."""
    first = next(records, None)
    return first, records if first is None else chain([first], records)


def records(
    sequences: Sequences,
    genome: str | Path | None,
    reject: Reject,
    *,
    width: int | None = None,
    trained_width: int | None = None,
    center: Center | None = None,
    exclude: str | Path | None = None,
) -> Iterator[Record]:
    """Return an iterator over the records that can be used.

    Args:
        sequences: A file that `modelzoo.sequences.read_sequences` takes; or the sequences
            themselves, as strings, which are then named by their numbers, or as records.
        genome: The genome of the intervals in a file, in FASTA or 2bit.
        reject: Called with what is wrong with a record, which is left out if it returns.
        width: See `modelzoo.sequences.read_bed`, as for `center`; only for a file of intervals.
        trained_width: The width where none is given.
        center: Where in an interval the window lies.
        exclude: A file of regions; windows that overlap one are left out.
    """
    if isinstance(sequences, str | Path):
        if (width or center) and not holds_intervals(sequences):
            given_for = "width" if width else "center"
            raise ValueError(f"{given_for}: expected a file of intervals, got {sequences}")
        # A pipe, as of `<(zcat a.fa.gz)`, has a name that tells nothing: FASTA, as standard input.
        if Path(sequences).is_file() or not Path(sequences).exists():
            given = read_sequences(
                sequences, genome, width=width or trained_width, center=center, reject=reject
            )
        else:
            given = read_fasta(sequences, reject=reject)
    else:
        given = _given(sequences, reject)
    if exclude is not None:
        given = outside(given, Regions(read_intervals(exclude)), reject)
    return _short(given, reject)


def _given(sequences: Iterable[str | Record], reject: Reject) -> Iterator[Record]:
    for number, given in enumerate(sequences):
        record = Record(str(number), given) if isinstance(given, str) else given
        try:
            yield checked(record)
        except ValueError as error:
            reject(error)


def _short(given: Iterable[Record], reject: Reject) -> Iterator[Record]:
    for record in given:
        length = len(record.sequence)
        if length <= LONGEST:
            yield record
        else:
            cause = f"{record.name!r} has {length} positions; expected {LONGEST} at most"
            reject(ValueError(cause))
