"""Small models, quick in float64, and all that attribution must leave of a model as it was."""

import torch
from torch import nn


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
    """`make` in float64 and eval mode, the same each time."""

    def build(*args, **kwargs):
        with torch.random.fork_rng():
            torch.manual_seed(1)
            return make(*args, **kwargs).double().eval()

    return build


mixer, strided, circular = Mixer, _seeded(Strided), _seeded(Circular)


def state(model):
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
