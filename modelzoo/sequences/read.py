"""A file of sequences or of intervals, read as its name says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.bed import bed_rows
from modelzoo.sequences.fasta import fasta_rows
from modelzoo.sequences.intervals import Center, ending, holds_intervals
from modelzoo.sequences.records import Attempt, Record, Reject, accepted, refuse
from modelzoo.sequences.seq import seq_rows


def read_sequences(
    path: str | Path,
    genome: str | Path | None = None,
    *,
    width: int | None = None,
    center: Center | None = None,
    reject: Reject = refuse,
) -> Iterator[Record]:
    """Return the records of a file, read as its name says.

    Args:
        path: Sequences in `.seq`, `.fa`, `.fasta` or `.fna`; intervals in `.bed`, `.narrowPeak`,
            `.broadPeak`, or in a `.tsv` or `.csv` with the columns chrom, start, end; each
            also with `.gz`. `-` is FASTA from the standard input.
        genome: The genome of the intervals, in FASTA or 2bit.
        width: See `read_bed`, as for `center`; only for intervals.
        center: Where in an interval the window lies.
        reject: Called with the error of a wrong record, which is left out if the call returns.

    Raises:
        ValueError: The name tells no known format, intervals come without a genome, or the
            content is malformed.
    """
    return accepted(rows_of(path, genome, width, center), reject)


def rows_of(
    path: str | Path,
    genome: str | Path | None = None,
    width: int | None = None,
    center: Center | None = None,
) -> Iterator[Attempt]:
    """Return the attempts at the records of a file; see `read_sequences`."""
    if holds_intervals(path):
        if genome is None:
            raise ValueError(f"genome: expected a FASTA or 2bit file for {path}, got None")
        return bed_rows(path, genome, width, center)
    if ending(path) == "seq":
        return seq_rows(path)
    if ending(path) in ("-", "fa", "fasta", "fna"):
        return fasta_rows(path)
    raise ValueError(
        "path: expected .seq, .fa, .fasta, .fna, .bed, .narrowPeak, .broadPeak, .tsv or"
        f" .csv, with or without .gz, got {path}"
    )
