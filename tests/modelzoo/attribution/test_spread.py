import torch
from torch import nn

from modelzoo.attribution.spread import spread
from modelzoo.sequences import one_hot


def test_spread_is_the_deviation_of_the_contributions_over_shifts():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2), nn.Tanh(), nn.MaxPool1d(3), nn.Flatten(), nn.Linear(42, 2)
    ).eval()
    x = one_hot(["ACGTTGCAACGATTACCAGTC", "TTGACNNATGAGATAAGCTAA"])
    maps = []
    for shift in range(-3, 4):
        rolled = x.roll(shift, 2).requires_grad_()
        (gradient,) = torch.autograd.grad(model(rolled)[:, 1].sum(), rolled)
        maps.append((gradient - gradient.mean(1, keepdim=True)).roll(-shift, 2))
    wanted = torch.stack([(one * (x == 1)).sum(1) for one in maps]).std(0, correction=0)
    torch.testing.assert_close(spread(model, x, 1, 3), wanted, atol=1e-6, rtol=1e-4)
