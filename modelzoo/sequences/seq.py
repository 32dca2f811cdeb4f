"""Files of peaks and their shuffles: FoldID, EventID, seq, Bound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.records import Record, Reject, checked, malformed, refuse
from modelzoo.sequences.text import lines

SEQ_HEADER = ("FoldID", "EventID", "seq", "Bound")


def read_seq(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a tab-separated file FoldID, EventID, seq, Bound, gzipped or not.

    A file with a header and no rows yields nothing. EventID ties a shuffle to its peak, so a
    repeated one is an error.

    Args:
        path: The file.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The file is not what it should be; the message names file, line and cause.
    """
    seen: set[str] = set()
    line = 0
    for line, text in lines(path):
        fields = tuple(text.split("\t"))
        if line == 1:
            if fields != SEQ_HEADER:
                raise malformed(path, 1, f"expected the header {SEQ_HEADER}, got {fields}")
            continue
        if not text:
            continue
        if len(fields) != len(SEQ_HEADER):
            cause = f"expected {len(SEQ_HEADER)} columns, got {len(fields)}"
            reject(malformed(path, line, cause))
            continue
        _, name, sequence, bound = fields
        if bound not in ("0", "1"):
            cause = f"expected Bound to be 0 or 1, got {bound!r} for {name!r}"
            reject(malformed(path, line, cause))
            continue
        if name in seen:
            reject(malformed(path, line, f"expected every EventID once, got {name!r} again"))
            continue
        seen.add(name)
        yield from checked(Record(name, sequence, int(bound)), path, line, reject)
    if line == 0:
        raise malformed(path, 1, f"expected the header {SEQ_HEADER}, got an empty file")
