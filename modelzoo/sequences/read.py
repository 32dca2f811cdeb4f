"""A file of sequences or of intervals, read as its name says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.bed import read_bed
from modelzoo.sequences.fasta import read_fasta
from modelzoo.sequences.intervals import Center, ending, holds_intervals
from modelzoo.sequences.records import Record, Reject, refuse
from modelzoo.sequences.seq import read_seq


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
    if holds_intervals(path):
        if genome is None:
            raise ValueError(f"genome: expected a FASTA or 2bit file for {path}, got None")
        return read_bed(path, genome, width=width, center=center, reject=reject)
    if ending(path) == "seq":
        return read_seq(path, reject=reject)
    if ending(path) in ("-", "fa", "fasta", "fna"):
        return read_fasta(path, reject=reject)
    raise ValueError(
        "path: expected .seq, .fa, .fasta, .fna, .bed, .narrowPeak, .broadPeak, .tsv or"
        f" .csv, with or without .gz, got {path}"
    )
