"""The methods that only the benchmark has, and what methods cost."""

import pytest
import torch
from torch import nn

from modelzoo.attribution.methods import maps
from modelzoo.studies.benchmark.methods import CERTAIN, COMPARED, GRAD_CAM, ISM
from modelzoo.studies.benchmark.models import Network
from shiftsmooth import shift_smooth


@pytest.fixture
def network():
    torch.manual_seed(0)
    rest = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 1))
    return Network(nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU()), rest).eval()


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(1)
    return torch.eye(4)[torch.randint(4, (2, 30), generator=generator)].mT.contiguous()


def test_grad_cam_weighs_the_trunks_maps_by_their_mean_gradient(network, x):
    found = maps(network, x, GRAD_CAM, corrected=False)
    activations = network.trunk(x)
    weights = network.rest[2].weight[0] / activations.shape[2]
    expected = (weights[:, None] * activations).sum(1).relu()
    torch.testing.assert_close(found[:, 0, 2:-2], expected)
    assert not found[:, :, :2].any() and (found[:, 0] == found[:, 3]).all()


def test_grad_cam_of_a_trunk_with_a_stride_covers_the_window(x):
    torch.manual_seed(0)
    rest = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(3, 1))
    strided = Network(nn.Conv1d(4, 3, 6, stride=4), rest).eval()
    assert maps(strided, x, GRAD_CAM, corrected=False).shape == x.shape


def test_letters_whose_sign_is_uncertain_are_zero(network, x):
    mean, spread = shift_smooth(network, x, max_shift=5, spread=True, device="cpu")
    found = maps(network, x, CERTAIN, corrected=False)
    sure = mean.abs() > spread
    assert torch.equal(found != 0, sure & (mean != 0))
    torch.testing.assert_close(found[sure], mean[sure])


def test_the_gradient_over_both_strands_shifts_nothing(network, x):
    def gradient(x):
        return maps(network, x, COMPARED["gradient"].method, corrected=False)

    found = maps(network, x, COMPARED["gradient-strands"].method, corrected=False)
    expected = (gradient(x) + gradient(x.flip(1, 2)).flip(1, 2)) / 2
    torch.testing.assert_close(found, expected)
    assert COMPARED["gradient-strands"].evaluations(100) == 6
    assert COMPARED["gradient-strands"].method.title == "Gradient, both strands"


def test_costs_count_backward_passes_thrice_and_mutants_once():
    assert COMPARED["gradient"].evaluations(100) == 3
    assert COMPARED["shiftsmooth-5"].evaluations(100) == 33
    assert COMPARED[ISM].evaluations(100) == 301
