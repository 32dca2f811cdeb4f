"""Uploads: what is read, and what is left out and why."""

import pytest

from modelzoo.app import records
from modelzoo.sequences import Record


def test_a_record_that_cannot_be_used_is_left_out_and_named():
    found, wrong = records.read(b">a\nACGT\n>b\nAC?T\n>c\n" + b"A" * 10_001 + b"\n")
    assert [record.name for record in found] == ["a"]
    assert "got '?' at position 2 of 'b'" in wrong[0]
    assert wrong[1] == "'c' has 10,001 letters; expected 10,000 at most"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file: expected FASTA records, got none"),
        (b"ACGT\n", "file: line 1: expected a record to begin with '>'"),
        (b"\x1f\x8b\x08" + bytes(20), "file: expected text, got a compressed file"),
        (b">a\n" + b"A" * records.BYTES, "file: expected 5,000,000 bytes at most"),
        (b">a\nA\n" * 1001, "file: expected 1,000 records at most, got 1,001"),
    ],
)
def test_a_file_with_nothing_to_show_is_refused(content, message):
    with pytest.raises(ValueError, match=message):
        records.read(content)


def test_pieces_hold_one_length_and_keep_the_order():
    given = [Record(str(i), "A" * length) for i, length in enumerate([5, 5, 7, 9000, 9000, 5])]
    pieces = list(records.pieces(given))
    assert [[len(record.sequence) for record in piece] for piece in pieces] == [
        [5, 5], [7], [9000], [9000], [5],
    ]  # fmt: skip
    assert [record for piece in pieces for record in piece] == given
