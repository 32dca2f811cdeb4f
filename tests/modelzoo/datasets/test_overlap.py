import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.datasets import chipseq
from modelzoo.datasets.overlap import Stretches, overlapping
from modelzoo.datasets.peaks import read_peaks
from modelzoo.sequences import encode
from tests.support.peaks import fasta, planted


def words(row, bases):
    """Return all stretches without an ambiguous base, of one strand."""
    found = (tuple(row[i : i + bases]) for i in range(len(row) - bases + 1))
    return {word for word in found if 4 not in word}


def naive(codes, others, bases):
    seen = set()
    for row in others.tolist():
        seen |= words(row, bases) | words([c if c == 4 else 3 - c for c in row[::-1]], bases)
    return [bool(words(row, bases) & seen) for row in codes.tolist()]


def arrays(letters):
    return st.tuples(st.integers(0, 5), st.integers(1, 14)).flatmap(
        lambda shape: st.lists(
            st.lists(letters, min_size=shape[1], max_size=shape[1]),
            min_size=shape[0],
            max_size=shape[0],
        ).map(lambda rows: np.array(rows, dtype=np.uint8).reshape(shape))
    )


# few letters, so that sequences share something
@settings(deadline=None, max_examples=200)
@given(arrays(st.sampled_from([0, 0, 3, 1, 4])), arrays(st.integers(0, 4)), st.integers(2, 8))
def test_what_is_shared_is_what_a_loop_over_all_stretches_finds(codes, others, bases):
    assert Stretches(codes, bases).shared_with(others).tolist() == naive(codes, others, bases)


@pytest.mark.parametrize("bases", [39, 40])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_long_stretch_is_found_wherever_it_lies_and_one_base_less_is_not(bases, reverse):
    rng = np.random.default_rng(bases)
    codes, others = rng.integers(0, 4, (2, 300, 101), dtype=np.uint8)
    for row, (start, there) in enumerate(rng.integers(1, 101 - bases, (300, 2))):
        stretch = codes[row, start : start + bases].copy()
        others[row, there : there + bases] = 3 - stretch[::-1] if reverse else stretch
        if row % 2:
            others[row, there] = 4  # too short by the first base
            others[row, there + bases] = 4
    found = Stretches(codes, bases).shared_with(others)
    assert found.tolist() == naive(codes, others, bases) == [True, False] * 150


@pytest.mark.parametrize("bases", [1, 41])
def test_stretches_have_a_length_that_fits(bases):
    with pytest.raises(ValueError, match=f"bases: expected 2 to 40, got {bases}"):
        Stretches(np.zeros((1, 50), dtype=np.uint8), bases)


def test_peaks_of_several_sources_count(tmp_path):
    rows = planted(9, "GATA", length=60)
    files = [fasta(tmp_path / f"{i}.fa", rows[i : i + 2]) for i in (0, 4)]
    found = overlapping(encode(rows), files)
    assert found.nonzero()[0].tolist() == [0, 1, 4, 5]
    assert not overlapping(encode(rows), []).any()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_many_peaks_of_unseen_factors_lie_where_a_training_peak_lies():
    unseen = {name: read_peaks(chipseq.file("ood", name)) for name in chipseq.OOD_FACTORS}
    assert {len(codes) for codes in unseen.values()} == {500}
    training = {name: read_peaks(name) for name in chipseq.sets("train")}
    started = time.process_time()
    stretches = Stretches(np.concatenate(list(unseen.values())))
    shared = {name: stretches.shared_with(codes) for name, codes in training.items()}
    assert time.process_time() - started < 10

    def counts(names):
        every = np.any([shared[name] for name in names], axis=0).reshape(len(unseen), 500)
        return dict(zip(unseen, every.sum(1).tolist()))

    assert counts(chipseq.FACTORS) == {
        "BCLAF1": 211,
        "CTCF": 293,
        "POLR2A": 94,
        "RBBP5": 42,
        "SAP30": 51,
        "STAT3": 71,
    }
    assert counts(training)["BCLAF1"] == 376
