"""The least number of multiplications, against counts by hand and against distinct columns."""

import pytest
import torch
from limit import limit
from torch import nn

SHIFTS = list(range(-2, 3))


def test_a_convolution_computes_shared_columns_once_and_strips_per_shift():
    # 10 positions on a circle, 3 shifts: one map of 10 columns, and the first and the last of each
    # window, which see padding.
    model = nn.Conv1d(4, 2, 3, padding=1)
    assert limit(model, torch.zeros(1, 4, 10), [-1, 0, 1]) == (10 + 3 * 2) / 10


def test_a_stride_makes_a_map_per_phase():
    # 8 positions on a circle in steps of 2: the odd shifts share a map of 4 columns, and so do the
    # even ones.
    model = nn.Conv1d(4, 2, 2, stride=2)
    assert limit(model, torch.zeros(1, 4, 8), [-1, 0, 1]) == (4 + 4) / 4


def test_a_dense_layer_runs_once_per_shift():
    # 9 columns, since the sequence is a circle, of 8 multiplications; and 3 rows of 10.
    model = nn.Sequential(
        nn.Conv1d(4, 2, 1), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(2, 5)
    )
    found = limit(model, torch.zeros(1, 4, 9), [-1, 0, 1])
    assert found == (9 * 8 + 3 * 10) / (9 * 8 + 10)


def test_shifts_that_lie_far_apart_share_the_whole_sequence_once():
    assert limit(nn.Conv1d(4, 2, 1), torch.zeros(1, 4, 50), [0, 25]) == 1


def test_padding_at_the_same_places_is_the_same():
    # The second layer sees padding 4 columns away. Of the first 4 columns of 3 windows, of which
    # the layer below makes the first different, 3 + 3 see none that differs and lie on 5 columns.
    model = nn.Sequential(nn.Conv1d(1, 1, 3, padding=1), nn.Conv1d(1, 1, 3, padding=4, dilation=4))
    first, second = (30 + 3 * 2) * 3, 3 * (30 - 2 * 5 + 2) + 3 * 2 * (5 + 3 * 2)
    assert limit(model, torch.zeros(1, 1, 30), [-1, 0, 1]) == (first + second) / 180


def test_a_recurrent_model_has_no_limit():
    assert limit(nn.LSTM(4, 3), torch.zeros(1, 6, 4), SHIFTS) is None


LAYERS = {
    "one layer": [nn.Conv1d(4, 3, 7, padding=3)],
    "dilated": [nn.Conv1d(4, 3, 5, padding=2), nn.Conv1d(3, 3, 3, padding=4, dilation=4)],
    "pooled": [
        nn.Conv1d(4, 3, 5, padding=2),
        nn.AvgPool1d(3),
        nn.Conv1d(3, 3, 3, padding=1),
        nn.AvgPool1d(2),
        nn.Conv1d(3, 3, 3),
    ],
    "stride": [nn.Conv1d(4, 3, 4, stride=4), nn.Conv1d(3, 3, 3, padding=1)],
}


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_it_counts_the_distinct_columns_of_all_shifts(layers):
    torch.manual_seed(0)
    model = nn.Sequential(*layers).double()
    x = torch.randn(1, 4, 90, dtype=torch.float64)
    shared = plain = 0
    h = torch.cat([x.roll(n, -1) for n in SHIFTS])
    for layer in model:
        h = layer(h).detach()
        if isinstance(layer, nn.Conv1d):
            columns = h.transpose(1, 2).flatten(0, 1)
            distinct = len(torch.unique(columns.round(decimals=9), dim=0))
            shared += layer.weight.numel() * distinct
            plain += layer.weight.numel() * h.size(-1)
    assert limit(model, x, SHIFTS) == pytest.approx(shared / plain)
