"""Files of peaks and their shuffles: FoldID, EventID, seq, Bound."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from modelzoo.sequences.records import Attempt, Record, Reject, accepted, parsed, refuse
from modelzoo.sequences.text import at, lines

HEADER = ("FoldID", "EventID", "seq", "Bound")


def read_seq(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a tab-separated file FoldID, EventID, seq, Bound, gzipped or not.

    A file with a header and no rows yields nothing. EventID ties a shuffle to its peak, so a
    repeated one is an error.

    Args:
        path: The file.
        reject: Called with the error of a wrong record, which is left out if the call returns.

    Raises:
        ValueError: The file is malformed; the message names file, line and cause.
    """
    return accepted(seq_rows(path), reject)


def seq_rows(path: str | Path) -> Iterator[Attempt]:
    """Yield the attempts at the records of a `.seq` file; see `read_seq`."""
    seen: set[str] = set()

    def record(text: str) -> Record:
        fields = text.split("\t")
        if len(fields) != len(HEADER):
            raise ValueError(f"expected {len(HEADER)} columns, got {len(fields)}")
        _, name, sequence, bound = fields
        if bound not in ("0", "1"):
            raise ValueError(f"expected Bound to be 0 or 1, got {bound!r} for {name!r}")
        if name in seen:
            raise ValueError(f"expected every EventID once, got {name!r} again")
        seen.add(name)
        return Record(name, sequence, int(bound))

    rows = lines(path, "surrogateescape")
    _, first = next(rows, (0, None))
    if first is None or tuple(first.split("\t")) != HEADER:
        got = "an empty file" if first is None else tuple(first.split("\t"))
        raise at(path, 1, f"expected the header {HEADER}, got {got}")
    for attempt in parsed(((line, text) for line, text in rows if text), record, path):
        # At once: whether a name is a repeated one depends on the rows before.
        try:
            yield partial(_given, attempt())
        except ValueError as error:
            yield partial(_raised, error)


def _given(record: Record) -> Record:
    return record


def _raised(error: ValueError) -> Record:
    raise error
