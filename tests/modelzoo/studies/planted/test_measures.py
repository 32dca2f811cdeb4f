"""Accuracy is counted."""

import torch
from torch import nn

from modelzoo.studies.planted.measures import accuracy


def test_accuracy_counts_the_right_side_of_one_half(simulation, batch):
    class Constant(nn.Module):
        def forward(self, x):
            return torch.full((len(x), 1), 0.5)

    half = simulation.sample(40, seed=0)
    assert accuracy(Constant(), batch) == 1
    assert accuracy(Constant(), half) == 0.5
