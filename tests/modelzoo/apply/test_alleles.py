"""Alleles in windows: which count, what is said of them, and whether strands differ."""

import pickle

import numpy as np
import pytest
from torch import nn

import modelzoo
from modelzoo.apply.alleles import Allele, Packed, statistics, symmetric
from tests.support.variants import WIDTH, Network, Symmetric


def test_the_strands_are_compared_exactly():
    assert symmetric(Symmetric(), WIDTH) and not symmetric(Network(), WIDTH)
    assert symmetric(modelzoo.load("deepbind-gata3"), 101)

    class Nearly(Symmetric):
        def forward(self, x):
            return super().forward(x) + 1e-6 * x[:, :1].mean(-1)

    assert not symmetric(Nearly(), WIDTH)


def test_a_model_that_needs_float32_is_read_from_both_strands():
    class Single(nn.Module):
        def forward(self, x):
            return x.float().mean((1, 2))[:, None]

    assert not symmetric(Single().eval(), WIDTH)


def test_windows_that_do_not_count_change_nothing():
    rng = np.random.default_rng(0)
    ref, alt = rng.normal(size=(2, 3, 5, 2))
    held = np.array([[1, 1, 1, 1, 1], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0]], dtype=bool)
    found = statistics(ref, alt, held)
    ref[~held] = alt[~held] = 1e6
    np.testing.assert_allclose(statistics(ref, alt, held), found)
    np.testing.assert_allclose(found[2, :, 2], alt[2, 2] - ref[2, 2])
    np.testing.assert_allclose(found[2, :, 3], 0, atol=1e-12)


def test_the_longer_allele_is_in_the_middle_of_the_window_of_no_shift():
    for ref, alt, left in [("A", "C", 5), ("AAAA", "C", 3), ("A", "CCCCC", 3)]:
        assert Allele("chr1", 50, ref, alt).left(11) == left


def test_a_window_that_cuts_an_allele_does_not_hold_it():
    assert Allele("chr1", 50, "A", "C" * 9).held(11, 2) == [False, True, True, True, False]
    assert not any(Allele("chr1", 50, "A", "C" * 12).held(11, 2))


@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_packed_alleles_are_what_was_packed(count):
    alleles = [Allele(f"chr{i}", 10**i, "ACGT"[: i % 4 + 1], "G") for i in range(count)]
    packed = Packed(iter(alleles), 3)
    assert len(packed) == count and list(packed) == alleles
    assert [packed[row] for row in range(count)] == alleles
    blocks = [pickle.loads(pickle.dumps(block)) for block in packed.blocks()]
    assert [list(block) for block in blocks] == [alleles[i : i + 3] for i in range(0, count, 3)]
    assert sum(map(len, blocks)) == count
