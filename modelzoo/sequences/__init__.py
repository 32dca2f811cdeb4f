"""Sequences: letters to tensors, and files to letters."""

from modelzoo.sequences.batches import in_batches
from modelzoo.sequences.bed import read_bed
from modelzoo.sequences.encoding import (
    ALPHABET,
    AMBIGUOUS,
    IUPAC,
    columns,
    decode,
    encode,
    from_columns,
    one_hot,
    reverse_complement,
    reverse_complement_codes,
)
from modelzoo.sequences.fasta import read_fasta
from modelzoo.sequences.genome import Genome
from modelzoo.sequences.intervals import Interval, Regions, read_intervals
from modelzoo.sequences.read import read_sequences
from modelzoo.sequences.records import Record, Reject, refuse
from modelzoo.sequences.seq import read_seq
from modelzoo.sequences.vcf import Variant, read_vcf

__all__ = [
    "ALPHABET",
    "AMBIGUOUS",
    "IUPAC",
    "Genome",
    "Interval",
    "Record",
    "Regions",
    "Reject",
    "Variant",
    "columns",
    "decode",
    "encode",
    "from_columns",
    "in_batches",
    "one_hot",
    "read_bed",
    "read_fasta",
    "read_intervals",
    "read_seq",
    "read_sequences",
    "read_vcf",
    "refuse",
    "reverse_complement",
    "reverse_complement_codes",
]
