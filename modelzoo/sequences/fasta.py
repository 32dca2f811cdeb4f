"""FASTA files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.records import Record, Reject, checked, malformed, refuse
from modelzoo.sequences.text import lines


def read_fasta(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a FASTA file, gzipped or not; a record is named by its first word.

    An empty file yields nothing. Repeated names are kept, in the file's order: tools that cut
    windows from a genome write them.

    Args:
        path: The file; ``-`` is the standard input.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The file is not what it should be; the message names file, line and cause.
    """
    name, start, parts = None, 0, list[str]()
    for line, text in lines(path):
        if text.startswith(">"):
            if name is not None:
                yield from checked(Record(name, "".join(parts)), path, start, reject)
            words = text[1:].split(maxsplit=1)
            if not words:
                raise malformed(path, line, "expected a name after '>', got none")
            name, start, parts = words[0], line, []
        elif text.strip():
            if name is None:
                cause = f"expected a record to begin with '>', got {text[:20]!r}"
                raise malformed(path, line, cause)
            parts.append(text.strip())
    if name is not None:
        yield from checked(Record(name, "".join(parts)), path, start, reject)
