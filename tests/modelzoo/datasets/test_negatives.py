import gzip

import numpy as np
import pytest

from modelzoo.datasets import chipseq
from modelzoo.datasets.negatives import KINDS, Both, OtherPeaks, negatives
from modelzoo.datasets.overlap import overlapping
from modelzoo.datasets.peaks import Peaks, held_out, read_peaks, shuffled
from modelzoo.files import sha256
from tests.support.peaks import fasta, planted

SETS = {"OWN": 0, "OWN-K562": 1, "LARGE": 2, "SMALL": 3}


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Four data sets of peaks of 60 bases; every third of LARGE lies at a peak of OWN."""
    rows = {name: planted(240, "GATA", seed, length=60) for name, seed in SETS.items()}
    rows["SMALL"] = rows["SMALL"][:80]
    rows["LARGE"][::3] = [row[10:] + row[:10] for row in rows["OWN"][::3]]
    sums = {}
    (tmp_path / "train").mkdir()
    for name, sequences in rows.items():
        factor, _, cell = name.partition("-")
        file = f"train/{factor}_{cell or 'HepG2'}_AC.seq.gz"
        lines = [f"A\tp{i}\t{row}\t1\n" for i, row in enumerate(sequences)]
        (tmp_path / file).write_bytes(
            gzip.compress("".join(["FoldID\tEventID\tseq\tBound\n", *lines]).encode())
        )
        sums[file] = sha256((tmp_path / file).read_bytes())
    monkeypatch.setattr(chipseq, "SHA256", sums)
    monkeypatch.setenv("MODELZOO_DATA_DIR", str(tmp_path))
    assert set(chipseq.sets("train")) == set(SETS)


def members(codes, name):
    known = set(map(bytes, read_peaks(name)))
    return np.array([bytes(row) in known for row in codes])


@pytest.mark.parametrize("held", [False, True])
def test_peaks_of_other_factors_are_drawn_evenly_from_their_own_side(sets, held):
    drawn = OtherPeaks("OWN")(np.zeros((2000, 60), np.uint8), (1,), held_out=held)
    assert (held_out(drawn) == held).all()
    large, small = members(drawn, "LARGE"), members(drawn, "SMALL")
    assert (large ^ small).all()  # none of OWN, and none of the same factor in another cell line
    assert 0.45 < large.mean() < 0.55  # though three times as many peaks are of LARGE


def test_a_peak_that_lies_at_an_own_peak_is_no_negative(sets):
    assert overlapping(read_peaks("LARGE"), ["OWN"]).sum() == 80
    drawn = OtherPeaks("OWN")(np.zeros((2000, 60), np.uint8), (1,), held_out=False)
    assert not overlapping(drawn, ["OWN"]).any()


def test_draws_follow_from_the_seed(sets):
    draw = OtherPeaks("OWN")
    first, again, other = (
        draw(np.zeros((50, 60), np.uint8), (s,), held_out=False) for s in (1, 1, 2)
    )
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_both_kinds_take_turns(sets):
    peaks = read_peaks("OWN")
    found = negatives("both", "OWN")(peaks, (3,), held_out=False)
    assert np.array_equal(found[::2], shuffled(peaks[::2], (3,)))
    assert (members(found[1::2], "LARGE") | members(found[1::2], "SMALL")).all()


def test_an_epoch_puts_peaks_against_the_chosen_negatives(sets):
    data = Peaks(["OWN"], negatives=negatives("others", "OWN"))
    for codes, labels in (data.epoch(0, 0), data.held_out):
        assert np.array_equal(members(codes, "OWN"), labels[:, 0].numpy() == 1)
        assert labels.mean() == 0.5
    assert not np.array_equal(data.epoch(0, 0)[0], data.epoch(1, 0)[0])


def test_a_run_tells_all_files_that_it_was_made_from(sets):
    both = Peaks(["OWN"], negatives=Both("OWN")).sources
    assert [path.name.partition("_")[0] for path in both] == ["OWN", "LARGE", "SMALL"]
    assert [path.name.partition("_")[0] for path in Peaks(["OWN"]).sources] == ["OWN"]


def test_peaks_of_a_user_can_be_told_from_those_of_the_data_sets(sets, tmp_path):
    source = fasta(tmp_path / "large-mine.fa", planted(30, "GATA", 9, length=60))
    drawn = negatives("others", source)(np.zeros((90, 60), np.uint8), (1,), held_out=False)
    assert not members(drawn, "LARGE").any() and members(drawn, "OWN").any()


def test_peaks_of_another_length_have_no_such_negatives(sets, tmp_path):
    source = fasta(tmp_path / "mine.fa", planted(30, "GATA", length=40))
    with pytest.raises(ValueError, match="other factors have 60 bases, got peaks of 40"):
        negatives("others", source)


def test_an_unknown_kind_names_those_there_are():
    with pytest.raises(ValueError, match=f"expected one of {', '.join(KINDS)}, got 'none'"):
        negatives("none", "GATA3")
