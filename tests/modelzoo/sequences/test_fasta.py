import os
import resource
import threading
from contextlib import suppress

import pytest

from modelzoo.sequences import Record, read_fasta, read_sequences


def test_fasta_joins_lines_keeps_repeats_and_ragged_lengths(write):
    path = write("a.fa", ">one first\nACGT\nac\n\n>one\nN\n")
    assert list(read_sequences(path)) == [Record("one", "ACGTac"), Record("one", "N")]


def test_empty_fasta_holds_nothing(write):
    assert list(read_fasta(write("a.fa", ""))) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ACGT\n", "line 1: expected a record to begin with '>', got 'ACGT'"),
        (">a\nAC\n>\nAC\n", "line 3: expected a name after '>', got none"),
        (">a\nAC\n>b\n", "line 3: expected a sequence for 'b', got none"),
        (">a\nAC\n>b\nAC\nA!C\n", "line 3: .*got '!' at position 3 of 'b'"),
    ],
)
def test_fasta_errors_name_file_line_and_cause(write, text, message):
    path = write("a.fasta", text)
    with pytest.raises(ValueError, match=f"{path.name}, {message}"):
        list(read_fasta(path))


def test_reading_is_lazy(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nAC\n>b\nAC\n>c\nA!\n")
    assert next(read_fasta(path)).name == "a"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (b">\nACGT\n", "line 3: expected a name after '>', got none"),
        (b">caf\xe9\nACGT\n", "line 3: expected UTF-8 text"),
        (b">a\0b\nACGT\n", r"line 3: expected a name without control characters, got 'a\x00b'"),
        (b">\n", "line 3: expected a name after '>', got none"),
    ],
)
def test_a_wrong_record_is_named_and_the_others_are_read(tmp_path, wrong, message):
    path = tmp_path / "a.fa"
    path.write_bytes(b">one\nAC\n" + wrong + b">two\nGT\n")
    rejected = []
    records = list(read_fasta(path, reject=rejected.append))
    assert [record.name for record in records] == ["one", "two"]
    assert [str(error) for error in rejected] == [f"{path}, {message}"]


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["one line", "many lines"])
def test_a_sequence_without_an_end_is_refused_in_bounded_memory(tmp_path, end):
    read, write = os.pipe()
    endless = threading.Thread(target=_pour, args=(write, b"ACGT" * 16000 + end), daemon=True)
    endless.start()
    path = f"/dev/fd/{read}"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"to end within 268,435,456"):
        list(read_fasta(path))
    os.close(read)
    endless.join(10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def _pour(pipe, data):
    with suppress(BrokenPipeError), open(pipe, "wb", buffering=0) as file:
        file.write(b">endless\n")
        while True:
            file.write(data)
