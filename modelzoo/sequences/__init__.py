"""Sequences: letters to tensors, and files to letters."""

from modelzoo.sequences.encoding import (
    ALPHABET,
    AMBIGUOUS,
    SEQ_HEADER,
    Record,
    Reject,
    batched,
    columns,
    encode,
    one_hot,
    read_bed,
    read_fasta,
    read_seq,
    read_sequences,
    refuse,
    reverse_complement,
)

__all__ = [
    "ALPHABET",
    "AMBIGUOUS",
    "SEQ_HEADER",
    "Record",
    "Reject",
    "batched",
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
