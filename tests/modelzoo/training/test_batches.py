import math

import numpy as np
import pytest
import torch

from modelzoo.sequences import columns, reverse_complement
from modelzoo.training.batches import Doubled, Minibatches, both_strands, of_codes


@pytest.mark.parametrize("size", [1, 3, 10, 11])
def test_minibatches_hold_every_row_once_in_a_seeded_order(size):
    x, y = torch.arange(10), torch.arange(10)[:, None] * 2
    once, again, other = (Minibatches(x, y, size, seed, lambda x: x + 100) for seed in (1, 1, 2))
    assert len(once) == math.ceil(10 / size) == len(list(once))
    inputs, targets = map(torch.cat, zip(*once))
    assert torch.equal(targets[:, 0], (inputs - 100) * 2) and not torch.equal(inputs, x + 100)
    assert sorted(inputs.tolist()) == list(range(100, 110))
    assert torch.equal(torch.cat([x for x, _ in again]), inputs)
    assert not torch.equal(torch.cat([x for x, _ in other]), inputs)


def test_batches_of_codes_are_one_hot():
    codes = np.random.default_rng(0).integers(0, 5, (6, 10), dtype=np.uint8)
    ((x, y),) = of_codes(codes, torch.arange(6)[:, None], 9, (1, 2))
    assert torch.equal(x, columns(codes[y[:, 0]]))


def test_batches_are_balanced_and_carry_both_strands():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (96, 20), dtype=np.uint8)
    labels = torch.from_numpy(rng.permutation(np.arange(96) % 2))[:, None].float()
    batches = Doubled(codes, labels, 32)
    assert len(batches) == 6
    seen = []
    for x, y in batches:
        assert x.shape == (32, 4, 20) and y.shape == (32, 1)
        assert y.sum() == 16
        torch.testing.assert_close(x[16:], reverse_complement(x[:16]))
        torch.testing.assert_close(y[16:], y[:16])
        seen += [(row.argmax(0).tolist(), int(label)) for row, label in zip(x[:16], y)]
    assert sorted(seen) == sorted(
        (row.tolist(), int(label)) for row, label in zip(codes, labels[:, 0])
    )


def test_both_strands_are_reverse_complements_with_the_same_labels():
    codes = np.array([[0, 1, 4, 3, 3]], dtype=np.uint8)
    both, labels = both_strands(codes, torch.tensor([[1.0, torch.nan]]))
    assert both.tolist() == [[0, 1, 4, 3, 3], [0, 0, 4, 2, 3]]
    assert torch.equal(columns(both[1:]), columns(codes).flip(1, 2))
    assert labels[:, 0].tolist() == [1, 1] and labels[:, 1].isnan().all()
