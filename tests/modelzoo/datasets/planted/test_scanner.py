import numpy as np
import pytest

from modelzoo.datasets.planted import Simulation, match_scores
from tests.support.planted import OWN


@pytest.mark.parametrize("score", ["log-odds", "mean-probability"])
def test_the_scanner_agrees_with_the_scores_it_is_defined_by(score):
    text = f'score = "{score}"\nthreshold = 0.8\n' + OWN.replace("threshold = 0.95\n", "")
    simulation = Simulation.from_toml(text)
    batch = simulation.sample(2000, seed=6, positives=0)
    for motif in simulation.motifs:
        for turned in (False, True):
            assert match_scores(batch.codes, motif, score, reverse_complement=turned).max() <= 0.8


def test_match_scores_by_hand():
    simulation = Simulation.from_toml(OWN)
    gata = simulation.motifs[0]  # WGATAR
    codes = np.array([["ACGT".index(b) for b in "AGATAACTATCT"]], dtype=np.uint8)
    forward = match_scores(codes, gata)
    turned = match_scores(codes, gata, reverse_complement=True)
    assert forward[0, 0] == pytest.approx(1)
    assert forward[0, 1:].max() < 0.9
    assert turned[0, 6] == pytest.approx(1)  # CTATCT: reverse complement of AGATAG
    probability = match_scores(codes, gata, "mean-probability")
    assert probability[0, 0] == pytest.approx((0.5 + 4 + 0.5) / 6)
