import numpy as np
import pytest

from modelzoo.datasets.planted import Simulation, simulations
from tests.support.planted import OWN


def slow_hits(text, motif, threshold):
    """Windows of a sequence that score above a threshold, letter by letter, on both strands."""
    floor = np.maximum(motif.matrix, 0.01)
    odds = {base: np.log(floor[i] / 0.25) for i, base in enumerate("ACGT")}
    best = sum(max(odds[base][j] for base in "ACGT") for j in range(motif.width))
    complement = text.translate(str.maketrans("ACGT", "TGCA"))
    for start in range(len(text) - motif.width + 1):
        window = text[start : start + motif.width]
        turned = complement[start : start + motif.width][::-1]
        for seen in (window, turned):
            if sum(odds[base][j] for j, base in enumerate(seen)) > threshold * best:
                yield start, start + motif.width


@pytest.mark.parametrize("name", simulations())
def test_no_match_but_the_planted_ones(name):
    simulation = Simulation.load(name)
    batch = simulation.sample(60, seed=5)
    planted = {row: [] for row in range(len(batch))}
    for row, _, start, stop, _ in batch.instances():
        planted[row].append((start, stop))
    for row, text in enumerate(batch.strings()):
        for motif in simulation.motifs:
            for start, stop in slow_hits(text, motif, 0.9):
                assert any(a <= start and stop <= b for a, b in planted[row])


def test_the_slow_scan_finds_matches_where_the_background_is_not_cleaned():
    """The oracle above can fail: without the redrawing, one background in seven holds a match."""
    e2f6 = Simulation.load("e2f6")
    codes = np.random.default_rng(0).integers(0, 4, (80, 500))
    texts = ["".join("ACGT"[c] for c in row) for row in codes]
    assert sum(any(any(slow_hits(t, m, 0.9)) for m in e2f6.motifs) for t in texts) > 4


def test_gc_content_of_the_background():
    simulation = Simulation.load("rest")
    for gc in (0.05, 0.3, 0.5, 0.95):
        batch = simulation.sample(400, seed=9, positives=0, gc=gc)
        plain = batch.codes[(batch.motifs < 0).all(axis=1)]
        assert np.isin(plain, [1, 2]).mean() == pytest.approx(gc, abs=0.01)
        counts = np.bincount(plain.ravel(), minlength=4) / plain.size
        assert counts[0] == pytest.approx(counts[3], abs=0.01)
        assert counts[1] == pytest.approx(counts[2], abs=0.01)


def test_motifs_too_common_to_avoid_are_an_error_not_an_endless_loop():
    text = OWN.replace("WGATAR", "GA")
    with pytest.raises(ValueError, match="threshold: hardly any background"):
        Simulation.from_toml(text).sample(50, seed=0)
