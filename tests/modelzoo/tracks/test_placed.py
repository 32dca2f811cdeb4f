import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelzoo.sequences import Interval, one_hot, reverse_complement
from modelzoo.tracks import placed
from modelzoo.tracks.placed import averaged, columns, forward

SIZES = {"chr2": 3000, "chr1": 5000}


def by_position(intervals, values, sizes):
    """Average window by window, position by position: the definition."""
    seen = {}
    for interval, row in zip(intervals, values):
        line = row[::-1] if interval.strand == "-" else row
        for position, value in zip(range(interval.start, interval.end), line):
            if 0 <= position < sizes[interval.chrom]:
                seen.setdefault((interval.chrom, position), []).append(value)
    return {place: np.float32(np.mean(found)) for place, found in seen.items()}


def listed(tiles):
    return [
        ((chrom, int(start) + i), tile[i])
        for chrom, starts, rows in tiles
        for start, tile in zip(starts, rows)
        for i in np.flatnonzero(~np.isnan(tile))
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(list(SIZES)), st.integers(-30, 4990), st.sampled_from("+-.")),
        max_size=30,
    ),
    st.sampled_from([1, 64, 1 << 20]),
)
def test_a_position_is_the_mean_over_the_windows_that_hold_it(drawn, group):
    intervals = [Interval(chrom, start, start + 40, strand) for chrom, start, strand in drawn]
    values = np.random.default_rng(0).normal(size=(len(intervals), 40))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(placed, "GROUP", group)
        found = listed(averaged(intervals, values, SIZES))
    places = [place for place, _ in found]
    ranks = {chrom: rank for rank, chrom in enumerate(SIZES)}
    assert places == sorted(places, key=lambda place: (ranks[place[0]], place[1]))
    assert len(set(places)) == len(places)
    wanted = by_position(intervals, values, SIZES)
    assert dict(found).keys() == wanted.keys()
    for place, value in found:
        assert value == pytest.approx(wanted[place], rel=1e-6)


def test_groups_share_no_tile(monkeypatch):
    monkeypatch.setattr(placed, "GROUP", 1)
    intervals = [Interval("chr1", start, start + 10) for start in range(0, 4000, 300)]
    groups = [starts for _, starts, _ in averaged(intervals, np.ones((14, 10)), SIZES)]
    assert len(groups) > 1
    assert (np.diff(np.concatenate(groups)) > 0).all()


def test_a_chromosome_without_a_size_is_named():
    with pytest.raises(ValueError, match=r"sizes: expected one of every chromosome, .*'chrX'"):
        list(averaged([Interval("chrX", 0, 4)], np.ones((1, 4)), SIZES))


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"values: expected 4 per row of chr1:0-4, got shape"):
        list(averaged([Interval("chr1", 0, 4)], np.ones((1, 5)), SIZES))


def test_the_minus_strand_is_turned_and_complemented():
    letters = one_hot("AACGT")
    turned = forward(Interval("chr1", 0, 5, "-"), letters[0].numpy())
    assert np.array_equal(turned, reverse_complement(letters)[0].numpy())
    assert forward(Interval("chr1", 0, 3, "-"), np.arange(3)).tolist() == [2, 1, 0]
    assert forward(Interval("chr1", 0, 3, "."), np.arange(3)).tolist() == [0, 1, 2]


def test_an_unnamed_interval_is_named_by_its_place():
    assert columns([Interval("chr1", 2, 5)])["name"] == ["chr1:2-5"]
