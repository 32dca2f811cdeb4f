"""A record of a file of sequences, and the rejection of a wrong one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from modelzoo.sequences.encoding import LETTERS
from modelzoo.sequences.intervals import Interval, Regions
from modelzoo.sequences.text import at, whole

Reject = Callable[[ValueError], None]


class Record(NamedTuple):
    """One sequence of a file.

    `label` is None where the file gives none. `interval` tells where the sequence lies in a genome,
    as read on the interval's strand; it is None where the sequence was not cut from one.
    """

    name: str
    sequence: str
    label: int | None = None
    interval: Interval | None = None


# Makes the record of a row, or raises a ValueError; a row that nobody asks for costs little.
Attempt = Callable[[], Record]


class Excluded(ValueError):
    """A record lies in a region that is to be left out; nothing is wrong with it."""


def refuse(error: ValueError) -> None:
    """Raise the error of a wrong record. Readers do this unless they are told otherwise."""
    if not isinstance(error, Excluded):
        raise error


def outside(records: Iterable[Record], regions: Regions, reject: Reject) -> Iterator[Record]:
    """Yield the records that overlap no region.

    Args:
        records: Each has an interval.
        regions: What to keep away from.
        reject: Called with an `Excluded` for each other record.
    """
    for record in records:
        if record.interval is None:
            raise ValueError(f"exclude: expected records with intervals, got {record.name!r}")
        if regions.overlap(record.interval):
            reject(Excluded(f"{record.name!r} at {record.interval} is excluded"))
        else:
            yield record


def parsed(
    rows: Iterable[tuple[int, str]], parse: Callable[[str], Record], path: str | Path
) -> Iterator[Attempt]:
    """Yield the attempt at each row.

    Args:
        rows: (number of the line, text).
        parse: Makes a record of a text, or raises a ValueError with the cause.
        path: The file, for errors.
    """
    for line, text in rows:
        yield partial(_parsed, parse, path, line, text)


def accepted(attempts: Iterable[Attempt], reject: Reject) -> Iterator[Record]:
    """Yield the records, without the rejected ones.

    Args:
        attempts: At a record each.
        reject: Called with the error of a wrong record.
    """
    for attempt in attempts:
        try:
            record = attempt()
        except ValueError as error:
            reject(error)
        else:
            yield record


def _parsed(parse: Callable[[str], Record], path: str | Path, line: int, text: str) -> Record:
    try:
        return checked(parse(_encodable(text)))
    except ValueError as error:
        raise at(path, line, error) from None


def checked(record: Record) -> Record:
    """Return the record, or raise a ValueError where its sequence cannot be encoded."""
    if any(letter < " " or letter == "\x7f" for letter in record.name):
        raise ValueError(f"expected a name without control characters, got {record.name!r}")
    if not record.sequence:
        raise ValueError(f"expected a sequence for {record.name!r}, got none")
    letters = record.sequence.encode("ascii", "replace")
    if wrong := letters.translate(None, LETTERS):
        position = letters.index(wrong[:1])
        raise ValueError(
            f"expected IUPAC nucleotide letters, got {record.sequence[position]!r} at position"
            f" {position} of {record.name!r}"
        )
    return record


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("expected UTF-8 text") from None
    return whole(text)
