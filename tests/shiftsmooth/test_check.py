import json

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from shiftsmooth import LayerShiftSmooth, ShiftSmooth, assert_shift_stable, check
from shiftsmooth.metrics import shift_stability


@pytest.fixture(scope="module")
def x():
    torch.manual_seed(1)
    return F.one_hot(torch.randint(4, (12, 90)), 4).mT.float()


@pytest.fixture(scope="module")
def pooled():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 8, 9), nn.Softplus(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 2)
    ).eval()


@pytest.fixture(scope="module")
def strided():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 16, 9, padding=4, padding_mode="circular"),
        nn.ReLU(),
        nn.MaxPool1d(6),
        nn.Conv1d(16, 8, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    ).eval()


@pytest.fixture(scope="module")
def of_strided(strided, x):
    return check(strided, x, max_shift=6)


def test_a_model_that_pools_over_everything_does_not_need_it(pooled, x):
    found = check(pooled, x, max_shift=4)
    assert not found.needed
    assert found.max_shift == 0
    assert found.verdict.startswith("You do not need ShiftSmooth")


def test_a_model_with_a_stride_needs_it_with_half_the_stride_at_least(of_strided):
    assert of_strided.needed
    assert 3 <= of_strided.max_shift <= 6
    assert of_strided.total_stride == 6
    assert "max_pool1d steps by 6" in of_strided.verdict


def test_the_stability_is_that_of_the_attributions(strided, x, of_strided):
    explain = ShiftSmooth(strided).attribute
    for n in (0, of_strided.max_shift):
        for far, known in (of_strided.smoothed if n else of_strided.gradient).items():
            expected = shift_stability(lambda z, n=n: explain(z, 0, max_shift=n), x, (far,))
            assert known == pytest.approx(float(expected.flatten().median()), abs=1e-5)


def test_the_prediction_moves_as_far_as_it_does(strided, x, of_strided):
    with torch.no_grad():
        outputs = {n: strided(x.roll(n, -1))[:, 0].double() for n in (-2, 0, 2)}
    moves = torch.stack([outputs[2], outputs[-2]]).sub(outputs[0]).abs() / outputs[0].std()
    assert of_strided.prediction[2][2] == pytest.approx(float(moves.max()), rel=1e-6)


def test_the_other_strand(strided, x, of_strided):
    with torch.no_grad():
        here, there = strided(x)[:, 0].double(), strided(x.flip(1, 2))[:, 0].double()
    expected = (here - there).abs().median() / here.std()
    assert of_strided.strands == pytest.approx(float(expected), rel=1e-6)


def test_mutagenesis_is_tangermemes(strided, x, of_strided):
    ism = pytest.importorskip("tangermeme.saturation_mutagenesis")
    from shiftsmooth.metrics import faithfulness

    rows = x[:8]
    _, y_hat = ism.saturation_mutagenesis(
        strided, rows, raw_outputs=True, device="cpu", verbose=False
    )[-2:]
    gradient = ShiftSmooth(strided).attribute(rows, 0, max_shift=0)
    effects = y_hat[..., 0].double()
    effects = effects - effects.mean(1, keepdim=True)
    expected = faithfulness(gradient - gradient.mean(1, keepdim=True), effects).median()
    assert of_strided.mutagenesis[0] == pytest.approx(float(expected), abs=1e-4)


def test_real_flanks_tell_the_same_of_a_model_without_padding(pooled):
    torch.manual_seed(2)
    flanked = F.one_hot(torch.randint(4, (8, 90 + 2 * 7)), 4).mT.float()
    found = check(pooled, flanked, max_shift=2, edges="flanks")
    assert (found.edges, found.needed) == ("flanks", False)


def test_tokens_are_checked_at_their_embedding():
    torch.manual_seed(0)

    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(4, 8)
            self.body = nn.Sequential(nn.Conv1d(8, 8, 6, stride=6), nn.Softplus())
            self.head = nn.Linear(8, 1)

        def forward(self, ids):
            return self.head(self.body(self.embedding(ids).mT).mean(-1))

    model, ids = Tokens().eval(), torch.randint(4, (6, 60))
    found = check(model, ids, layer=model.embedding, max_shift=3)
    smooth = LayerShiftSmooth(model, model.embedding).attribute
    expected = shift_stability(lambda z: smooth(z, 0, max_shift=0).sum(-1), ids, (1,))
    assert found.needed and found.mutagenesis is None
    assert expected.shape == (6, 1)


def test_everything_is_json(of_strided):
    values = json.loads(of_strided.to_json())
    assert values["verdict"] == of_strided.verdict
    assert values["max_shift"] == of_strided.max_shift


def test_the_model_is_in_the_mode_it_was(strided, x):
    strided.train()
    check(strided, x[:4], max_shift=1, moved=1)
    assert all(module.training for module in strided.modules())
    strided.eval()


def test_assert_shift_stable(pooled, strided, x):
    assert_shift_stable(pooled, x, at_least=0.9)
    with pytest.raises(AssertionError, match=r"correlation of 0\.\d+.*at least 0\.95"):
        assert_shift_stable(strided, x)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"X": torch.rand(1, 4, 90)}, "X: expected at least 2 examples"),
        ({"X": torch.rand(4, 4, 20)}, "X: expected more than 30 positions"),
        ({"edges": "open"}, "edges: expected"),
        ({"max_shift": 0}, "max_shift, moved: expected 1 or more"),
    ],
)
def test_bad_arguments_are_named(pooled, x, kwargs, message):
    with pytest.raises(ValueError, match=message):
        check(pooled, **{"X": x, **kwargs})


def test_flanks_are_compared_with_mutagenesis_where_all_windows_are(strided):
    torch.manual_seed(3)
    flanked = F.one_hot(torch.randint(4, (6, 60 + 2 * 7)), 4).mT.float()
    found = check(strided, flanked, max_shift=2, edges="flanks")
    x = flanked[..., 7:-7]
    ism = pytest.importorskip("tangermeme.saturation_mutagenesis")
    from shiftsmooth.metrics import faithfulness

    effects = ism.saturation_mutagenesis(
        strided, x, target=0, hypothetical=True, device="cpu", fast=False, verbose=False
    )
    gradient = ShiftSmooth(strided).attribute(x, 0, max_shift=0)
    pair = [(m - m.mean(1, keepdim=True))[..., 7:-7] for m in (gradient, effects)]
    expected = faithfulness(*pair).median()
    assert found.mutagenesis[0] == pytest.approx(float(expected), abs=1e-4)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_n_is_half_the_known_stride_at_least(stride, x):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 16, 9, stride=stride), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(),
        nn.Linear(16, 1),
    ).eval()  # fmt: skip
    found = check(model, x, max_shift=8)
    assert found.total_stride == stride
    assert found.needed
    best = max(first for first, _ in found.stability.values())
    enough = [n for n, (first, _) in found.stability.items() if first > best - 0.01]
    assert found.max_shift == min(n for n in enough if n >= stride / 2)
    assert found.stability[found.max_shift][1] > found.stability[0][1] + 0.1


def test_an_equivariant_model_has_no_power_that_varies(x):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv1d(4, 8, 5, padding=2, padding_mode="circular"), nn.Softplus(),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(8, 1),
    ).eval()  # fmt: skip
    found = check(model, x, max_shift=3)
    assert found.varying == pytest.approx(0, abs=1e-6)
    assert found.predicted == pytest.approx(dict.fromkeys(range(4), 1.0), abs=1e-6)


def test_weights_drawn_anew_for_each_position_vary_in_all_their_power(x):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 90, 1)).eval()
    found = check(model, x, max_shift=3)
    assert found.varying == pytest.approx(1, abs=0.15)
    for n, predicted in found.predicted.items():
        windows = 2 * n + 1
        expected = sum(max(0, windows - s) for s in (1, 2, 3)) / 3 / windows
        assert predicted == pytest.approx(expected, abs=0.1)


def test_the_gain_is_predicted_from_the_gradients_of_single_windows(of_strided):
    for n, measured in of_strided.stability.items():
        assert of_strided.predicted[n] == pytest.approx(sum(measured) / 2, abs=0.05)
    assert of_strided.predicted[6] > of_strided.predicted[0] + 0.2


class Alternating(nn.Module):
    def forward(self, x):
        signs = (-1.0) ** torch.arange(x.size(-1))
        return (x * signs * torch.tensor([1.0, 2.0, 3.0, 5.0])[:, None]).sum((1, 2))[:, None]


def test_a_gradient_that_no_mean_makes_stable_is_not_helped(x):
    found = check(Alternating(), x, max_shift=3)
    assert not found.needed
    for kept in found.stability.values():
        assert kept == pytest.approx((-1 / 3, -1 / 3))
    assert str(found).startswith("ShiftSmooth does not help here")
    assert "correlation of -0.333" in str(found)


def test_arguments_and_targets_go_with_their_examples(strided, x):
    class Chosen(nn.Module):
        def forward(self, x, task, mix):
            return (strided(x) @ mix).gather(1, task[:, None])

    x, options = x[:5, :, :30], {"max_shift": 2, "moved": 3}
    tasks, mix = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([[1.0, 0.5], [0.0, 2.0]])
    found = check(Chosen(), x, args=(tasks, mix), **options)
    model = nn.Sequential(strided, nn.Linear(2, 2, bias=False)).eval()
    model[1].weight.data = mix.T
    wanted = check(model, x, target=tasks.tolist(), **options)
    assert found.prediction == {s: pytest.approx(q) for s, q in wanted.prediction.items()}
    assert found.gradient == pytest.approx(wanted.gradient)
    assert found.strands == pytest.approx(wanted.strands)
    assert found.mutagenesis == pytest.approx(wanted.mutagenesis)


def test_only_letters_are_mutated(pooled, x):
    x = x[:3, :, :30]
    assert check(pooled, x, max_shift=2).mutagenesis is not None
    assert check(pooled, 0.5 * x, max_shift=2).mutagenesis is None


def test_a_layer_without_the_sequence_is_named(pooled, x):
    with pytest.raises(ValueError, match=r"layer .*expected one dimension of length 90"):
        check(pooled, x, layer=pooled[2], max_shift=2)
