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
