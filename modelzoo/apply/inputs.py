"""What the functions of this folder are given: a model, and sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import nn

from modelzoo.sequences import Record, Reject, read_sequences
from modelzoo.sequences.records import checked
from modelzoo.zoo.hub import load

LONGEST = 100_000  # positions; what the models keep of one sequence grows with its length

Sequences = str | Path | Iterable[str | Record]


def module(model: str | Path | nn.Module, device: str | torch.device | None) -> nn.Module:
    """Return a model, in eval mode.

    Args:
        model: The model itself, or what `modelzoo.load` takes.
        device: Where it is to be; None leaves a model where it is.
    """
    if isinstance(model, nn.Module):
        return (model if device is None else model.to(device)).eval()
    return load(model, device=device or "cpu")


def records(sequences: Sequences, genome: str | Path | None, reject: Reject) -> Iterator[Record]:
    """Return an iterator over the records that can be used.

    Args:
        sequences: A file that `modelzoo.sequences.read_sequences` takes; or the sequences
            themselves, as strings, which are then named by their numbers, or as records.
        genome: FASTA file of the genome, for a BED file.
        reject: Called with what is wrong with a record, which is left out if it returns.
    """
    if isinstance(sequences, str | Path):
        given = read_sequences(sequences, genome, reject=reject)
    else:
        given = _given(sequences, reject)
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
