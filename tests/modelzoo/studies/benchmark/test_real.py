"""What is made of real peaks keeps what it should keep."""

import os

import numpy as np
import pytest

from modelzoo.studies.benchmark import real
from modelzoo.studies.benchmark.drawn import FLANK
from modelzoo.studies.benchmark.sets import positives

pytestmark = pytest.mark.skipif(
    "MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR"
)


def dinucleotides(row):
    return np.bincount(4 * row[:-1].astype(int) + row[1:], minlength=16).tolist()


def test_negatives_are_shuffles_of_the_peaks():
    one = real.peaks("validation", 12, 0)
    for peak, shuffle in zip(one.codes[:6], one.codes[6:]):
        assert dinucleotides(peak) == dinucleotides(shuffle)
    assert one.labels.tolist() == [1] * 6 + [0] * 6


def test_splits_share_no_peak():
    train, validation = ({row.tobytes() for row in real.real_peaks(s, 400, 0)} for s in
                         ("train", "validation"))  # fmt: skip
    assert len(train) == 400 and not train & validation


@pytest.mark.slow  # numba compiles FIMO
def test_hits_are_known_of_test_peaks_alone():
    one = real.peaks("test", 60, 0)
    assert one.truth[one.labels == 1].any(1).mean() > 0.1 and not one.truth[one.labels == 0].any()
    chosen = positives(one, 5)
    assert len(chosen) == 5 and chosen.window(chosen.truth).any(1).all()
    assert not real.peaks("validation", 8, 0).truth.any()


def test_positives_in_shuffles_hold_sites_and_negatives_none():
    one = real.shuffles("validation", 20, 0)
    assert one.codes.shape == (20, real.SHUFFLED + 2 * FLANK)
    assert (one.truth.any(1) == one.labels).all()
