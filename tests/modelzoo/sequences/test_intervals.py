import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelzoo.sequences import Interval, Regions, read_intervals


def test_ten_columns_are_a_narrow_peak_whatever_the_file_is_called(write):
    line = "chr1\t100\t400\tp1\t0\t.\t5.1\t3.2\t-1\t{}\n"
    path = write("peaks.bed", line.format(120) + line.format(-1))
    assert [peak.summit for peak in read_intervals(path)] == [220, None]


def test_a_broad_peak_has_no_summit(write):
    path = write("a.broadPeak", "chr1\t100\t400\tp1\t0\t-\t5.1\t3.2\t-1\n")
    assert list(read_intervals(path)) == [Interval("chr1", 100, 400, "-", "p1")]


def test_bed_may_be_separated_by_spaces(write):
    assert list(read_intervals(write("a.bed", "chr1 5  9\n"))) == [Interval("chr1", 5, 9)]


@pytest.mark.parametrize("name", ["track", "browser", "track_1"])
def test_a_chromosome_may_be_called_as_a_browser_line(write, name):
    for between in "\t", " ":
        line = between.join([name, "5", "9"])
        path = write("a.bed", f"track name=x\ntrack\nbrowser position chr1:1-2\n{line}\n")
        assert list(read_intervals(path)) == [Interval(name, 5, 9)]


def test_tables_are_read_by_their_header(write):
    text = 'gene,end,start,chrom,strand,name,summit\nx,9,5,chr1,-,"a,b",7\ny,4,2,chr2,,,\n'
    assert list(read_intervals(write("a.csv", text))) == [
        Interval("chr1", 5, 9, "-", "a,b", 7),
        Interval("chr2", 2, 4),
    ]
    tabs = write("a.tsv", "#chrom\tstart\tend\nchr1\t5\t9\n")
    assert list(read_intervals(tabs)) == [Interval("chr1", 5, 9)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.bed", "chr1\t5\t9\tp\t0\tx\n", "line 1: expected the strand to be ., - or ., got 'x'"),
        ("a.bed", "chr1\t1_0\t20\n", "line 1: expected integers, got '1_0', '20'"),
        ("a.bed", "chr1\t٣\t20\n", "line 1: expected integers"),
        ("a.bed", "chr1\t5\n", r"line 1: expected chrom, start, end, got 2 column\(s\)"),
        (
            "a.narrowPeak",
            "chr1\t5\t9\tp\t0\t.\t1\t1\t1\t4\n",
            "line 1: expected the summit inside chr1:5-9, got 9",
        ),
        (
            "a.narrowPeak",
            "chr1\t5\t9\tp\t0\t.\t1\t1\t1\tx\n",
            "line 1: expected the summit's distance from the start, got 'x'",
        ),
        ("a.tsv", "chrom\tbegin\tend\n", "expected a header with .*, got one without start"),
        ("a.tsv", "chrom\tstart\tend\nchr1\t5\n", "line 2: expected 3 columns, got 2"),
    ],
)
def test_errors_name_file_line_and_cause(write, name, text, message):
    path = write(name, text)
    with pytest.raises(ValueError, match=f"{path.name}, .*{message}"):
        list(read_intervals(path))


def test_a_window_lies_around_the_summit_or_the_middle():
    peak = Interval("chr1", 100, 400, summit=130)
    assert peak.window(5)[1:3] == (128, 133)
    assert peak.window(5, "middle")[1:3] == (248, 253)
    assert Interval("chr1", 100, 400).window(5)[1:3] == (248, 253)
    with pytest.raises(ValueError, match="center: expected a summit, got none for chr1:1-2"):
        Interval("chr1", 1, 2).window(5, "summit")
    with pytest.raises(ValueError, match="width: expected at least 1, got 0"):
        peak.window(0)


spans = st.tuples(st.integers(0, 60), st.integers(1, 30)).map(lambda p: (p[0], p[0] + p[1]))


@given(st.lists(spans, max_size=8), spans)
def test_regions_overlap_what_shares_a_position_with_one_of_them(listed, span):
    regions = Regions(Interval("chr1", *pair) for pair in listed)
    shared = any(set(range(*pair)) & set(range(*span)) for pair in listed)
    assert regions.overlap(Interval("chr1", *span)) == shared
    assert not regions.overlap(Interval("chr2", *span))
