"""FASTA files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.records import Attempt, Record, Reject, accepted, parsed, refuse
from modelzoo.sequences.text import LONGEST, at, lines, read_at_most


def read_fasta(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a FASTA file, gzipped or not; the first word of a header is the name.

    An empty file yields nothing. Repeated names are kept, in the file's order: tools that cut
    windows from a genome write them.

    Args:
        path: The file; `-` is the standard input.
        reject: Called with the error of a wrong record, which is left out if the call returns.

    Raises:
        ValueError: The file is malformed; the message names file, line and cause.
    """
    return accepted(fasta_rows(path), reject)


def fasta_rows(path: str | Path) -> Iterator[Attempt]:
    """Return the attempts at the records of a FASTA file."""
    return parsed(_joined(path), _record, path)


def _record(text: str) -> Record:
    name, _, sequence = text.partition("\n")
    if not name:
        raise ValueError("expected a name after '>', got none")
    return Record(name, sequence)


def _joined(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (line of the header, name, newline and the whole sequence) of each record."""
    name, start, parts, letters, longest = "", 0, list[str](), 0, read_at_most(path)
    for line, text in lines(path, "surrogateescape"):
        if text.startswith(">"):
            if start:
                yield start, f"{name}\n{''.join(parts)}"
            name, start = "".join(text[1:].split(maxsplit=1)[:1]), line
            parts, letters = [], 0
        elif text.strip():
            if not start:
                cause = f"expected a record to begin with '>', got {text[:20]!r}"
                raise at(path, line, cause)
            if letters <= LONGEST:  # `parsed` refuses what is longer
                parts.append(text.strip())
            letters += len(text.strip())
            if letters > longest:
                raise at(path, start, f"expected a record to end within {longest:,} letters")
    if start:
        yield start, f"{name}\n{''.join(parts)}"
