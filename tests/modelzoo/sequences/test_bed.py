import pytest

from modelzoo.sequences import Interval, Record, read_bed, read_sequences


def test_bed_intervals_are_cut_from_the_genome(write, genome):
    bed = write(
        "a.bed",
        "track name=x\n#chrom\nchr1\t1\t7\nchr2\t0\t4\tpeak\t0\t-\nchr2\t0\t4\tpeak\t0\t+\n",
    )
    assert list(read_sequences(bed, genome)) == [
        Record("chr1:1-7", "ACCGGT", None, Interval("chr1", 1, 7)),
        Record("peak", "AATC", None, Interval("chr2", 0, 4, "-", "peak")),
        Record("peak", "GATT", None, Interval("chr2", 0, 4, "+", "peak")),
    ]


def test_bed_width_recentres_and_reads_n_beyond_the_chromosome(write, genome):
    bed = write("a.bed", "chr2\t0\t2\nchr2\t5\t7\n")
    records = list(read_bed(bed, genome, width=5))
    assert [record.sequence for record in records] == ["NGATT", "ACANN"]
    assert [record.interval for record in records] == [
        Interval("chr2", -1, 4),
        Interval("chr2", 4, 9),
    ]


def test_windows_of_a_narrow_peak_lie_around_its_summit(write, genome):
    peaks = write("a.narrowPeak", "chr1\t0\t12\tp\t0\t.\t1\t1\t1\t2\n")
    (summit,) = read_bed(peaks, genome, width=3)
    (middle,) = read_bed(peaks, genome, width=3, center="middle")
    assert (summit.sequence, middle.sequence) == ("ACC", "GTT")


def test_chromosomes_of_other_names_end_the_reading(write, genome):
    bed = write("a.bed", "1\t0\t2\n" * 3)
    with pytest.raises(LookupError, match="got '1' for its 'chr1'"):
        list(read_bed(bed, genome, reject=lambda error: None))


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


def test_a_window_has_a_base_at_least(write, genome):
    with pytest.raises(ValueError, match="width: expected at least 1, got 0"):
        list(read_bed(write("a.bed", "chr1\t0\t4\n"), genome, width=0))
