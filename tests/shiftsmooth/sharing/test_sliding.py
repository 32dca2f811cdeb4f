"""Pools over sliding windows are those of each window on its own, gradients too."""

import pytest
import torch

from shiftsmooth.sharing.sliding import sliding

POOLS = {
    "max": lambda windows: windows.max(-1).values,
    "amax": lambda windows: windows.amax(-1),
    "sum": lambda windows: windows.sum(-1),
}


def weighted(x, pool):
    """The pool, and the gradient of a sum in which every window has another weight."""
    found = pool(x)
    weights = torch.linspace(0.5, 2, found.numel(), dtype=x.dtype).reshape(found.shape)
    (gradient,) = torch.autograd.grad((found * weights).sum(), x)
    return found.detach(), gradient


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("extent", [1, 2, 3, 7, 8, 29])
@pytest.mark.parametrize("step", [1, 2, 5, 8, 40])
@pytest.mark.parametrize("equal", [False, True])
def test_each_window_is_pooled(kind, extent, step, equal):
    shape, seed = (2, 3, extent + 6 * step), torch.manual_seed(extent)
    x = torch.randn(shape, dtype=torch.float64, generator=seed)
    x = (x.round() if equal else x).requires_grad_()
    found, gradient = weighted(x, lambda x: sliding(x, extent, step, kind)[0])
    wanted, expected = weighted(x, lambda x: POOLS[kind](x.unfold(-1, extent, step)))
    assert torch.allclose(found, wanted, rtol=0, atol=1e-12)
    assert torch.allclose(gradient, expected, rtol=0, atol=1e-12)


def test_without_a_gradient_the_maximum_is_the_same():
    x = torch.randn(3, 100, generator=torch.manual_seed(0))
    plain, *_ = sliding(x, 13, 3, "max")
    assert torch.equal(plain, sliding(x.requires_grad_(), 13, 3, "max")[0])


def test_values_that_reach_the_maximum_are_counted():
    _, counts = sliding(torch.tensor([[1.0, 3.0, 3.0, 2.0, 3.0]]), 3, 1, "amax")
    assert counts.tolist() == [[2, 2, 2]]


@pytest.mark.parametrize("with_gradient", [False, True])
def test_a_value_that_is_no_number_is_the_largest_as_for_torch(with_gradient):
    x = torch.randn(3, 60, generator=torch.manual_seed(0))
    x[0, 20] = x[1, 33] = x[1, 34] = float("nan")
    wanted = x.unfold(-1, 13, 3).max(-1).values
    found, *_ = sliding(x.requires_grad_(with_gradient), 13, 3, "max")
    assert torch.allclose(found, wanted, equal_nan=True)
