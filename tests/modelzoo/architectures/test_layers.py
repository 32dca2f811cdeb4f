import math

import pytest
import torch
import torch.nn.functional as F

from modelzoo.architectures.layers import StrandConv1d, StrandNorm, as_input, sinusoids, windowed


def test_a_second_strand_layer_keeps_the_symmetry_of_the_first():
    first, second = StrandConv1d(4, 3, 5), StrandConv1d(6, 2, 3)
    x = torch.rand(1, 4, 15, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(second(first(x.flip(1, 2))), second(first(x)).flip(1, 2))


def test_norm_in_training_is_batch_norm_of_a_batch_with_both_strands():
    norm, maps = StrandNorm(6).train(), torch.randn(8, 6, 50) * 3 + 2
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2, 3]))
        norm.bias.copy_(torch.tensor([4.0, 5, 6]))
    weight, bias = torch.tensor([1.0, 2, 3, 3, 2, 1]), torch.tensor([4.0, 5, 6, 6, 5, 4])
    expected = F.batch_norm(maps, None, None, weight, bias, training=True)
    torch.testing.assert_close(norm(maps), expected)
    # a batch and its other strand move the statistics alike
    other = StrandNorm(6).train()
    other(maps.flip(1, 2))
    torch.testing.assert_close(other.mean, norm.mean.flip(0))
    torch.testing.assert_close(other.var, norm.var.flip(0))
    assert (norm.mean != 0).all() and (norm.var != 1).all()


def test_positions_are_the_papers_sinusoids():
    encoded = sinusoids(50, 16)
    for i, j in ((0, 0), (3, 0), (49, 7), (11, 4)):
        angle = i / 10000 ** (2 * j / 16)
        assert encoded[2 * j, i] == pytest.approx(math.sin(angle), abs=1e-5)
        assert encoded[2 * j + 1, i] == pytest.approx(math.cos(angle), abs=1e-5)


@pytest.mark.parametrize(("length", "first", "last"), [(4, 0, 3), (3, 1, 3), (2, 1, 2), (1, 2, 2)])
def test_a_window_of_a_longer_sequence_is_its_middle(length, first, last):
    x = torch.arange(4.0).expand(1, 4, 4)
    assert windowed(x, length)[0, 0].tolist() == list(range(first, last + 1))


@pytest.mark.parametrize(("length", "left"), [(4, 0), (5, 0), (6, 1), (7, 1)])
def test_a_window_of_a_shorter_sequence_has_unknown_bases_around_it(length, left):
    x = torch.ones(1, 4, 4)
    expected = [0.25] * left + [1] * 4 + [0.25] * (length - 4 - left)
    assert windowed(x, length)[0, 0].tolist() == expected


@pytest.mark.parametrize("shape", [(4, 10), (2, 3, 10), (2, 4, 0), (2, 10, 4)])
def test_input_of_another_shape_is_named(shape):
    with pytest.raises(ValueError, match=r"x: expected the shape \(B, 4, L\) with L >= 1, got"):
        as_input(torch.zeros(shape), torch.zeros(1))
