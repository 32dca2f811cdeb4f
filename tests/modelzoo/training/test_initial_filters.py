import numpy as np
import pytest
import torch

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.motifs import Motif, jaspar, tomtom
from modelzoo.sequences import reverse_complement
from modelzoo.training.initial_filters import dissimilarity, farthest, jaspar_filters, resized


def matrix(word):
    return np.stack([np.where(np.array(list(word)) == base, 0.97, 0.01) for base in "ACGT"])


def test_a_narrow_matrix_gets_flanks_that_say_nothing():
    wide = resized(matrix("GATAA"), 10)
    assert wide.shape == (4, 10)
    assert np.array_equal(wide[:, 2:7], matrix("GATAA"))
    assert (np.delete(wide, range(2, 7), axis=1) == 0.25).all()


def test_of_a_wide_matrix_the_most_informative_stretch_is_kept():
    flat = np.full((4, 9), 0.25)
    wide = np.concatenate([flat, matrix("GATAA"), flat], axis=1)
    assert np.array_equal(resized(wide, 5), matrix("GATAA"))
    assert np.array_equal(resized(matrix("GATAA"), 5), matrix("GATAA"))


def test_points_are_as_far_from_those_before_as_can_be():
    x = np.random.default_rng(0).random((30, 2))
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    chosen = farthest(distances, 8)
    assert chosen[0] == int(np.argmax(distances.mean(1)))
    for n in range(1, 8):
        nearest = [
            min(distances[i, j] for j in chosen[:n]) if i not in chosen[:n] else -1
            for i in range(30)
        ]
        assert chosen[n] == int(np.argmax(nearest))
    assert sorted(farthest(distances, 30)) == list(range(30))
    for count in (0, 31):
        with pytest.raises(ValueError, match=f"count: expected 1 to 30, got {count}"):
            farthest(distances, count)


@pytest.mark.slow
def test_alike_motifs_come_last():
    database = jaspar()[:40]
    twice = [*database, *(m.reverse_complement() for m in database[:10])]
    chosen = farthest(dissimilarity(twice), 40)
    for i in range(10):
        assert not {i, 40 + i} <= set(chosen)


def test_dissimilarity_is_both_ways_of_tomtom():
    database = jaspar()[:30]
    p = tomtom(database, database).p_values
    expected = np.log10(np.maximum(p[3, 7], 1e-30)) + np.log10(np.maximum(p[7, 3], 1e-30))
    assert dissimilarity(database)[3, 7] == pytest.approx(expected / 2)


def test_filters_are_both_strands_of_probabilities_less_a_quarter():
    database = jaspar()[:40]
    filters, names = jaspar_filters(6, 19, database)
    assert filters.shape == (12, 4, 19) and len(names) == 12
    assert torch.equal(filters[6:], reverse_complement(filters[:6]))
    assert torch.allclose(filters.sum(1), torch.zeros(12, 19), atol=1e-6)
    by_title = {motif.title: motif for motif in database}
    for row, name in zip(filters[:6], names):
        expected = resized(by_title[name].matrix, 19) - 0.25
        assert np.allclose(row, expected, atol=1e-6)
    assert names[6] == f"{names[0]} (reverse)"


def test_an_explainn_starts_from_them():
    filters, _ = jaspar_filters(
        3, 19, [Motif(f"m{i}", m.matrix, 1) for i, m in enumerate(jaspar()[:30])]
    )
    model = ExplaiNN(units=6, tasks=["a"]).set_filters(filters, frozen=True)
    assert torch.equal(model.filters, filters) and not model.filters.requires_grad
