"""BED files: intervals of a genome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.encoding import reverse_complement_letters
from modelzoo.sequences.records import Record, Reject, parsed, refuse
from modelzoo.sequences.text import lines


def read_bed(
    path: str | Path, genome: str | Path, *, width: int | None = None, reject: Reject = refuse
) -> Iterator[Record]:
    """Yield the sequences of a BED file's intervals, reverse complemented on the minus strand.

    Records take the BED name, or `chrom:start-end` where there is none; repeated ones are kept.

    Args:
        path: BED file with at least chrom, start, end (0-based, half open), gzipped or not.
        genome: FASTA file of the genome; its index is written beside it on first use.
        width: Length to cut every interval or extend it to, about its middle. Positions beyond
            the ends of a chromosome read as N. None keeps the intervals as they are.
        reject: Called with what is wrong with an interval, which is left out if it returns.

    Raises:
        ValueError: An interval is malformed or not in the genome; the message names file, line
            and cause.
    """
    from pyfaidx import Fasta

    if width is not None and width < 1:
        raise ValueError(f"width: expected at least 1, got {width}")
    if not Path(genome).is_file():
        raise FileNotFoundError(f"genome: no such file: {genome}")
    with Fasta(str(genome)) as chromosomes:

        def record(text: str) -> Record:
            fields = text.split("\t")
            if len(fields) < 3:
                raise ValueError(f"expected chrom, start, end, got {len(fields)} column(s)")
            chrom, first, last, name, _, strand = (*fields[:6], *[""] * 3)[:6]
            try:
                start, end = int(first), int(last)
            except ValueError:
                raise ValueError(f"expected integers, got {first!r}, {last!r}") from None
            if chrom not in chromosomes:
                raise ValueError(f"no chromosome {chrom!r} in {genome}")
            size = len(chromosomes[chrom])
            if not 0 <= start < end <= size:
                raise ValueError(f"expected 0 <= start < end <= {size}, got {start}, {end}")
            if width is not None:
                start = (start + end) // 2 - width // 2
                end = start + width
            sequence = str(chromosomes[chrom][max(start, 0) : min(end, size)])
            sequence = "N" * -min(start, 0) + sequence + "N" * max(end - size, 0)
            if strand == "-":
                sequence = reverse_complement_letters(sequence)
            return Record(f"{chrom}:{start}-{end}" if name in ("", ".") else name, sequence)

        rows = ((line, text) for line, text in lines(path) if not _is_comment(text))
        yield from parsed(rows, record, path, reject)


def _is_comment(text: str) -> bool:
    return not text.strip() or text.startswith(("#", "track", "browser"))
