"""FASTA files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.records import Record, Reject, parsed, refuse
from modelzoo.sequences.text import at, lines


def read_fasta(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a FASTA file, gzipped or not; the first word of a header is the name.

    An empty file yields nothing. Repeated names are kept, in the file's order: tools that cut
    windows from a genome write them.

    Args:
        path: The file; `-` is the standard input.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The file is malformed; the message names file, line and cause.
    """

    def record(text: str) -> Record:
        name, _, sequence = text.partition("\n")
        return Record(name, sequence)

    return parsed(_joined(path), record, path, reject)


def _joined(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (line of the header, name, newline and the whole sequence) of each record."""
    name, start, parts = "", 0, list[str]()
    for line, text in lines(path):
        if text.startswith(">"):
            if name:
                yield start, f"{name}\n{''.join(parts)}"
            words = text[1:].split(maxsplit=1)
            if not words:
                raise at(path, line, "expected a name after '>', got none")
            name, start, parts = words[0], line, []
        elif text.strip():
            if not name:
                cause = f"expected a record to begin with '>', got {text[:20]!r}"
                raise at(path, line, cause)
            parts.append(text.strip())
    if name:
        yield start, f"{name}\n{''.join(parts)}"
