import numpy as np
import pytest

from modelzoo.attribution.hits import motif_hits, seqlets
from modelzoo.motifs import Motif
from modelzoo.sequences import encode

RNG = np.random.default_rng(0)
NOISE = RNG.laplace(size=(60, 100)) * 0.1
CONTROL = RNG.laplace(size=(240, 100)) * 0.1


@pytest.fixture(scope="module")
def planted():
    """A span that speaks for and one that speaks against in every sequence."""
    signal = NOISE.copy()
    signal[:, 40:50] += 1
    signal[:, 70:78] -= 1
    return signal


@pytest.mark.slow  # numba compiles the algorithm
@pytest.mark.xdist_group("numba")
def test_planted_spans_are_seqlets_with_their_sums(planted):
    found = seqlets(planted, CONTROL)
    for sign, first, last in ((1, 40, 50), (-1, 70, 78)):
        hits = found[np.sign(found["attribution"]) == sign]
        inside = hits[(hits["start"] < last) & (hits["stop"] > first)]
        assert set(inside["sequence"]) == set(range(60))
        assert len(inside) >= 0.9 * len(hits)  # the rate that was asked for
    for row, start, stop, attribution in found.iloc[:, :4].itertuples(index=False):
        assert attribution == pytest.approx(planted[row, start:stop].sum())


@pytest.mark.slow  # numba compiles the algorithm
@pytest.mark.xdist_group("numba")
def test_noise_has_no_seqlet_at_a_low_rate():
    assert len(seqlets(NOISE, CONTROL, fdr=0.05)) == 0


@pytest.mark.slow  # numba compiles the algorithm
@pytest.mark.xdist_group("numba")
def test_without_a_control_noise_has_some():
    assert len(seqlets(NOISE)) > 0


@pytest.mark.slow  # numba compiles the algorithm
@pytest.mark.xdist_group("numba")
def test_seqlets_do_not_overlap(planted):
    covered = np.zeros(planted.shape, int)
    for row, start, stop in seqlets(planted, CONTROL).iloc[:, :3].itertuples(index=False):
        covered[row, start:stop] += 1
    assert covered.max() == 1


def test_a_motif_hit_has_the_sum_over_its_letters():
    codes = encode(["ACGTACAGATAAGACCGTAC", "TCTTATCTGTACGTACGTTT"])
    letters = np.eye(4)[encode("CAGATAAGA")[0]] * 0.97 + 0.01
    projected = np.arange(40.0).reshape(2, 20)
    found = motif_hits(
        [Motif("GATA", (letters / letters.sum(1, keepdims=True)).T)], codes, projected
    )
    assert list(zip(found["sequence"], found["start"], found["strand"])) == [
        (0, 5, "+"),
        (1, 0, "-"),
    ]
    assert found["attribution"].tolist() == [projected[0, 5:14].sum(), projected[1, :9].sum()]
