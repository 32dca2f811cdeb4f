import pandas
import pytest

from modelzoo.sequences import Interval, read_intervals
from modelzoo.tracks.hits import notable, placed_hits, write_hits

WINDOWS = [
    Interval("chr2", 100, 120, "+"),
    Interval("chr1", 200, 220, "-"),
    Interval("chr1", 205, 225, "."),
    Interval("chr1", -3, 17, "."),
]


def hits(*rows):
    names = ["sequence", "start", "stop", "motif", "strand", "attribution", "p_value"]
    return pandas.DataFrame(rows, columns=names)


def test_hits_are_placed_on_the_forward_strand():
    found = placed_hits(
        hits((0, 2, 9, "GATA", "-", 1.5, 1e-5), (1, 2, 9, "GATA", "+", 2.0, 1e-4)), WINDOWS
    )
    assert found[["chrom", "start", "end", "strand", "attribution", "p_value"]].values.tolist() == [
        ["chr1", 211, 218, "-", 2.0, 1e-4],
        ["chr2", 102, 109, "-", 1.5, 1e-5],
    ]


def test_a_hit_in_two_windows_is_one_hit_with_the_mean():
    found = placed_hits(
        hits((1, 2, 9, "GATA", "+", 2.0, 1e-4), (2, 6, 13, "GATA", "-", 1.0, 1e-4)), WINDOWS
    )
    assert found[["start", "end", "attribution", "windows"]].values.tolist() == [[211, 218, 1.5, 2]]


def test_a_hit_ends_at_the_chromosomes_start():
    assert placed_hits(hits((3, 1, 8, "GATA", "+", 1, 1)), WINDOWS)["start"].tolist() == [0]


def test_seqlets_have_no_strand():
    table = hits((0, 2, 9, "", "+", -1.0, 0.01)).drop(columns=["motif", "strand"])
    found = placed_hits(table, WINDOWS)
    assert found[["name", "strand"]].values.tolist() == [["seqlet", "."]]


def test_the_files_are_bed6_and_tsv(tmp_path):
    found = placed_hits(
        hits((0, 2, 9, "GATA", "-", -1.5, 1e-5), (1, 2, 9, "A\tB", "+", 3.0, 1e-4)), WINDOWS
    )
    bed = write_hits(found, tmp_path / "hits.tsv")
    assert pandas.read_csv(tmp_path / "hits.tsv", sep="\t")["attribution"].tolist() == [3.0, -1.5]
    rows = pandas.read_csv(bed, sep="\t", header=None)
    assert rows[4].tolist() == [1000, 500]
    assert rows.shape == (2, 6)


def test_bed_is_read_back_as_intervals(tmp_path):
    bed = write_hits(placed_hits(hits((0, 2, 9, "G", "-", 1, 1)), WINDOWS), tmp_path / "h.tsv")
    assert list(read_intervals(bed)) == [Interval("chr2", 102, 109, "-", "G")]


def test_no_hits_are_empty_files(tmp_path):
    bed = write_hits(placed_hits(hits(), WINDOWS), tmp_path / "hits.tsv")
    assert bed.read_text() == ""
    assert (tmp_path / "hits.tsv").read_text().startswith("chrom\tstart\tend\tname\t")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_order_of_windows_does_not_matter(order):
    rows = [(1, 2, 9, "G", "+", 2.0, 1e-4), (2, 6, 13, "G", "-", 1.0, 1e-3)]
    found = placed_hits(hits(*(rows[i] for i in order)), WINDOWS)
    assert found[["attribution", "p_value"]].values.tolist() == [[1.5, 1e-4]]


ORDER = ["chrom", "start", "end", "name", "attribution", "strand", "p_value", "windows"]
GATA = ("chr8", 110, 118, "GATA3", 4.0, "+", 1e-5, 1)


def names(*rows):
    found = notable(pandas.DataFrame(rows, columns=ORDER), Interval("chr8", 100, 175))
    return found["name"].tolist()


def test_of_motifs_that_overlap_the_one_with_most_per_position_is_notable():
    wide = ("chr8", 105, 135, "WIDE", 5.0, "+", 1e-5, 1)
    apart = ("chr8", 140, 148, "SPI1", -2.0, "-", 1e-5, 1)
    assert names(wide, apart, GATA) == ["GATA3", "SPI1"]


@pytest.mark.parametrize(
    "row",
    [
        ("chr9", *GATA[1:]),
        ("chr8", 120, 128, "seqlet", *GATA[4:]),
        ("chr8", 95, 103, "CUT", *GATA[4:]),
        ("chr8", 130, 138, "WEAK", 0.9, "+", 1e-5, 1),
    ],
)
def test_what_is_not_notable(row):
    assert names(GATA, row) == ["GATA3"]


def test_there_are_eight_notable_motifs_at_most_or_none():
    many = [("chr8", 100 + 8 * i, 108 + 8 * i, f"m{i}", 1.0, "+", 1e-5, 1) for i in range(9)]
    assert len(names(*many)) == 8
    assert names() == []
