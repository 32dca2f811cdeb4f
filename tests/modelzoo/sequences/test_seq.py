import pytest

from modelzoo.sequences import Record, read_seq, read_sequences

HEADER = "FoldID\tEventID\tseq\tBound\n"


def test_seq_file_is_read(write):
    path = write("a.seq", HEADER + "A\tseq_1_peak\tACGT\t1\r\n\nB\tseq_1_shuf\tacgn\t0\n")
    records = [Record("seq_1_peak", "ACGT", 1), Record("seq_1_shuf", "acgn", 0)]
    assert list(read_sequences(path)) == records


def test_seq_file_of_a_header_alone_holds_nothing(write):
    assert list(read_seq(write("a.seq", HEADER))) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: .*an empty file"),
        ("Fold\tseq\nA\tACGT\n", r"line 1: expected the header .*got \('Fold', 'seq'\)"),
        (HEADER + "A\tx\tACGT\n", "line 2: expected 4 columns, got 3"),
        (HEADER + "A\tx\tACGT\t2\n", "line 2: expected Bound to be 0 or 1, got '2'"),
        (HEADER + "A\tx\tACGT\t1\nA\tx\tCCCC\t0\n", "line 3: .*every EventID once, got 'x' again"),
        (HEADER + "A\tx\tAC*T\t1\n", r"line 2: .*got '\*' at position 2 of 'x'"),
        (HEADER + "A\tx\t\t1\n", "line 2: expected a sequence for 'x', got none"),
    ],
)
def test_seq_file_errors_name_file_line_and_cause(write, text, message):
    path = write("a.seq", text)
    with pytest.raises(ValueError, match=f"{path.name}, {message}"):
        list(read_seq(path))
