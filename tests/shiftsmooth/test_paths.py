"""Methods that are linear in gradients, as attributions of F, against a loop that calls them."""

import re

import pytest
import torch
from captum.attr import DeepLift, InputXGradient, IntegratedGradients, NoiseTunnel, Saliency
from torch import nn

from shiftsmooth import ShiftSmooth
from tests.support import models
from tests.support.naive import naive

SHIFTS = range(-3, 4)


class Trunk(nn.Module):
    """(B, 4, L) -> (B, 2), which shares; it counts the rows of its convolution."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv1d(4, 8, 5, padding=2)
        self.head = nn.Linear(8, 2)
        self.double().eval()

    def forward(self, x):
        return self.head(self.conv(x).sigmoid().amax(-1)).tanh()


@pytest.fixture
def x():
    return torch.randn(3, 4, 16).double()


COLUMN = torch.tensor([0.3, -0.2, 0.1, 0.5]).double()[None, :, None]
CALLS = {
    "no baseline": {},
    "a number": {"baselines": 0.25},
    "a column": {"baselines": COLUMN.expand(1, 4, 16)},
    "a column per example": {"baselines": COLUMN.expand(3, 4, 16)},
    "midpoints": {"method": "riemann_middle"},
    "trapezoids": {"method": "riemann_trapezoid", "baselines": 0.1},
    "batches": {"internal_batch_size": 7},
}


def looped(attribution, x, region=None, edges="circular", shifts=SHIFTS, **kwargs):
    def attribute(copies, move):
        options = dict(kwargs)
        if isinstance(kwargs.get("baselines"), torch.Tensor):
            options["baselines"] = kwargs["baselines"][..., : copies[0].size(-1)]
        return attribution.attribute((copies[0].requires_grad_(),), target=1, **options)

    return naive(attribute, (x,), shifts, ((-1,),), region=region, edges=edges)[0]


@pytest.mark.parametrize("share", [False, True, "auto"])
@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("kwargs", CALLS.values(), ids=CALLS)
def test_integrated_gradients_of_f_are_the_mean_over_shifts(x, kwargs, multiply, share):
    method = IntegratedGradients(Trunk(), multiply_by_inputs=multiply)
    smooth = ShiftSmooth(method, share)
    found = smooth.attribute(x, 1, max_shift=3, n_steps=6, **kwargs)
    expected = looped(method, x, n_steps=6, **kwargs)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    if share is True:
        assert smooth.sharing.shared


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [(InputXGradient, {}), (Saliency, {"abs": False})],
    ids=["input x gradient", "signed saliency"],
)
@pytest.mark.parametrize("options", [{}, {"region": (2, 13)}, {"edges": "flanks"}], ids=str)
def test_other_methods_that_are_linear_share_too(x, build, kwargs, options):
    method = build(Trunk())
    smooth = ShiftSmooth(method, share=True)
    found = smooth.attribute(x, 1, max_shift=3, **kwargs, **options)
    expected = looped(method, x, **kwargs, **options)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    assert smooth.sharing.shared == ("region" not in options)


def test_the_path_needs_as_many_passes_as_it_has_steps(x):
    model = Trunk()
    smooth = ShiftSmooth(IntegratedGradients(model), share=True)
    options = {"max_shift": 3, "n_steps": 4, "internal_batch_size": 3}
    smooth.attribute(x, 1, **options)
    calls = []
    model.forward = lambda x, forward=model.forward: calls.append(len(x)) or forward(x)
    smooth.attribute(x, 1, **options)
    assert len(calls) == 4  # one shared pass per step, whatever the number of shifts


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("kwargs", [CALLS["no baseline"], CALLS["a column"]], ids=str)
def test_the_delta_is_against_the_difference_of_f(x, kwargs, share):
    model = Trunk()
    found, delta = ShiftSmooth(IntegratedGradients(model), share).attribute(
        x, 1, max_shift=3, n_steps=3, return_convergence_delta=True, **kwargs
    )
    start = kwargs.get("baselines", torch.zeros(1, 4, 16).double()).expand_as(x)
    difference = sum(
        (model(x.roll(n, -1)) - model(start.roll(n, -1)))[:, 1].detach() / 7 for n in SHIFTS
    )
    torch.testing.assert_close(delta, found.sum((1, 2)) - difference)
    assert delta.abs().max() > 1e-6


def test_several_inputs_each_with_a_baseline():
    model = models.mixer((4, 9), (6,))
    inputs = torch.randn(2, 4, 9).double(), torch.randn(2, 6).double()
    baselines = 0.3, torch.randn(2, 6).double()  # the second input does not shift
    method = IntegratedGradients(model)

    def attribute(copies, move):
        leaves = tuple(c.requires_grad_() for c in copies)
        return method.attribute(leaves, target=1, baselines=baselines, n_steps=5)

    expected = naive(attribute, inputs, SHIFTS, ((-1,), ()))
    found = ShiftSmooth(method).attribute(
        inputs, 1, dim=(-1, None), max_shift=3, baselines=baselines, n_steps=5
    )
    for a, b in zip(found, expected):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)


def test_arguments_and_targets_go_with_their_examples(x):
    model = Trunk()
    scale = torch.rand(3, 1).double()
    mask = torch.rand(3, 16).double()

    def f(x, scale, mask):
        return model(x * mask[:, None]) * scale

    method = IntegratedGradients(f)

    def attribute(copies, move):
        args = (scale, move(mask, -1))
        leaves = (copies[0].requires_grad_(),)
        return method.attribute(leaves, target=[0, 1, 0], additional_forward_args=args, n_steps=4)

    (expected,) = naive(attribute, (x,), SHIFTS, ((-1,),))
    found = ShiftSmooth(method).attribute(
        x, [0, 1, 0], (scale, mask), max_shift=3, n_steps=4, roll_args=(1,)
    )
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


def test_an_argument_without_a_row_per_example_is_given_to_every_shift(x):
    trunk, table = Trunk(), torch.randn(5, 2).double()
    method = InputXGradient(lambda x, table: trunk(x) @ table.T)

    def attribute(copies, move):
        return method.attribute((copies[0].requires_grad_(),), 1, table)

    (expected,) = naive(attribute, (x,), SHIFTS, ((-1,),))
    smooth = ShiftSmooth(method, share=True)
    found = smooth.attribute(x, 1, table, max_shift=3)
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)
    assert smooth.sharing.shared


@pytest.mark.parametrize("baselines", [(0.0, 0.0), "zero", (None,)], ids=str)
def test_baselines_that_captum_refuses_are_its_error(x, baselines):
    method = IntegratedGradients(Trunk())
    with pytest.raises(AssertionError) as error:
        method.attribute(x, baselines, 1)
    with pytest.raises(AssertionError, match=re.escape(str(error.value))):
        ShiftSmooth(method).attribute(x, 1, baselines=baselines)


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [
        (IntegratedGradients, {"baselines": torch.randn(3, 4, 16).double()}),
        (IntegratedGradients, {"baselines": torch.arange(16.0).double().expand(1, 4, 16)}),
        (Saliency, {}),
        (lambda model: NoiseTunnel(IntegratedGradients(model)), {"nt_samples": 2}),
        (DeepLift, {}),
        (type("Mine", (IntegratedGradients,), {}), {}),
    ],
    ids=["a baseline", "a ramp", "absolute saliency", "tunnel", "deep lift", "another class"],
)
def test_anything_else_is_called_for_every_shift(x, build, kwargs):
    class Layers(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv1d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
            self.double()(torch.zeros(1, 4, 16).double())

    smooth = ShiftSmooth(build(Layers()), share=True)
    smooth.attribute(x, 1, max_shift=2, **kwargs)
    assert "another attribution" in smooth.sharing.reason


def test_the_method_itself_is_left_as_it_was(x):
    method = IntegratedGradients(Trunk())
    before = dict(vars(method))
    ShiftSmooth(method).attribute(x, 1)
    assert vars(method) == before and not x.requires_grad


def test_long_inputs_are_taken_a_few_points_of_the_path_at_a_time():
    model, rows = Trunk(), []
    forward = model.forward
    model.forward = lambda x: rows.append(len(x)) or forward(x)
    x, target = torch.randn(2, 4, 9000).double(), torch.tensor([0, 1])
    smooth = ShiftSmooth(IntegratedGradients(model), share=False)
    found = smooth.attribute(x, target, max_shift=1, n_steps=3)
    assert max(rows) <= 3 * 2
    shifted = [
        IntegratedGradients(model).attribute(x.roll(n, -1), target=target, n_steps=3).roll(-n, -1)
        for n in (-1, 0, 1)
    ]
    torch.testing.assert_close(found, torch.stack(shifted).mean(0))
