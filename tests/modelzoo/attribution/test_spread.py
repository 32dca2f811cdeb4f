import pytest
import torch
from torch import nn

from modelzoo.attribution.methods import METHODS, importance, maps
from modelzoo.attribution.spread import spread, spread_of
from modelzoo.sequences import one_hot


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2), nn.Tanh(), nn.MaxPool1d(3), nn.Flatten(), nn.Linear(42, 2)
    ).eval()


@pytest.fixture
def x():
    return one_hot(["ACGTTGCAACGATTACCAGTC", "TTGACNNATGAGATAAGCTAA"])


def test_spread_is_the_deviation_of_the_contributions_over_shifts(model, x):
    found = []
    for shift in range(-3, 4):
        rolled = x.roll(shift, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(model(rolled)[:, 1].sum(), rolled)
        found.append((gradient - gradient.mean(1, keepdim=True)).roll(-shift, 2))
    wanted = torch.stack([(one * (x == 1)).sum(1) for one in found]).std(0, correction=0)
    torch.testing.assert_close(spread(model, x, 1, 3), wanted, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", ["gradient", "integrated-gradients", "ism"])
def test_spread_of_any_method_is_that_of_its_windows(model, x, name):
    shifts = [-3, 0, 1]
    windows = [
        importance(maps(model, x.roll(n, 2), METHODS[name], target=1).roll(-n, 2), x * (x == 1))
        for n in shifts
    ]
    wanted = torch.stack(windows).std(0, correction=0)
    torch.testing.assert_close(spread_of(model, x, METHODS[name], 1, shifts), wanted)


def test_both_ways_agree_on_the_gradient(model, x):
    found = spread_of(model, x, METHODS["gradient"], 1, range(-3, 4))
    torch.testing.assert_close(found, spread(model, x, 1, 3), atol=1e-6, rtol=1e-4)
