"""A simulation of two motifs, and an ARGMINN that reads both without training."""

import pytest
import torch

from modelzoo.architectures.argminn import ARGMINN
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.sequences import one_hot

TOML = """
length = 120
region = 80
[motifs.LEFT]
consensus = "GATTACAGAT"
[motifs.RIGHT]
consensus = "TTGCCTCAGC"
[[positives]]
share = 1
motifs = ["LEFT", "RIGHT"]
spacing = [3, 8]
[[negatives]]
share = 1
motifs = []
"""


@pytest.fixture(scope="module")
def simulation():
    return Simulation.from_toml(TOML, name="pair")


@pytest.fixture(scope="module")
def reader():
    """An ARGMINN whose filters are the two motifs on both strands, and whose heads attend to them.

    Filters 0 to 3 are LEFT, its reverse complement, RIGHT and its; filter 4 is silent.
    """
    torch.manual_seed(0)
    model = ARGMINN(filters=8, layers=1, heads=4, position_size=8).eval()
    with torch.no_grad():
        model.scanners.weight.zero_()
        left, right = one_hot(["GATTACAGAT", "TTGCCTCAGC"])
        model.scanners.weight[:4] = torch.stack([left, left.flip(0, 1), right, right.flip(0, 1)])
        model.scanners.bias.fill_(-8.5)
        layer = model.layers[0]
        layer.query.weight.zero_()
        layer.query.bias.fill_(1.0)
        layer.key.weight.zero_()
        for head in range(4):  # of 4 features each
            layer.key.weight[4 * head, head] = 200.0
    return model


@pytest.fixture(scope="module")
def batch(simulation):
    return simulation.sample(60, seed=0, positives=60)
