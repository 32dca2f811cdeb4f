"""Sequences: letters to tensors, and files to letters."""

from modelzoo.sequences.bed import read_bed
from modelzoo.sequences.encoding import (
    ALPHABET,
    AMBIGUOUS,
    columns,
    encode,
    one_hot,
    reverse_complement,
)
from modelzoo.sequences.fasta import read_fasta
from modelzoo.sequences.read import read_sequences
from modelzoo.sequences.records import Record, Reject, refuse
from modelzoo.sequences.seq import SEQ_HEADER, read_seq

__all__ = [
    "ALPHABET",
    "AMBIGUOUS",
    "SEQ_HEADER",
    "Record",
    "Reject",
    "columns",
    "encode",
    "one_hot",
    "read_bed",
    "read_fasta",
    "read_seq",
    "read_sequences",
    "refuse",
    "reverse_complement",
]
