"""The sequences of intervals: BED, narrowPeak, broadPeak and tables, with a genome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.genome import Genome
from modelzoo.sequences.intervals import Center, interval_rows
from modelzoo.sequences.records import Attempt, Record, Reject, accepted, parsed, refuse


def read_bed(
    path: str | Path,
    genome: str | Path,
    *,
    width: int | None = None,
    center: Center | None = None,
    reject: Reject = refuse,
) -> Iterator[Record]:
    """Yield the sequences of a file's intervals, reverse complemented on the minus strand.

    Records take the interval's name, or `chrom:start-end` of what was read where there is none;
    repeated ones are kept. They know the interval that they were read from.

    Args:
        path: See `modelzoo.sequences.intervals.interval_rows`.
        genome: The genome, in FASTA (plain or bgzipped) or 2bit.
        width: Length of the window to read around every interval's center. Positions beyond
            the ends of a chromosome read as N. None keeps the intervals as they are.
        center: `"summit"` or `"middle"`; by default the summit where the file has one.
        reject: Called with the error of a wrong interval, which is left out if the call returns.

    Raises:
        ValueError: An interval is malformed or not in the genome; the message names file, line
            and cause.
        LookupError: Genome and intervals name the chromosomes differently (`1` and `chr1`).
    """
    return accepted(bed_rows(path, genome, width, center), reject)


def bed_rows(
    path: str | Path, genome: str | Path, width: int | None, center: Center | None
) -> Iterator[Attempt]:
    """Yield the attempts at the sequences of a file's intervals; see `read_bed`."""
    if width is not None and width < 1:
        raise ValueError(f"width: expected at least 1, got {width}")
    chromosomes = Genome(genome)  # closed when the last attempt is gone
    rows, parse = interval_rows(path)

    def record(text: str) -> Record:
        interval = parse(text)
        size = chromosomes.size(interval.chrom)
        if not 0 <= interval.start < interval.end <= size:
            got = f"{interval.start}, {interval.end}"
            raise ValueError(f"expected 0 <= start < end <= {size}, got {got}")
        if width is not None:
            interval = interval.window(width, center)
        return Record(interval.label, chromosomes.sequence(interval), None, interval)

    yield from parsed(rows, record, path)
