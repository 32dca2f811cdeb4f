"""ShiftSmooth by its definition, for every test to compare with, and small models to run it on."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def _seed():
    # Captum draws from both.
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002


def _sources(length, n, offsets, region, edges):
    """For each position of the copy shifted by n, the position of the original it shows."""
    if edges == "flanks":
        reach = max(abs(m) for m in offsets)
        return [reach - n + j for j in range(length - 2 * reach)]
    start, stop = region or (0, length)
    inside = [start + (j - start - n) % (stop - start) for j in range(start, stop)]
    return [*range(start), *inside, *range(stop, length)]


def _grid(x, dims, n, offsets, region, edges):
    axes = [np.arange(size) for size in x.shape]
    for dim in dims:
        axes[dim] = np.array(_sources(x.shape[dim], n, offsets, region, edges))
    return np.ix_(*axes)


def _naive(
    attribute, inputs, offsets, dims, *, region=None, edges="circular", reduction="mean", total=None
):
    """Moves every number by its index, shift after shift, and averages in float64.

    Args:
        attribute: (copies, move) -> attributions shaped like the copies; `move(tensor, *dims)`
            gives whatever else is shifted, at the same shift.
        inputs: A tuple of tensors.
        offsets: The shifts.
        dims: For each input a tuple of dimensions.
        region: As for ShiftSmooth, and so edges and reduction.
        edges: See above.
        reduction: See above.
        total: Shapes of the result, where they are not those of the inputs.
    """
    like = inputs if total is None else total
    first, second, count = ([np.zeros(x.shape) for x in like] for _ in range(3))
    for n in offsets:

        def move(x, *axes, n=n):
            grid = _grid(x, axes, n, offsets, region, edges)
            return x.detach()[tuple(torch.from_numpy(index) for index in grid)]

        found = attribute(tuple(move(x, *d) for x, d in zip(inputs, dims)), move)
        for i, (a, d) in enumerate(zip(found, dims)):
            grid = _grid(like[i], d, n, offsets, region, edges)
            a = a.detach().double().numpy()
            np.add.at(first[i], grid, a)
            np.add.at(second[i], grid, a * a)
            np.add.at(count[i], grid, 1)
    mean, square = (
        [t / np.maximum(c, 1) for t, c in zip(totals, count)] for totals in (first, second)
    )
    result = {
        "mean": mean,
        "mean_square": square,
        "variance": [s - m * m for s, m in zip(square, mean)],
    }[reduction]
    return tuple(torch.from_numpy(r) for r in result)


@pytest.fixture(scope="session")
def naive():
    """The naive loop over shifts."""
    return _naive


def _gradient(f, abs=False):
    """For `naive`: the gradient of f, example after example; f gives one number an example."""

    def attribute(copies, move=None):
        rows = []
        for b in range(copies[0].size(0)):
            leaves = [c[b : b + 1].clone().requires_grad_() for c in copies]
            f(*leaves).sum().backward()
            rows.append([leaf.grad for leaf in leaves])
        found = tuple(torch.cat(column) for column in zip(*rows))
        return tuple(g.abs() for g in found) if abs else found

    return attribute


@pytest.fixture(scope="session")
def gradient():
    """The gradient of a function of one example, as `naive` takes it."""
    return _gradient


class Mixer(nn.Module):
    """Weighs every position on its own and multiplies inputs: nothing is equivariant."""

    def __init__(self, *shapes, tasks=2, dtype=torch.float64):
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        self.weights = nn.ParameterList(
            torch.randn(tasks, *shape, generator=generator, dtype=torch.float64).to(dtype)
            for shape in shapes
        )

    def forward(self, *inputs):
        parts = [
            (x.unsqueeze(1) * w).flatten(2).sin().sum(2) / 4 for x, w in zip(inputs, self.weights)
        ]
        return torch.stack(parts).prod(0) + sum(parts)


class Strided(nn.Module):
    """(B, 4, 16) -> (B, 2), padded and strided, with modules that every Captum method takes."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 5, stride=2, padding=2)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool1d(2)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(24, 2)

    def forward(self, x):
        return self.linear(self.flatten(self.pool(self.relu(self.conv(x)))))


class Circular(nn.Module):
    """(B, 4, L) -> (B, 2), the same for every roll of the input."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(4, 5, 5, padding=2, padding_mode="circular")
        self.relu = nn.ReLU()
        self.second = nn.Conv1d(5, 5, 3, padding=1, padding_mode="circular")
        self.again = nn.ReLU()
        self.linear = nn.Linear(5, 2)

    def forward(self, x):
        return self.linear(self.again(self.second(self.relu(self.first(x)))).mean(2))


def _seeded(make):
    def build(*args, **kwargs):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return make(*args, **kwargs).double().eval()

    return build


@pytest.fixture(scope="session")
def models():
    """Ways to build the small models, in float64 and eval mode, the same each time."""
    return SimpleNamespace(mixer=Mixer, strided=_seeded(Strided), circular=_seeded(Circular))


def _state(model):
    """All that attribution must leave as it was, in a form that can be compared."""
    return [
        (
            name,
            module.training,
            len(module._forward_hooks),
            len(module._forward_pre_hooks),
            len(module._backward_hooks),
            len(module._backward_pre_hooks),
            [
                (key, p.requires_grad, None if p.grad is None else p.grad.tolist(), p.tolist())
                for key, p in module.named_parameters(recurse=False)
            ],
        )
        for name, module in model.named_modules()
    ]


@pytest.fixture(scope="session")
def state():
    """Modes, hooks, parameters and their gradients of a model."""
    return _state
