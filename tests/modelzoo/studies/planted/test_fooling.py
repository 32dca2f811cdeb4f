"""Sequences made to fool a network hold no motif, and excite or bore its filters."""

import itertools

import numpy as np
import torch
from torch import nn

from modelzoo.datasets.planted.simulation import Simulation, match_scores
from modelzoo.sequences import columns, one_hot
from modelzoo.studies.planted import fooling

SHORT = """
length = 120
region = 80
[motifs.LEFT]
consensus = "GATTA"
[motifs.RIGHT]
consensus = "CAGC"
[[positives]]
share = 1
motifs = ["LEFT", "RIGHT"]
spacing = [3, 8]
[[negatives]]
share = 1
motifs = []
"""


def brute_force_best(letters):
    """All words of a filter, best first."""
    width = letters.shape[1]
    words = np.stack(np.meshgrid(*[np.arange(4)] * width, indexing="ij"), -1).reshape(-1, width)
    scores = letters[words, np.arange(width)].sum(1)
    return words[np.argsort(-scores)].astype(np.uint8)


def test_extreme_words_are_the_best_without_a_match():
    simulation = Simulation.from_toml(SHORT, name="short")
    torch.manual_seed(0)
    weight = 0.1 * torch.randn(3, 4, 6)
    weight[0, :, :5] += one_hot("GATTA")[0]  # its best word is a motif
    weight[2] = 0
    words = fooling.extreme_words(weight, simulation)
    assert len(words) == 2
    for word, letters in zip(words, weight.numpy()):
        for best in brute_force_best(letters):
            scores = [
                match_scores(best[None], motif, reverse_complement=turned).max()
                for motif in simulation.motifs
                for turned in (False, True)
            ]
            if max(scores) <= 0.9:
                break
        np.testing.assert_array_equal(word, best)


def test_exciting_sequences_hold_no_motif_and_fool_who_counts_letters(simulation):
    weight = torch.randn(4, 4, 10, generator=torch.Generator().manual_seed(1))
    codes = fooling.without_motifs(weight, simulation, 20, seed=0)
    assert codes.shape == (20, 120)
    for motif in simulation.motifs:
        for turned in (False, True):
            assert match_scores(codes, motif, reverse_complement=turned).max() <= 0.9
    random = columns(np.random.default_rng(0).integers(0, 4, (20, 120)))
    excited = nn.functional.conv1d(columns(codes), weight).amax((1, 2))
    assert (excited > nn.functional.conv1d(random, weight).amax((1, 2))).all()
    dull = fooling.amid_dullness(weight, simulation, 20, seed=0)
    ordinary = simulation.sample(20, seed=0, positives=20)
    np.testing.assert_array_equal(dull.codes[dull.mask()], ordinary.codes[ordinary.mask()])
    silent = nn.functional.conv1d(columns(dull.codes), weight).amin((1, 2))
    assert (silent < nn.functional.conv1d(random, weight).amin((1, 2))).all()


def test_a_word_that_makes_a_motif_with_itself_never_follows_itself(simulation):
    # The first word ends and begins as LEFT: where it meets itself there is GATTA|CAGAT.
    words = one_hot(["CAGATGGATTA", "GGGGGTGGGGG"])
    codes = fooling.without_motifs(words, simulation, 30, seed=0)
    starts = [
        ["".join("ACGT"[c] for c in row[i : i + 11]) for i in range(0, 110, 11)] for row in codes
    ]
    assert {word for row in starts for word in row} == {"CAGATGGATTA", "GGGGGTGGGGG"}
    assert not any("CAGATGGATTA" == a == b for row in starts for a, b in itertools.pairwise(row))
    assert fooling.without_motifs(words[:1], simulation, 5, seed=0) is None


def test_filters_without_weights_make_no_sequences(simulation):
    assert fooling.without_motifs(torch.zeros(2, 4, 10), simulation, 5, seed=0) is None
