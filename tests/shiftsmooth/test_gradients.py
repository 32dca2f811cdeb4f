"""Means over strands, models and several targets, against a loop over all of them."""

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, FeatureAblation, InputXGradient, IntegratedGradients
from torch import nn

from shiftsmooth import ShiftSmooth
from tests.support import models
from tests.support.naive import gradient, naive

EXACT = {"atol": 1e-12, "rtol": 1e-12}
SHIFTS = (-2, -1, 0, 1, 2)
REDUCTIONS = {
    "mean": lambda each: each.mean(0),
    "variance": lambda each: each.var(0, correction=0),
    "median": lambda each: torch.from_numpy(np.median(each.numpy(), 0)),
}


@pytest.fixture
def x():
    return torch.randn(3, 4, 16).double()


class Trunk(nn.Module):
    """A convolution, pooling over all positions and three outputs: it shares."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.conv = nn.Conv1d(4, 8, 5, padding=2)
        self.head = nn.Linear(8, 3)
        self.double().eval()

    def forward(self, x):
        return self.head(self.conv(x).relu().amax(-1)).tanh()


class Symmetric(Trunk):
    """The same for both strands."""

    def forward(self, x):
        return super().forward(x) + super().forward(x.flip((1, 2)))


def each_view(functions, x, target, shifts=SHIFTS, strands=1, edges="circular"):
    """The gradient of every function, in every window, of either strand: (views, B, 4, L)."""
    reach = max(map(abs, shifts)) if edges == "flanks" else 0
    found = []
    for f in functions:
        for strand in range(strands):
            for n in shifts:
                leaf = x.clone().requires_grad_()
                window = leaf.roll(n, -1)
                if edges == "flanks":
                    window = leaf[..., reach - n : x.size(-1) - reach - n]
                window = window.flip((1, 2)) if strand else window
                f(window)[:, target].sum().backward()
                found.append(leaf.grad)
    return torch.stack(found)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_both_strands_of_every_window_are_averaged(x, share, reduction):
    model = Trunk()
    found = ShiftSmooth(model, share).attribute(x, 1, max_shift=2, strands=2, reduction=reduction)
    expected = REDUCTIONS[reduction](each_view([model], x, 1, strands=2))
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("share", [False, True])
def test_strands_of_windows_with_flanks_and_any_shifts(x, share):
    model, shifts = Trunk(), (3, 1, 0)
    smooth = ShiftSmooth(model, share)
    found = smooth.attribute(x, 2, shifts=shifts, strands=2, edges="flanks")
    total = each_view([model], x, 2, shifts, 2, "flanks").sum(0)
    count = torch.tensor([sum(3 - n <= i < 13 - n for n in shifts) for i in range(16)])
    torch.testing.assert_close(found, total / (2 * count.clamp_min(1)), **EXACT)
    assert smooth.sharing.shared == share


def test_strands_of_sequences_with_the_letters_last(x):
    model = Trunk()
    last = ShiftSmooth(lambda x: model(x.mT)).attribute(x.mT, 0, dim=1, strands=2)
    torch.testing.assert_close(last.mT, ShiftSmooth(model).attribute(x, 0, strands=2))


def test_a_track_that_rolls_is_seen_from_the_other_strand_too(x):
    model, track = models.strided(), torch.rand(3, 16).double()

    def f(x, track):
        return model(x * track[:, None])

    found = ShiftSmooth(f).attribute(x, 0, track, max_shift=2, roll_args=(0,), strands=2)
    expected = torch.zeros_like(x)
    for n in SHIFTS:
        for turn in (lambda t: t, lambda t: t.flip(tuple(range(1, t.dim())))):
            leaf = x.clone().requires_grad_()
            f(turn(leaf.roll(n, -1)), turn(track.roll(n, -1)))[:, 0].sum().backward()
            expected += leaf.grad / 10
    torch.testing.assert_close(found, expected, **EXACT)


METHODS = {
    "integrated gradients": (IntegratedGradients, {"n_steps": 5}, True),
    "integrated gradients, baseline": (IntegratedGradients, {"n_steps": 5}, False),
    "input x gradient": (InputXGradient, {}, True),
    "deep lift": (DeepLift, {}, False),
    "feature ablation": (FeatureAblation, {}, False),
}


@pytest.mark.parametrize(("build", "kwargs", "plain"), METHODS.values(), ids=METHODS)
def test_a_method_is_averaged_over_both_strands(x, build, kwargs, plain):
    method = build(models.strided())
    baseline = torch.randn(3, 4, 16).double()

    def attribute(x, moved):
        options = {} if plain else {"baselines": moved}
        return method.attribute(x.requires_grad_(), target=1, **kwargs, **options).detach()

    expected = torch.zeros_like(x)
    for n in SHIFTS:
        window, start = x.roll(n, -1), baseline.roll(n, -1)
        expected += attribute(window, start).roll(-n, -1) / 10
        other = attribute(window.flip((1, 2)), start.flip((1, 2))).flip((1, 2))
        expected += other.roll(-n, -1) / 10
    options = {} if plain else {"baselines": baseline}
    found = ShiftSmooth(method).attribute(x, 1, max_shift=2, strands=2, **kwargs, **options)
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=1e-10)


def test_the_delta_of_both_strands_is_against_the_mean_of_both(x):
    model = models.strided()
    for baseline in (None, torch.randn(3, 4, 16).double()):
        found, delta = ShiftSmooth(IntegratedGradients(model)).attribute(
            x, 1, strands=2, n_steps=3, baselines=baseline, return_convergence_delta=True
        )
        start = torch.zeros_like(x) if baseline is None else baseline
        missing = found.sum((1, 2))
        for n in range(-5, 6):
            for turn in (lambda t: t, lambda t: t.flip((1, 2))):
                one, zero = (model(turn(t.roll(n, -1)))[:, 1] for t in (x, start))
                missing = missing - (one - zero).detach() / 22
        torch.testing.assert_close(delta, missing)


def test_a_symmetric_model_runs_one_strand_only_and_gives_the_same(x):
    model = Symmetric()
    rows = []
    model.conv.register_forward_hook(lambda module, args, output: rows.append(len(output)))
    smooth = ShiftSmooth(model)
    one = smooth.attribute(x, 1, max_shift=2)
    first = sum(rows)
    both = smooth.attribute(x, 1, max_shift=2, strands=2)
    # The model calls its convolution twice: for the gradients, and to compare both strands.
    windows = len(SHIFTS) * len(x)
    assert sum(rows) - first == 2 * windows + 2 * 2 * (windows + len(x))
    torch.testing.assert_close(one, both, **EXACT)
    torch.testing.assert_close(both, each_view([model], x, 1, strands=2).mean(0), **EXACT)


class Nearly(Trunk):
    """Hides what differs between the strands under a large constant."""

    def forward(self, x):
        return 1e4 + super().forward(x)


class Dead(nn.Module):
    """Gives zero for both strands of all that it is likely to see."""

    def forward(self, x):
        return (x[:, :1] - 100).relu().sum(-1).expand(-1, 2)


def test_one_example_that_tells_the_strands_apart_is_enough(x):
    class Rarely(Symmetric):
        def forward(self, x):
            return super().forward(x) + (x[:, :1].amax(-1) - 50).relu() * x[:, 1].sum(1)[:, None]

    model, many = Rarely(), x.repeat(5, 1, 1)
    many[-1, 0, 3] = 60
    found = ShiftSmooth(model).attribute(many, 1, max_shift=2, strands=2)
    expected = each_view([model], many, 1, strands=2).mean(0)
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("build", [Nearly, Dead])
def test_a_model_that_only_looks_symmetric_runs_both_strands(x, build):
    model = build()
    found = ShiftSmooth(model).attribute(x, 1, max_shift=2, strands=2)
    torch.testing.assert_close(found, each_view([model], x, 1, strands=2).mean(0))


@pytest.mark.parametrize(
    ("shape", "options"), [((2, 5, 16), {}), ((2, 16), {}), ((2, 4, 16), {"dim": (1, 2)})]
)
def test_other_inputs_have_no_other_strand(shape, options):
    smooth = ShiftSmooth(lambda x: x.flatten(1).sum(1))
    with pytest.raises(ValueError, match=r"strands: expected 1 for inputs that are not DNA"):
        smooth.attribute(torch.randn(shape), max_shift=1, strands=2, **options)


def test_strands_are_one_or_two(x):
    with pytest.raises(ValueError, match="strands: expected 1 or 2, got 3"):
        ShiftSmooth(models.strided()).attribute(x, 0, strands=3)


# Several targets


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("targets", [(0, 2), "all", [1]])
def test_several_targets_are_those_of_one_after_the_other(x, share, reduction, targets):
    smooth = ShiftSmooth(Trunk(), share)
    options = {"max_shift": 2, "reduction": reduction, "strands": 2}
    found = smooth.attribute(x, targets=targets, **options)
    chosen = range(3) if targets == "all" else targets
    expected = torch.stack([smooth.attribute(x, t, **options) for t in chosen])
    torch.testing.assert_close(found, expected, **EXACT)


def test_several_targets_of_several_inputs_are_stacked_for_each():
    model = models.mixer((4, 9), (6,))
    inputs = torch.randn(2, 4, 9).double(), torch.randn(2, 6).double()
    smooth = ShiftSmooth(model)
    found = smooth.attribute(inputs, targets="all", dim=(-1, None), max_shift=2)
    each = [smooth.attribute(inputs, t, dim=(-1, None), max_shift=2) for t in (0, 1)]
    for a, *b in zip(found, *each):
        torch.testing.assert_close(a, torch.stack(b), **EXACT)


def test_targets_may_be_tuples_of_indices(x):
    model = nn.Conv1d(4, 3, 2, stride=2).double()
    smooth = ShiftSmooth(model)
    found = smooth.attribute(x, targets=((0, 1), (2, 5)))
    expected = torch.stack([smooth.attribute(x, t) for t in ((0, 1), (2, 5))])
    torch.testing.assert_close(found, expected, **EXACT)


@pytest.mark.parametrize("build", [IntegratedGradients, DeepLift])
def test_a_method_takes_several_targets_too(x, build):
    smooth = ShiftSmooth(build(models.strided()))
    found = smooth.attribute(x, targets=(1, 0), max_shift=2)
    expected = torch.stack([smooth.attribute(x, t, max_shift=2) for t in (1, 0)])
    torch.testing.assert_close(found, expected, **EXACT)


def test_a_model_that_needs_both_strands_is_asked_once(x):
    rows = []
    model = models.strided()
    smooth = ShiftSmooth(lambda x: rows.append(len(x)) or model(x), share=False)
    for _ in range(2):
        rows.clear()
        found = smooth.attribute(x, 0, max_shift=2, strands=2)
    assert sum(rows) == 2 * 5 * len(x)
    expected = ShiftSmooth(model, share=False).attribute(x, 0, max_shift=2, strands=2)
    torch.testing.assert_close(found, expected, **EXACT)


def test_several_targets_share(x):
    smooth = ShiftSmooth(Trunk(), share=True)
    smooth.attribute(x, targets="all")
    assert smooth.sharing.shared, smooth.sharing


@pytest.mark.parametrize("share", [False, True])
def test_several_targets_need_one_forward_pass(x, share):
    model = Trunk()
    smooth = ShiftSmooth(model, share)
    smooth.attribute(x, targets="all")  # what is decided once
    smooth.attribute(x, 0)
    calls = []
    model.forward = lambda x, forward=model.forward: calls.append(1) or forward(x)
    smooth.attribute(x, 0)
    one = len(calls)
    smooth.attribute(x, targets=(0, 1, 2))
    assert len(calls) == 2 * one


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"targets": (0,), "target": 1}, r"targets: expected None where target is given"),
        ({"targets": "some"}, "targets: expected indices, 'all' or None, got 'some'"),
        ({"targets": ()}, r"targets: .* got \(\)"),
        ({"targets": 3}, "targets: .* got 3"),
    ],
)
def test_bad_targets_are_an_error(x, options, words):
    with pytest.raises(ValueError, match=words):
        ShiftSmooth(Trunk()).attribute(x, **options)


def test_all_targets_of_a_profile_are_an_error(x):
    with pytest.raises(ValueError, match=r"targets: .* outputs have shape \(3, 8\)"):
        ShiftSmooth(nn.Conv1d(4, 3, 2, stride=2).double()).attribute(x, targets="all")


def test_a_target_that_is_not_there_is_an_assertion_error(x):
    with pytest.raises(AssertionError, match=r"target: .*\(3,\).* got \(0, 7\)"):
        ShiftSmooth(Trunk()).attribute(x, targets=(0, 7))


# Several models


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("wrap", [list, tuple, nn.ModuleList])
def test_models_are_averaged(x, share, reduction, wrap):
    folds = [Trunk(seed) for seed in range(3)]
    smooth = ShiftSmooth(wrap(folds), share)
    found = smooth.attribute(x, 1, max_shift=2, reduction=reduction, strands=2)
    expected = REDUCTIONS[reduction](each_view(folds, x, 1, strands=2))
    torch.testing.assert_close(found, expected, **EXACT)


def test_the_spread_of_models_comes_with_their_mean(x):
    folds = [Trunk(seed) for seed in range(3)]
    found = ShiftSmooth(folds).attribute(x, 1, max_shift=2, reduction="mean_and_std")
    each = each_view(folds, x, 1)
    expected = torch.stack([each.mean(0), each.std(0, correction=0)])
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=1e-8)


def test_several_models_have_one_forward_func_their_mean(x):
    folds = [Trunk(seed) for seed in range(3)]
    expected = torch.stack([f(x) for f in folds]).mean(0)
    torch.testing.assert_close(ShiftSmooth(folds).forward_func(x), expected)


@pytest.mark.parametrize(
    ("folds", "error", "words"),
    [
        ([], ValueError, "forward_func: expected at least one model"),
        ([Trunk(), 3], TypeError, r"forward_func\[1\]: .* got int"),
        ([DeepLift(Trunk())], TypeError, r"forward_func\[0\]: .* got DeepLift"),
    ],
)
def test_a_list_of_something_else_is_an_error(folds, error, words):
    with pytest.raises(error, match=words):
        ShiftSmooth(folds)


def test_the_median_of_any_call_can_be_shared_by_nothing(x):
    smooth = ShiftSmooth(Trunk(), share=True)
    found = smooth.attribute(x, 0, max_shift=2, reduction="median")
    (expected,) = naive(
        gradient(lambda x: Trunk()(x)[:, 0]), (x,), SHIFTS, ((-1,),), reduction=np.nanmedian
    )
    torch.testing.assert_close(found, expected, **EXACT)
    assert "only a plain mean" in smooth.sharing.reason
