import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shiftsmooth.audit import audit


@pytest.fixture
def x():
    torch.manual_seed(0)
    return F.one_hot(torch.randint(4, (3, 100)), 4).mT.float()


def said(model, x, **kwargs):
    found = audit(model.eval(), x, **kwargs)
    return [(b.module, b.function, b.how, b.stride) for b in found.breaks], found


def test_a_network_of_valid_convolutions_and_a_global_pool_is_clean(x):
    layers = [nn.Conv1d(4, 8, 9), nn.ReLU(), nn.Conv1d(8, 8, 5, dilation=3), nn.GELU()]
    breaks, found = said(
        nn.Sequential(*layers, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 1)), x
    )
    assert breaks == []
    assert found.first is None
    assert found.total_stride == 1


def test_circular_padding_is_padding_too_for_it_is_not_what_lies_beyond_the_window(x):
    breaks, found = said(nn.Conv1d(4, 8, 9, padding=4, padding_mode="circular"), x)
    assert breaks == [("", "pad", "padding", 1)]
    assert found.first is None


def test_a_flatten_after_stride_four_is_named_after_the_stride(x):
    model = nn.Sequential(
        nn.Conv1d(4, 8, 5), nn.ReLU(), nn.MaxPool1d(4), nn.Flatten(), nn.Linear(8 * 24, 1)
    )
    breaks, found = said(model, x)
    assert breaks == [("2", "max_pool1d", "stride", 4), ("3", "flatten", "flatten", 1)]
    assert (found.first.module, found.total_stride) == ("2", 4)
    assert str(found.first) == "2 (MaxPool1d): max_pool1d steps by 4"


def test_strides_multiply(x):
    model = nn.Sequential(nn.Conv1d(4, 8, 5, stride=2), nn.MaxPool1d(3), nn.Conv1d(8, 2, 3))
    breaks, found = said(model, x)
    assert [(how, stride) for *_, how, stride in breaks] == [("stride", 2), ("stride", 3)]
    assert found.total_stride == 6


def test_padding_is_felt_at_the_ends_only(x):
    breaks, found = said(nn.Sequential(nn.Conv1d(4, 8, 9, padding=4), nn.ReLU()), x)
    assert breaks == [("0", "conv1d", "padding", 1)]
    assert found.first is None


class WithPositions(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv1d(4, 8, 1)
        self.positions = nn.Parameter(torch.randn(8, 100))

    def forward(self, x):
        return (self.body(x) + self.positions).relu().mean(-1)


def test_an_embedding_of_positions_is_named_with_the_module_that_adds_it(x):
    breaks, found = said(nn.Sequential(WithPositions(), nn.Linear(8, 1)), x)
    assert breaks == [("0", "add", "positions", 1)]
    assert found.first.kind == "WithPositions"


class Functional(nn.Module):
    def forward(self, x):
        return F.max_pool1d(x, 5).flatten(1)


def test_functions_in_a_forward_are_seen(x):
    breaks, _ = said(Functional(), x)
    assert breaks == [("", "max_pool1d", "stride", 5), ("", "flatten", "flatten", 1)]


class Last(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, batch_first=True)

    def forward(self, x):
        return self.rnn(x.mT)[0][:, -1]


def test_a_model_that_reads_the_last_position_treats_positions_differently(x):
    breaks, _ = said(Last(), x)
    assert breaks[-1] == ("", "getitem", "positions", 1)


def test_another_sequence_dimension(x):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    assert said(model, x.mT, dim=1)[0] == []


def test_the_model_is_left_as_it_was(x):
    model = nn.Sequential(nn.Conv1d(4, 8, 5), nn.ReLU(inplace=True), nn.MaxPool1d(2)).eval()
    before = model(x)
    said(model, x)
    assert not model[0]._forward_hooks
    torch.testing.assert_close(model(x), before, rtol=0, atol=0)


def test_shipped_experts_pad_their_ends_and_do_nothing_else(x):
    modelzoo = pytest.importorskip("modelzoo")
    breaks, found = said(modelzoo.load("deepbind-gata3"), x)
    assert {how for *_, how, _ in breaks} == {"padding"}
    assert found.total_stride == 1


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_pool_over_a_few_positions_is_clean(x, length):
    assert said(nn.AdaptiveMaxPool1d(1), x[..., :length])[0] == []


class Runs(nn.Module):
    def forward(self, x):
        return torch.unique_consecutive(x)


def test_a_function_whose_result_changes_its_length_treats_positions_differently(x):
    assert said(Runs(), x)[0] == [("", "unique_consecutive", "positions", 1)]
