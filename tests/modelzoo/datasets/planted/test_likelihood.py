"""The likelihood ratio of a simulation, against sums over everything that it can draw."""

import itertools
from collections import Counter

import numpy as np
import pytest

from modelzoo.datasets.planted import Simulation, log_likelihood_ratio, match_scores

MOTIFS = """
length = 7
region = 5
threshold = {threshold}
gc = {gc}
[motifs.A]
pfm = [[7, 1], [1, 1], [1, 7], [1, 1]]
[motifs.B]
pfm = [[2], [1], [1], [6]]
"""
ALONE = """
[[positives]]
share = 0.4
motifs = ["A"]
[[positives]]
share = 0.6
motifs = ["A", "B"]
spacing = [0, 1]
rigid = {rigid}
[[negatives]]
share = 0.5
motifs = ["B"]
[[negatives]]
share = 0.5
motifs = []
"""


def enumerated(simulation, arrangements):
    """p(x | label) by walking through every draw: strand, order, gap, place, instance, background.

    As the simulation does it, with a slow scan: an instance is drawn first, then its background
    until it is clean.
    """
    gc, length = simulation.gc, simulation.length
    background = np.array([1 - gc, gc, gc, 1 - gc]) / 2
    everything = np.array(list(itertools.product(range(4), repeat=length)), dtype=np.uint8)
    scores = [
        (start, start + motif.width, row[:, start] > simulation.threshold)
        for motif in simulation.motifs
        for turned in (False, True)
        for row in [match_scores(everything, motif, simulation.score, reverse_complement=turned)]
        for start in range(length - motif.width + 1)
    ]
    chances = Counter()
    for arrangement in arrangements:
        for share, slots in layouts(simulation, arrangement):
            clean = np.ones(len(everything), dtype=bool)
            for start, stop, hit in scores:
                if not any(a <= start and stop <= b for a, b, _ in slots):
                    clean &= ~hit
            fixed = np.zeros(length, dtype=bool)
            p_instance = np.ones(len(everything))
            for a, b, matrix in slots:
                fixed[a:b] = True
                p_instance *= matrix[everything[:, a:b], np.arange(b - a)].prod(1)
            p_background = background[everything[:, ~fixed]].prod(1) * clean
            instance = everything[:, fixed] @ 4 ** np.arange(fixed.sum())
            kept = np.bincount(instance.astype(int), p_background)  # P(clean | instance)
            p = share * p_instance * p_background / np.maximum(kept[instance.astype(int)], 1e-300)
            for row in np.flatnonzero(p):
                chances[row] += arrangement.share * p[row]
    return everything, np.array([chances[row] for row in range(len(everything))])


def layouts(simulation, arrangement):
    """(probability, [(start, stop, matrix), ...]) of every way to plant an arrangement."""
    motifs = [simulation.motifs[m].matrix for m in arrangement.motifs]
    if not motifs:
        yield 1.0, []
        return
    turned = [m[::-1, ::-1] for m in motifs]
    if arrangement.rigid:
        ways = [motifs, turned[::-1]]
    else:
        ways = [
            [(turned if back[i] else motifs)[i] for i in order]
            for order in itertools.permutations(range(len(motifs)))
            for back in itertools.product((0, 1), repeat=len(motifs))
        ]
    gaps = arrangement.spacings if len(motifs) == 2 else [0]
    first = (simulation.length - simulation.region) // 2
    for way, gap in itertools.product(ways, gaps):
        span = sum(m.shape[1] for m in way) + gap * (len(way) - 1)
        places = range(simulation.region - span + 1)
        for place in places:
            at, slots = first + place, []
            for matrix in way:
                slots.append((at, at + matrix.shape[1], matrix))
                at += matrix.shape[1] + gap
            yield 1 / (len(ways) * len(gaps) * len(places)), slots


@pytest.mark.parametrize(("rigid", "gc"), [("true", 0.5), ("false", 0.3)])
def test_without_rejection_it_is_exact(rigid, gc):
    text = MOTIFS.format(threshold=1, gc=gc) + ALONE.format(rigid=rigid)
    simulation = Simulation.from_toml(text)
    everything, positive = enumerated(simulation, simulation.positives)
    _, negative = enumerated(simulation, simulation.negatives)
    assert positive.sum() == pytest.approx(1) and negative.sum() == pytest.approx(1)
    found = log_likelihood_ratio(simulation, everything)
    np.testing.assert_allclose(found, np.log(positive / negative), atol=1e-9)


def test_with_rejection_it_decides_as_the_exact_sum():
    # Only A's consensus, AG or CT, is a match: B, with a base of T, scores 1 at every T or A.
    text = MOTIFS.format(threshold=0.99, gc=0.5) + ALONE.format(rigid="true")
    simulation = Simulation.from_toml(text)
    everything, positive = enumerated(simulation, simulation.positives)
    _, negative = enumerated(simulation, simulation.negatives)
    found = log_likelihood_ratio(simulation, everything)
    possible = (positive > 0) | (negative > 0)
    with np.errstate(divide="ignore"):
        exact = np.log(positive[possible]) - np.log(negative[possible])
    certain = np.isinf(exact)
    assert certain.any() and not certain.all()
    np.testing.assert_array_equal(found[possible][certain], exact[certain])
    best = np.maximum(positive, negative).sum() / 2
    reached = np.where(found > 0, positive, negative)[possible].sum() / 2
    assert reached == pytest.approx(best, abs=2e-3)


@pytest.mark.parametrize("name", ["spi1", "tal-gata", "e2f6", "rest"])
def test_its_odds_are_calibrated(name):
    """Among sequences for which it says p, a fraction p are positives."""
    simulation = Simulation.load(name)
    batch = simulation.sample(1500, seed=11)
    ratio = log_likelihood_ratio(simulation, batch.codes)
    assert not np.isnan(ratio).any()
    assert batch.labels[ratio == np.inf].all() and not batch.labels[ratio == -np.inf].any()
    p = 1 / (1 + np.exp(-ratio))
    error = np.sqrt((p * (1 - p)).sum())
    assert abs(batch.labels.sum() - p.sum()) < 4 * error
    accuracy = ((ratio > 0) == batch.labels).mean()
    promised = np.maximum(p, 1 - p)
    spread = np.sqrt((promised * (1 - promised)).sum()) / len(p)
    assert accuracy == pytest.approx(promised.mean(), abs=4 * spread)


def test_sequences_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"codes: expected the shape \(n, 500\), got \(2, 10\)"):
        log_likelihood_ratio(Simulation.load("spi1"), np.zeros((2, 10), dtype=np.uint8))
