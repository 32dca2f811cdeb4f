"""F as a module, against the mean of the model's outputs, and in the tools that take a model."""

import copy

import pytest
import torch
from captum.attr import DeepLift, FeatureAblation, IntegratedGradients, Saliency
from ledidi import ledidi
from tangermeme.deep_lift_shap import deep_lift_shap
from tangermeme.saturation_mutagenesis import saturation_mutagenesis
from tangermeme.utils import random_one_hot
from tangermeme.variant_effect import substitution_effect
from torch import nn

from shiftsmooth import ShiftAveraged, ShiftSmooth
from tests.support import models

EXACT = {"atol": 1e-12, "rtol": 1e-12}


class Trunk(nn.Module):
    """(B, 4, L) -> (B, 3), which shares; smooth, so that it has second derivatives."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv1d(4, 8, 5, padding=2)
        self.act = nn.Sigmoid()
        self.pool = nn.AdaptiveAvgPool1d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(8, 3)
        self.tanh = nn.Tanh()
        self.double().eval()

    def forward(self, x):
        return self.tanh(self.head(self.flatten(self.pool(self.act(self.conv(x))))))


@pytest.fixture
def x():
    return torch.randn(3, 4, 16).double()


def by_hand(model, x, *args, max_shift=5, strands=1):
    windows = [x.roll(n, -1) for n in range(-max_shift, max_shift + 1)]
    windows += [w.flip((1, 2)) for w in windows] if strands == 2 else []
    return torch.stack([model(w, *args) for w in windows]).mean(0)


@pytest.mark.parametrize("share", [False, True, "auto"])
@pytest.mark.parametrize("strands", [1, 2])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_it_is_the_mean_of_the_outputs(x, share, strands, mode):
    model = Trunk()
    averaged = ShiftAveraged(model, 3, strands, share)
    with mode():
        found = averaged(x)
    torch.testing.assert_close(found, by_hand(model, x, max_shift=3, strands=strands), **EXACT)
    assert found.requires_grad == (mode is torch.enable_grad)
    if share != "auto":
        assert averaged.sharing.shared == share


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("strands", [1, 2])
def test_its_gradient_is_what_shiftsmooth_gives(x, share, strands):
    model = Trunk()
    leaf = x.clone().requires_grad_()
    ShiftAveraged(model, 3, strands, share)(leaf)[:, 1].sum().backward()
    expected = ShiftSmooth(model).attribute(x, 1, max_shift=3, strands=strands)
    torch.testing.assert_close(leaf.grad, expected, **EXACT)


@pytest.mark.parametrize("share", [False, True])
def test_it_can_be_differentiated_twice(x, share):
    averaged, model = ShiftAveraged(Trunk(), 2, share=share), Trunk()

    def second(f):
        leaf = x.clone().requires_grad_()
        (first,) = torch.autograd.grad(f(leaf)[:, 0].sum(), leaf, create_graph=True)
        return torch.autograd.grad(first.square().sum(), leaf)[0]

    expected = second(lambda x: by_hand(model, x, max_shift=2))
    torch.testing.assert_close(second(averaged), expected, **EXACT)


def test_parameters_get_their_gradients(x):
    averaged, model = ShiftAveraged(Trunk(), 2, share=True), Trunk()
    averaged(x).square().sum().backward()
    by_hand(model, x, max_shift=2).square().sum().backward()
    assert averaged.sharing.shared
    for a, b in zip(averaged.parameters(), model.parameters()):
        torch.testing.assert_close(a.grad, b.grad, **EXACT)


def test_arguments_with_a_row_per_example_go_with_their_example(x):
    model = models.strided()
    scale, table = torch.rand(3, 1).double(), torch.rand(7).double()

    def f(x, scale, table, word):
        return model(x) * scale * table.sum() * len(word)

    for share in (False, True):
        found = ShiftAveraged(f, 2, share=share)(x, scale, table, "word")
        torch.testing.assert_close(found, by_hand(f, x, scale, table, "word", max_shift=2))


def test_any_output_is_averaged(x):
    conv = nn.Conv1d(4, 3, 2, stride=2).double()
    torch.testing.assert_close(ShiftAveraged(conv)(x), by_hand(conv, x))


def test_short_and_empty_batches_are_taken(x):
    model = Trunk()
    averaged = ShiftAveraged(model, None)
    torch.testing.assert_close(averaged(x[..., :3]), by_hand(model, x[..., :3], max_shift=2))
    assert averaged(x[:0]).shape == (0, 3)


def test_without_a_graph_memory_is_that_of_a_few_rows():
    rows = []

    def f(x):
        rows.append(len(x))
        return x.sum((1, 2))

    with torch.no_grad():
        ShiftAveraged(f, 5, share=False)(torch.randn(100, 4, 16))
    assert sum(rows) == 1100 and max(rows) <= 256


def test_it_is_a_module_with_the_models_parameters_modes_and_devices():
    model = Trunk()
    averaged = ShiftAveraged(model)
    assert [*averaged.parameters()] == [*model.parameters()]
    averaged.train()
    assert model.training
    again = copy.deepcopy(averaged)
    x = torch.randn(2, 4, 16).double()
    torch.testing.assert_close(again(x), averaged(x))
    assert averaged.eval().float()(x.float()).dtype == torch.float32


# Captum


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [
        (Saliency, {"abs": False}),
        (IntegratedGradients, {"n_steps": 6, "baselines": 0.2}),
        (FeatureAblation, {"baselines": 0}),
    ],
    ids=["saliency", "integrated gradients", "ablation"],
)
@pytest.mark.parametrize("share", [False, True])
def test_a_method_that_is_linear_in_the_model_gives_what_shiftsmooth_gives(x, build, kwargs, share):
    model = Trunk()
    leaf = x.clone().requires_grad_()
    found = build(ShiftAveraged(model, 2, share=share)).attribute(leaf, target=1, **kwargs)
    expected = ShiftSmooth(build(model)).attribute(x, 1, max_shift=2, **kwargs)
    torch.testing.assert_close(found.detach(), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:Setting forward, backward hooks")
@pytest.mark.parametrize("share", [False, True])
def test_deep_lift_gives_what_shiftsmooth_gives(x, share):
    model = Trunk()
    averaged = ShiftAveraged(model, 2, share=share)
    averaged(x)  # shares before the hooks are there
    start = torch.randn(3, 4, 16).double()
    found, delta = DeepLift(averaged).attribute(
        x.clone().requires_grad_(), start, target=1, return_convergence_delta=True
    )
    expected = ShiftSmooth(DeepLift(model)).attribute(x, 1, max_shift=2, baselines=start)
    torch.testing.assert_close(found.detach(), expected, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(delta.detach(), torch.zeros(3).double(), atol=1e-9, rtol=0)


# tangermeme


@pytest.fixture
def X():
    return random_one_hot((3, 4, 20), random_state=0)


class Averages(nn.Module):
    """F by its definition, one window after the other."""

    def __init__(self, model, max_shift):
        super().__init__()
        self.model, self.max_shift = model, max_shift

    def forward(self, x):
        return by_hand(self.model, x, max_shift=self.max_shift)


@pytest.mark.parametrize("share", [False, "auto", True])
def test_saturation_mutagenesis(X, share):
    model = Trunk().float()
    options = {"device": "cpu", "target": 1}
    found = saturation_mutagenesis(ShiftAveraged(model, 2, share=share), X, **options)
    expected = saturation_mutagenesis(Averages(model, 2), X, **options)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)
    assert found.abs().max() > 1e-5


@pytest.mark.parametrize("share", [False, "auto", True])
def test_variant_effect(X, share):
    model = Trunk().float()
    edits = torch.tensor([[0, 12, 3], [2, 5, 0]])  # sequence, position, letter
    found = substitution_effect(ShiftAveraged(model, 2, share=share), X, edits, device="cpu")
    expected = substitution_effect(Averages(model, 2), X, edits, device="cpu")
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("share", [False, "auto", True])
def test_deep_lift_shap(X, share):
    model = Trunk().float()
    references = torch.stack([random_one_hot((4, 4, 20), random_state=i) for i in range(3)]).float()
    options = {"references": references, "device": "cpu", "target": 1, "hypothetical": True}
    averaged = ShiftAveraged(model, 2, share=share)
    found = deep_lift_shap(averaged, X, warning_threshold=1e-4, **options)
    # DeepLIFT of a mean is the mean of what it gives in each window.
    expected = torch.zeros(3, 4, 20)
    for n in range(-2, 3):
        moved = {**options, "references": references.roll(n, -1)}
        expected += deep_lift_shap(model, X.roll(n, -1), **moved).roll(-n, -1) / 5
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("share", [False, "auto", True])
def test_ledidi(X, share):
    model = Trunk().float()
    options = {
        "max_iter": 8,
        "lr": 3.0,
        "l": 0.0,
        "eps": 0.1,
        "device": "cpu",
        "random_state": 0,
        "verbose": False,
    }
    wanted = torch.tensor([[30.0, -30.0, 0.0]])
    found = ledidi(ShiftAveraged(model, 2, share=share), X[:1].float(), wanted, **options)
    expected = ledidi(Averages(model, 2), X[:1].float(), wanted, **options)
    torch.testing.assert_close(found, expected)
    assert (found.sum(1) == 1).all() and not torch.equal(found, X[:1].float().expand_as(found))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: ShiftAveraged(nn.Linear), TypeError, "model: .* the class Linear"),
        (lambda x: ShiftAveraged(Trunk(), strands=3), ValueError, "strands: .* got 3"),
        (lambda x: ShiftAveraged(Trunk(), -1), ValueError, "max_shift: .* got -1"),
        (lambda x: ShiftAveraged(Trunk(), share="yes"), ValueError, "share: .* got 'yes'"),
        (lambda x: ShiftAveraged(Trunk(), 16)(x), ValueError, "max_shift.* below 16"),
        (lambda x: ShiftAveraged(torch.sum, share=False)(x), ValueError, "3 examples x 11 shifts"),
    ],
)
def test_bad_arguments_are_errors_that_name_them(x, call, error, words):
    with pytest.raises(error, match=words):
        call(x)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("strands", [1, 2])
def test_outputs_of_every_window_come_shift_after_shift_with_real_flanks(share, strands):
    model, stretch = Trunk(), torch.randn(3, 4, 20).double()
    windows = [stretch[..., 2 - n : 18 - n] for n in range(-2, 3)]
    windows += [window.flip((1, 2)) for window in windows] if strands == 2 else []
    averaged = ShiftAveraged(model, 2, strands, share, edges="flanks")
    expected = torch.stack([model(window) for window in windows])
    torch.testing.assert_close(averaged.outputs(stretch), expected, **EXACT)
    torch.testing.assert_close(averaged(stretch), expected.mean(0), **EXACT)
    assert averaged.sharing.shared == share


def test_a_transform_of_torch_is_taken(x):
    averaged = ShiftAveraged(Trunk(), 2, share=True)
    found = torch.func.grad(lambda x: averaged(x)[:, 0].sum())(x)
    assert "a transform of torch.func is active" in averaged.sharing.reason
    torch.testing.assert_close(found, ShiftSmooth(Trunk()).attribute(x, 0, max_shift=2), **EXACT)


class Failing(Trunk):
    """Raises an error for more rows than this; it may tell windows from tensors."""

    def __init__(self, error, rows):
        super().__init__()
        self.error, self.rows = error, rows

    def forward(self, x):
        if len(x) > self.rows and type(x) is not torch.Tensor:
            raise self.error
        return super().forward(x)


def test_a_run_that_fails_where_work_is_shared_shares_nothing(x):
    model = Failing(ValueError("only of windows"), rows=10)  # one example of five shifts is tried
    averaged = ShiftAveraged(model, 2, share=True)
    with pytest.warns(UserWarning, match=r"shares nothing .*\(ValueError\)"):
        found = averaged(x)
    assert not averaged.sharing.shared
    torch.testing.assert_close(found, by_hand(Trunk(), x, max_shift=2), **EXACT)


def test_memory_that_runs_out_where_work_is_shared_is_an_error(x):
    averaged = ShiftAveraged(Failing(torch.OutOfMemoryError("not today"), rows=10), 2, share=True)
    with pytest.raises(torch.OutOfMemoryError, match="not today"):
        averaged(x)
    assert averaged.sharing.shared  # and a smaller batch will share
