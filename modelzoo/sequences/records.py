"""A record of a file of sequences, and what is done with one that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from modelzoo.sequences.encoding import LETTERS

Reject = Callable[[ValueError], None]


def refuse(error: ValueError) -> None:
    """Raise what is wrong with a record: what readers do unless they are told otherwise."""
    raise error


class Record(NamedTuple):
    """One sequence of a file; ``label`` is None where the file gives none."""

    name: str
    sequence: str
    label: int | None = None


def malformed(path: str | Path, line: int, cause: str) -> ValueError:
    """Return the error that says where a file is wrong."""
    return ValueError(f"{path}, line {line}: {cause}")


def checked(record: Record, path: str | Path, line: int, reject: Reject) -> Iterator[Record]:
    """Yield ``record`` if it can be encoded; else reject it, saying where it came from."""
    if not record.sequence:
        reject(malformed(path, line, f"expected a sequence for {record.name!r}, got none"))
        return
    letters = record.sequence.encode("ascii", "replace")
    if wrong := letters.translate(None, LETTERS):
        position = letters.index(wrong[:1])
        cause = f"got {record.sequence[position]!r} at position {position} of {record.name!r}"
        reject(malformed(path, line, f"expected IUPAC nucleotide letters, {cause}"))
        return
    yield record
