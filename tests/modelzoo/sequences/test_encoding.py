import gzip

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelzoo.sequences import (
    Record,
    one_hot,
    read_bed,
    read_fasta,
    read_seq,
    read_sequences,
    reverse_complement,
)

HEADER = "FoldID\tEventID\tseq\tBound\n"
AMBIGUOUS = "NRYSWKMBDHV"


def one_hot_by_loop(sequences):
    x = np.zeros((len(sequences), 4, len(sequences[0])), dtype=np.float32)
    for n, sequence in enumerate(sequences):
        for i, letter in enumerate(sequence.upper().replace("U", "T")):
            x[n, :, i] = [letter == base for base in "ACGT"] if letter in "ACGT" else 0.25
    return x


def complement_by_loop(sequence):
    pairs = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN"))
    return "".join(pairs[letter] for letter in reversed(sequence))


@given(st.data(), st.integers(0, 30))
def test_one_hot_is_what_a_loop_over_bases_gives(data, length):
    letters = st.text(
        alphabet="ACGTUacgtu" + AMBIGUOUS + AMBIGUOUS.lower(), min_size=length, max_size=length
    )
    sequences = data.draw(st.lists(letters, min_size=1, max_size=5))
    x = one_hot(sequences)
    assert x.dtype == torch.float32 and x.is_contiguous()
    np.testing.assert_array_equal(x.numpy(), one_hot_by_loop(sequences))


def test_one_string_is_a_batch_of_one():
    assert torch.equal(one_hot("ACGT"), torch.eye(4)[None])


def test_no_sequences_are_an_empty_batch():
    assert one_hot([]).shape == (0, 4, 0)


@pytest.mark.parametrize("sequences", [["AC-T"], ["ACé"], ["AC", "A "], ["AXC"]])
def test_a_letter_that_is_no_nucleotide_is_named_with_its_place(sequences):
    wrong = next(c for s in sequences for c in s if c not in "ACGT")
    with pytest.raises(ValueError, match=rf"got {wrong!r} at position \d of index"):
        one_hot(sequences)


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError, match="got 4 at index 0 and 2 at index 1"):
        one_hot(["ACGT", "AC"])


def test_what_is_no_string_is_refused():
    with pytest.raises(TypeError, match="got bytes at index 1"):
        one_hot(["ACGT", b"ACGT"])


@given(st.text(alphabet="ACGTN", max_size=20))
def test_reverse_complement_is_the_other_strand(sequence):
    other = complement_by_loop(sequence)
    assert torch.equal(reverse_complement(one_hot(sequence)), one_hot(other))


@pytest.fixture(params=[False, True], ids=["plain", "gzipped"])
def write(request, tmp_path):
    def write(name, text):
        packed = request.param
        path = tmp_path / (name + ".gz" * packed)
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        return path

    return write


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


def test_truncated_gzip_is_named_after_what_came_before_it(tmp_path):
    rng = np.random.default_rng(0)
    rows = ["".join(rng.choice(list("ACGT"), 101)) for _ in range(3000)]
    text = HEADER + "".join(f"A\tseq_{i}\t{row}\t1\n" for i, row in enumerate(rows))
    path = tmp_path / "a.seq.gz"
    whole = gzip.compress(text.encode())
    path.write_bytes(whole[: len(whole) // 2])
    seen = []
    with pytest.raises(ValueError, match=r"a\.seq\.gz, line \d+: the gzip file is truncated"):
        seen.extend(record.sequence for record in read_seq(path))
    damaged = bytearray(whole)
    damaged[-6] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="the gzip file is damaged"):
        list(read_seq(path))


def test_bytes_that_are_no_text_are_named(tmp_path):
    path = tmp_path / "a.fa"
    path.write_bytes(b">a\n\xff\xfe\n")
    with pytest.raises(ValueError, match=r"a\.fa, line 2: expected UTF-8 text"):
        list(read_fasta(path))


def test_reading_is_lazy(tmp_path):
    path = tmp_path / "a.fa"
    path.write_text(">a\nAC\n>b\nAC\n>c\nA!\n")
    assert next(read_fasta(path)).name == "a"


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">chr1 of a toy\nAACCGG\nTTACGT\n>chr2\nGATTACA\n")
    return path


def test_bed_intervals_are_cut_from_the_genome(write, genome):
    bed = write(
        "a.bed",
        "track name=x\n#chrom\nchr1\t1\t7\nchr2\t0\t4\tpeak\t0\t-\nchr2\t0\t4\tpeak\t0\t+\n",
    )
    assert list(read_sequences(bed, genome)) == [
        Record("chr1:1-7", "ACCGGT"),
        Record("peak", "AATC"),
        Record("peak", "GATT"),
    ]


def test_bed_width_recentres_and_reads_n_beyond_the_chromosome(write, genome):
    bed = write("a.bed", "chr2\t0\t2\nchr2\t5\t7\n")
    sequences = [record.sequence for record in read_bed(bed, genome, width=5)]
    assert sequences == ["NGATT", "ACANN"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chr1\t0\n", r"line 1: expected chrom, start, end, got 2 column\(s\)"),
        ("chr1\t0\t2\nchr1\tx\t2\n", "line 2: expected integers, got 'x', '2'"),
        ("chr9\t0\t2\n", "line 1: no chromosome 'chr9' in .*genome.fa"),
        ("chr2\t3\t3\n", "line 1: expected 0 <= start < end <= 7, got 3, 3"),
        ("chr2\t3\t8\n", "line 1: expected 0 <= start < end <= 7, got 3, 8"),
        ("chr2\t-1\t3\n", "line 1: expected 0 <= start < end <= 7, got -1, 3"),
    ],
)
def test_bed_errors_name_file_line_and_cause(write, genome, text, message):
    path = write("a.bed", text)
    with pytest.raises(ValueError, match=f"{path.name}, {message}"):
        list(read_bed(path, genome))


def test_bed_needs_a_genome_that_is_there(tmp_path):
    bed = tmp_path / "a.bed"
    bed.write_text("chr1\t0\t1\n")
    with pytest.raises(ValueError, match="genome: expected a FASTA file"):
        read_sequences(bed)
    with pytest.raises(FileNotFoundError, match="genome: no such file"):
        list(read_sequences(bed, tmp_path / "none.fa"))


def test_a_name_of_no_known_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path: expected \.seq, .*got .*a\.txt"):
        read_sequences(tmp_path / "a.txt")
