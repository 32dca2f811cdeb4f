"""Simulated pairs of motifs, and what slides past what."""

import numpy as np
import torch

from modelzoo.sequences import encode
from modelzoo.studies.pairs import FIRST, SECOND, Pairs, slide


def count(codes, motif):
    """How often each sequence holds a motif, by looking everywhere."""
    (word,) = encode([motif])
    windows = np.lib.stride_tricks.sliding_window_view(codes, len(word), axis=1)
    return (windows == word).all(2).sum(1)


def test_a_label_says_whether_the_pair_is_there():
    codes, labels = Pairs().epoch(3, seed=1)
    first, second = count(codes, FIRST), count(codes, SECOND)
    kinds = torch.bincount(torch.isnan(labels).long() @ torch.tensor([1, 2]), minlength=4)
    assert kinds.tolist() == [0, 2000, 2000, 0]  # of either task, and never of both
    for task, words in enumerate([(first >= 1) + (second >= 1).astype(int), np.minimum(first, 2)]):
        asked = ~torch.isnan(labels[:, task]).numpy()
        positive = labels[asked, task].numpy() == 1
        assert positive.mean() == 0.5
        # a motif of 8 bases stands in a background of 101 by chance in one of 700
        expected = [{0, 2}, {2}][task]
        assert (np.isin(words[asked], list(expected)) == positive).mean() > 0.99
        without = positive if task == 0 else ~positive
        assert 0.45 < (words[asked][without] == 0).mean() < 0.55
    assert {1, 2} <= set((first - second)[~torch.isnan(labels[:, 1]).numpy()])
    assert 0.4 < (first > second)[(labels[:, 0] == 0).numpy()].mean() < 0.6


def test_epochs_and_held_out_sequences_differ_and_follow_from_the_seed():
    pairs = Pairs()
    one, other = pairs.epoch(0, seed=0)[0], pairs.epoch(1, seed=0)[0]
    assert np.array_equal(one, Pairs().epoch(0, seed=0)[0]) and not np.array_equal(one, other)
    assert not np.array_equal(one[:1000], pairs.held_out[0])


class Both(torch.nn.Module):
    """Answers 3 where the first pair is there, and 5 where the second is."""

    def forward(self, x):
        codes = x.argmax(1).numpy().astype(np.uint8)
        first, second = count(codes, FIRST), count(codes, SECOND)
        answers = 3.0 * ((first >= 1) & (second >= 1)), 5.0 * (first >= 2)
        return torch.from_numpy(np.stack(answers, axis=1))


def test_a_model_that_knows_the_pairs_shows_both_and_no_control():
    found = slide(Both(), backgrounds=3)
    assert {name: float(np.median(i.residual)) for name, i in found.items()} == {
        "heterotypic": 3.0,
        "homotypic": 5.0,
        "control": 0.0,
    }
