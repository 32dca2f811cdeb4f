"""BED files: intervals of a genome."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.encoding import reverse_complement_letters
from modelzoo.sequences.records import Record, Reject, checked, malformed, refuse
from modelzoo.sequences.text import lines


def read_bed(
    path: str | Path, genome: str | Path, *, width: int | None = None, reject: Reject = refuse
) -> Iterator[Record]:
    """Yield the sequences of a BED file's intervals, reverse complemented on the minus strand.

    Records take the BED name, or ``chrom:start-end`` where there is none; repeated ones are kept.

    Args:
        path: BED file with at least chrom, start, end (0-based, half open), gzipped or not.
        genome: FASTA file of the genome; its index is written beside it on first use.
        width: Length to cut every interval or extend it to, about its middle. What then lies
            beyond a chromosome's ends reads as N. None keeps the intervals as they are.
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
        for line, text in lines(path):
            if not text.strip() or text.startswith(("#", "track", "browser")):
                continue
            fields = text.split("\t")
            if len(fields) < 3:
                cause = f"expected chrom, start, end, got {len(fields)} column(s)"
                reject(malformed(path, line, cause))
                continue
            chrom, *rest = fields
            try:
                start, end = int(rest[0]), int(rest[1])
            except ValueError:
                reject(malformed(path, line, f"expected integers, got {rest[0]!r}, {rest[1]!r}"))
                continue
            if chrom not in chromosomes:
                reject(malformed(path, line, f"no chromosome {chrom!r} in {genome}"))
                continue
            size = len(chromosomes[chrom])
            if not 0 <= start < end <= size:
                cause = f"expected 0 <= start < end <= {size}, got {start}, {end}"
                reject(malformed(path, line, cause))
                continue
            if width is not None:
                start = (start + end) // 2 - width // 2
                end = start + width
            sequence = str(chromosomes[chrom][max(start, 0) : min(end, size)])
            sequence = "N" * -min(start, 0) + sequence + "N" * max(end - size, 0)
            if len(rest) > 4 and rest[4] == "-":
                sequence = reverse_complement_letters(sequence)
            named = len(rest) > 2 and rest[2] not in ("", ".")
            name = rest[2] if named else f"{chrom}:{start}-{end}"
            yield from checked(Record(name, sequence), path, line, reject)
