"""A file of sequences, read as its name says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelzoo.sequences.bed import read_bed
from modelzoo.sequences.fasta import read_fasta
from modelzoo.sequences.records import Record, Reject, refuse
from modelzoo.sequences.seq import read_seq


def read_sequences(
    path: str | Path, genome: str | Path | None = None, *, reject: Reject = refuse
) -> Iterator[Record]:
    """Return the records of a file, read as its name says.

    Args:
        path: `.seq`, `.fa`, `.fasta`, `.fna`, `.bed` or `.narrowPeak`, each also with `.gz`;
            `-` is FASTA from the standard input.
        genome: FASTA file of the genome, for BED files.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The name tells no known format, a BED file comes without a genome, or the
            content is malformed.
    """
    suffix = Path(path).name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix == "seq":
        return read_seq(path, reject=reject)
    if suffix in ("-", "fa", "fasta", "fna"):
        return read_fasta(path, reject=reject)
    if suffix in ("bed", "narrowpeak"):
        if genome is None:
            raise ValueError(f"genome: expected a FASTA file, for {path} holds intervals; got None")
        return read_bed(path, genome, reject=reject)
    raise ValueError(
        f"path: expected .seq, .fa, .fasta, .fna, .bed or .narrowPeak, with or without .gz, "
        f"got {path}"
    )
