"""ShiftSmooth of other Captum methods against a loop over shifts that calls them itself."""

import pytest
import torch
from captum.attr import (
    LRP,
    Deconvolution,
    DeepLift,
    DeepLiftShap,
    FeatureAblation,
    FeaturePermutation,
    GradientShap,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    LayerGradCam,
    LayerIntegratedGradients,
    Lime,
    NeuronGradient,
    NoiseTunnel,
    Occlusion,
    Saliency,
    ShapleyValueSampling,
)
from captum.testing.helpers.basic import set_all_random_seeds
from torch import nn

from shiftsmooth import ShiftSmooth
from tests.support import models
from tests.support.naive import naive

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{message}:UserWarning")
    for message in (
        "Setting forward, backward hooks",
        "Setting backward hooks",
        "Internal batch size cannot be less",
    )
]

EXACT = {"atol": 1e-9, "rtol": 1e-9}
# Some methods answer in float32 whatever comes.
SINGLE = {"atol": 1e-7, "rtol": 1e-4}
SHIFTS = (-2, -1, 0, 1, 2)


def close(found, expected, **tolerance):
    found = found if isinstance(found, tuple) else (found,)
    assert len(found) == len(expected)
    for a, b in zip(found, expected):
        torch.testing.assert_close(a.double(), b, **(tolerance or EXACT))


@pytest.fixture
def x():
    return torch.randn(3, 4, 16, dtype=torch.float64)


class Image(nn.Module):
    """(B, 1, 4, 16) -> (B, 2), of the layers for which LRP has rules."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 5, (4, 5), padding=(0, 2))
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d((1, 4))
        self.linear = nn.Linear(20, 2)

    def forward(self, x):
        return self.linear(self.pool(self.relu(self.conv(x))).flatten(1))


def looped(method, inputs, arguments=None, dims=None, **options):
    """The mean over shifts of what `method` gives; `arguments(move)` are its own, per shift."""
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)

    def attribute(copies, move):
        copies = tuple(c.requires_grad_(c.is_floating_point()) for c in copies)
        more = arguments(move) if arguments else {}
        found = method.attribute(copies, target=1, **more)
        if more.get("return_convergence_delta"):
            found, delta = found
            deltas.append(delta.detach())
        return found

    deltas = []
    shifts = options.pop("shifts", SHIFTS)
    result = naive(attribute, inputs, shifts, dims or ((-1,),) * len(inputs), **options)
    return (result, deltas) if deltas else result


def plain(**kwargs):
    return lambda move: kwargs


DETERMINISTIC = {
    "saliency": (Saliency, {}),
    "input x gradient": (InputXGradient, {}),
    "integrated gradients": (IntegratedGradients, {"n_steps": 7}),
    "integrated gradients, scalar baseline": (
        IntegratedGradients,
        {"n_steps": 7, "baselines": 0.3, "method": "riemann_trapezoid", "internal_batch_size": 4},
    ),
    "deep lift": (DeepLift, {}),
    "deep lift, scalar baseline": (DeepLift, {"baselines": 0.3}),
    "guided backprop": (GuidedBackprop, {}),
    "deconvolution": (Deconvolution, {}),
    "occlusion": (Occlusion, {"sliding_window_shapes": (4, 3), "strides": (4, 2)}),
    "feature ablation": (FeatureAblation, {"perturbations_per_eval": 5}),
    "noise tunnel without noise": (
        lambda model: NoiseTunnel(Saliency(model)),
        {"nt_samples": 3, "stdevs": 0.0},
    ),
    "noise tunnel over integrated gradients": (
        lambda model: NoiseTunnel(IntegratedGradients(model)),
        {"nt_samples": 3, "nt_samples_batch_size": 2, "stdevs": 0.0, "n_steps": 4},
    ),
}


@pytest.mark.parametrize("shifts_per_eval", [None, 1, 3])
@pytest.mark.parametrize(("build", "kwargs"), DETERMINISTIC.values(), ids=DETERMINISTIC)
def test_a_method_is_averaged_over_shifts(x, build, kwargs, shifts_per_eval):
    method = build(models.strided())
    expected = looped(method, x, plain(**kwargs))
    found = ShiftSmooth(method).attribute(
        x, 1, max_shift=2, shifts_per_eval=shifts_per_eval, **kwargs
    )
    assert isinstance(found, torch.Tensor) and not found.requires_grad
    close(found, expected, **(SINGLE if build is Occlusion else EXACT))


def test_relevance_is_averaged_over_shifts():
    method = LRP(Image().double().eval())
    x = torch.randn(3, 1, 4, 16).double()
    close(ShiftSmooth(method).attribute(x, 1, max_shift=2), looped(method, x))


MASKS = {
    "positions": torch.arange(16).expand(1, 4, 16) // 3,
    "one row of positions": torch.arange(16).reshape(1, 1, 16) // 3,
    "channels": torch.arange(4).reshape(1, 4, 1),
    "per example": torch.arange(16).expand(3, 4, 16) // torch.tensor([2, 3, 4])[:, None, None],
}

RANDOM = {
    "gradient shap": (
        GradientShap,
        {"n_samples": 3, "stdevs": 0.1, "baselines": torch.arange(128.0).reshape(2, 4, 16).sin()},
    ),
    "feature permutation": (FeaturePermutation, {}),
    "kernel shap": (KernelShap, {"n_samples": 20, "feature_mask": MASKS["positions"]}),
    "lime": (Lime, {"n_samples": 20, "feature_mask": MASKS["positions"]}),
    "shapley value sampling": (ShapleyValueSampling, {"n_samples": 2}),
    "noise tunnel": (
        lambda model: NoiseTunnel(Saliency(model)),
        {"nt_samples": 4, "nt_samples_batch_size": 3, "nt_type": "vargrad", "stdevs": 0.2},
    ),
    "noise tunnel over gradient shap": (
        lambda model: NoiseTunnel(GradientShap(model)),
        {"nt_samples": 2, "stdevs": 0.1, "baselines": torch.arange(192.0).reshape(3, 4, 16).sin()},
    ),
    "noise tunnel over deep lift": (
        lambda model: NoiseTunnel(DeepLift(model)),
        {"nt_samples": 3, "stdevs": 0.2},
    ),
}


@pytest.mark.filterwarnings("ignore:You are providing multiple inputs for Lime:UserWarning")
@pytest.mark.parametrize(("build", "kwargs"), RANDOM.values(), ids=RANDOM)
def test_a_method_that_draws_draws_anew_for_every_shift(x, build, kwargs):
    if build in (Lime, KernelShap):
        pytest.importorskip("sklearn")
    method = build(models.strided())
    rolled = kwargs.keys() & {"feature_mask", "baselines"}
    # These mix the rows of a batch, so they must see one shift at a time, asked for or not.
    alone = None if build is FeaturePermutation or "baselines" in kwargs else 1
    set_all_random_seeds(3)
    expected = looped(
        method, x, lambda move: {**kwargs, **{k: move(kwargs[k], -1) for k in rolled}}
    )
    set_all_random_seeds(3)
    found = ShiftSmooth(method).attribute(x, 1, max_shift=2, shifts_per_eval=alone, **kwargs)
    close(found, expected, **SINGLE)


# Baselines and masks


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("shifts_per_eval", [None, 1, 3])
@pytest.mark.parametrize("build", [IntegratedGradients, DeepLift, FeatureAblation])
def test_a_baseline_is_shifted_with_the_input(x, build, rows, shifts_per_eval):
    method = build(models.strided())
    baseline = torch.randn(rows, 4, 16).double()
    expected = looped(method, x, lambda move: {"baselines": move(baseline, -1)})
    found = ShiftSmooth(method).attribute(
        x, 1, max_shift=2, baselines=baseline, shifts_per_eval=shifts_per_eval
    )
    close(found, expected)
    still = looped(method, x, plain(baselines=baseline))
    assert (found - still[0]).abs().max() > 1e-3


def test_a_baseline_is_shifted_by_region_and_flank_as_the_input_is(x):
    baseline = torch.randn(3, 4, 16).double()
    for options, model in (
        ({"region": (3, 12)}, models.strided()),
        ({"edges": "flanks"}, models.mixer((4, 12))),
    ):
        method = IntegratedGradients(model)
        arguments = lambda move: {"baselines": move(baseline, -1)}  # noqa: E731
        expected = looped(method, x, arguments, **options)
        close(
            ShiftSmooth(method).attribute(x, 1, max_shift=2, baselines=baseline, **options),
            expected,
        )


def test_baselines_of_several_inputs_are_shifted_each_in_its_way():
    inputs = (
        torch.randn(2, 4, 9).double(),
        torch.randn(2, 5, 3).double(),
        torch.randn(2, 6).double(),
    )
    baselines = torch.randn(2, 4, 9).double(), torch.randn(1, 5, 3).double(), 0.5
    method = IntegratedGradients(models.mixer((4, 9), (5, 3), (6,)))
    expected = looped(
        method,
        inputs,
        lambda move: {"baselines": (move(baselines[0], -1), move(baselines[1], -2), 0.5)},
        dims=((-1,), (-2,), ()),
    )
    found = ShiftSmooth(method).attribute(
        inputs, 1, max_shift=2, dim=(-1, -2, None), baselines=baselines
    )
    close(found, expected)


@pytest.mark.parametrize("size", [2, 3, 5])  # 3 is, by chance, the number of examples
@pytest.mark.parametrize("kind", ["tensor", "function", "function of the inputs"])
def test_a_distribution_of_baselines_is_shifted_with_the_input(x, size, kind):
    method = DeepLiftShap(models.strided())
    noise = torch.randn(size, 4, 16).double()
    drawn = noise + x.mean(0, keepdim=True) if kind == "function of the inputs" else noise
    given = {
        "tensor": noise,
        "function": lambda: noise,
        "function of the inputs": lambda x: noise + x.mean(0, keepdim=True),
    }[kind]
    expected = looped(method, x, lambda move: {"baselines": move(drawn, -1)})
    close(ShiftSmooth(method).attribute(x, 1, max_shift=2, baselines=given), expected)


def test_a_function_of_baselines_gets_a_tuple_when_the_method_does():
    inputs = torch.randn(2, 4, 8).double(), torch.randn(2, 6).double()
    method = GradientShap(models.mixer((4, 8), (6,)))
    seen = []

    def draw(inputs):
        seen.append(type(inputs))
        return tuple(0 * x for x in inputs)

    ShiftSmooth(method).attribute(inputs, 1, max_shift=1, baselines=draw)
    assert seen == [tuple]


def test_random_baselines_are_drawn_once_for_all_shifts(x):
    calls = []

    def draw():
        calls.append(1)
        return torch.zeros(2, 4, 16).double()

    method = DeepLiftShap(models.strided())
    ShiftSmooth(method).attribute(x, 1, max_shift=3, baselines=draw)
    assert len(calls) == 1


@pytest.mark.parametrize("size", [3, 5])  # 3 is, by chance, the number of examples
def test_noise_tunnel_draws_its_baselines_from_a_shifted_distribution(x, size):
    method = NoiseTunnel(IntegratedGradients(models.strided()))
    drawn = torch.randn(size, 4, 16).double()
    kwargs = {"draw_baseline_from_distrib": True, "nt_samples": 3, "stdevs": 0.0}
    set_all_random_seeds(3)
    expected = looped(method, x, lambda move: {"baselines": move(drawn, -1), **kwargs})
    set_all_random_seeds(3)
    close(ShiftSmooth(method).attribute(x, 1, max_shift=2, baselines=drawn, **kwargs), expected)


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
@pytest.mark.parametrize(
    ("build", "kwargs"),
    [(FeatureAblation, {}), (ShapleyValueSampling, {"n_samples": 2}), (FeaturePermutation, {})],
    ids=["ablation", "shapley value sampling", "permutation"],
)
def test_a_feature_mask_is_shifted_with_the_input(x, build, kwargs, mask):
    method = build(models.strided())

    def arguments(move):
        return {"feature_mask": move(mask, -1) if mask.size(-1) == 16 else mask, **kwargs}

    set_all_random_seeds(3)
    expected = looped(method, x, arguments)
    set_all_random_seeds(3)
    found = ShiftSmooth(method).attribute(x, 1, max_shift=2, feature_mask=mask, **kwargs)
    close(found, expected, **SINGLE)


def test_a_feature_mask_and_a_baseline_are_shifted_together(x):
    method = FeatureAblation(models.strided())
    mask, baseline = MASKS["positions"], torch.randn(3, 4, 16).double()
    expected = looped(
        method,
        x,
        lambda move: {"feature_mask": move(mask, -1), "baselines": move(baseline, -1)},
    )
    found = ShiftSmooth(method).attribute(x, 1, max_shift=2, feature_mask=mask, baselines=baseline)
    close(found, expected)


# Everything else that a method is called with


def test_flanks_apply_to_any_method(x):
    method = InputXGradient(models.mixer((4, 12)))
    expected = looped(method, x, edges="flanks")
    close(ShiftSmooth(method).attribute(x, 1, max_shift=2, edges="flanks"), expected)


def test_targets_and_arguments_reach_the_method_for_every_shifted_copy(x):
    model = models.strided()
    mask, scale = torch.rand(3, 16).double(), torch.rand(3, 1).double()

    def f(x, scale, word, mask):
        assert word == "word"
        # IntegratedGradients repeats its arguments once more, for its steps.
        return model(x * mask[:, None]) * scale

    method = IntegratedGradients(f)

    def attribute(copies, move):
        args = (scale, "word", move(mask, -1))
        return method.attribute(copies, target=[0, 1, 0], additional_forward_args=args)

    expected = naive(attribute, (x,), SHIFTS, ((-1,),))
    found = ShiftSmooth(method).attribute(
        x, [0, 1, 0], (scale, "word", mask), max_shift=2, roll_args=(2,), shifts_per_eval=3
    )
    close(found, expected)


def test_a_method_that_needs_no_gradient_takes_integers():
    table = torch.randn(9, 12, 2).double()

    def f(ids):
        return table[ids, torch.arange(12)].sin().sum(1)

    ids = torch.randint(0, 9, (3, 12))
    method = FeatureAblation(f)
    expected = looped(method, ids, plain(baselines=0))
    close(ShiftSmooth(method).attribute(ids, 1, max_shift=2, baselines=0), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    class Plain(InputXGradient):  # not known to be linear, so it is called for every shift
        pass

    x = torch.randn(2, 2, 48).to(dtype)
    method = Plain(models.mixer((2, 48), dtype=dtype))
    expected = looped(method, x, shifts=range(-20, 21))
    found = ShiftSmooth(method).attribute(x, 1, max_shift=20)
    assert found.dtype == dtype
    eps = torch.finfo(dtype).eps
    close(found, expected, rtol=0.51 * eps, atol=eps * 1e-3)


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [
        (lambda model: Saliency(model), {}),
        (lambda model: InputXGradient(model), {}),
        (lambda model: IntegratedGradients(model), {"n_steps": 5, "baselines": 0.2}),
        (lambda model: DeepLift(model), {}),
        (lambda model: GuidedBackprop(model), {}),
        (lambda model: FeatureAblation(model), {}),
    ],
    ids=["saliency", "input x gradient", "integrated gradients", "deep lift", "guided", "ablation"],
)
def test_on_a_model_that_ignores_shifts_the_method_is_unchanged(x, build, kwargs):
    method = build(models.circular())
    expected = method.attribute(x.clone().requires_grad_(), target=0, **kwargs)
    close(ShiftSmooth(method).attribute(x, 0, max_shift=3, **kwargs), (expected.detach(),))


def test_a_neuron_can_be_explained(x):
    model = models.strided()
    method = NeuronGradient(model, model.conv)
    expected = ShiftSmooth(lambda x: model.conv(x)[:, 2, 3]).attribute(x, max_shift=2)
    close(ShiftSmooth(method).attribute(x, max_shift=2, neuron_selector=(2, 3)), (expected,))


def test_smoothing_noise_without_noise_is_smoothing(x):
    smooth = ShiftSmooth(models.strided())
    expected = smooth.attribute(x, [1, 0, 1], max_shift=2)
    found = NoiseTunnel(smooth).attribute(
        x, target=[1, 0, 1], max_shift=2, nt_samples=3, nt_samples_batch_size=2, stdevs=0.0
    )
    close(found, (expected,))


def test_noise_tunnel_around_a_smoothed_method_repeats_its_arguments(x):
    smooth = ShiftSmooth(IntegratedGradients(lambda x, s: models.strided()(x) * s))
    scale, baseline = torch.rand(3, 1).double(), torch.randn(3, 4, 16).double()
    kwargs = {"max_shift": 2, "baselines": baseline, "additional_forward_args": scale, "target": 1}
    expected = smooth.attribute(x, **kwargs)
    found = NoiseTunnel(smooth).attribute(x, nt_samples=3, stdevs=0.0, **kwargs)
    close(found, (expected,))


def test_a_method_of_a_third_party_is_called_as_it_is(x):
    calls = []

    def doubled(attribute):
        def run(*args, **kwargs):
            calls.append(1)
            return 2 * attribute(*args, **kwargs)

        run.__wrapped__ = attribute
        return run

    class Doubled(InputXGradient):
        attribute = doubled(InputXGradient.attribute)

    model = models.strided()
    expected = 2 * ShiftSmooth(InputXGradient(model)).attribute(x, 1, max_shift=1)
    close(ShiftSmooth(Doubled(model)).attribute(x, 1, max_shift=1), (expected,))
    assert calls


@pytest.mark.parametrize("tunnel", [False, True])
@pytest.mark.parametrize("abs", [False, True, None])
def test_a_method_that_takes_abs_gets_it(x, abs, tunnel):
    model = models.strided()
    method = NoiseTunnel(Saliency(model)) if tunnel else Saliency(model)
    options = {"nt_samples": 2, "stdevs": 0.0} if tunnel else {}
    given = {} if abs is None else {"abs": abs}
    expected = looped(Saliency(model), x, plain(**given))
    found = ShiftSmooth(method).attribute(x, 1, max_shift=2, **given, **options)
    close(found, expected)
    assert (found < 0).any() == (abs is False)


# Completeness


def mean_difference(model, x, baseline, target=1, shifts=SHIFTS):
    """F(x) - F(baseline), F the mean of the model over shifted copies: one number an example."""
    differences = [
        model(x.roll(n, -1))[:, target] - model(baseline.roll(n, -1))[:, target] for n in shifts
    ]
    return torch.stack(differences).mean(0).detach()


def test_smoothed_integrated_gradients_sum_to_the_mean_difference_of_outputs(x):
    model = models.mixer((4, 16))
    baseline = torch.randn(3, 4, 16).double()
    found = ShiftSmooth(IntegratedGradients(model)).attribute(
        x, 1, max_shift=2, baselines=baseline, n_steps=100
    )
    total = found.sum((1, 2))
    close(total, (mean_difference(model, x, baseline),), atol=1e-7, rtol=0)


@pytest.mark.parametrize("shifts_per_eval", [None, 1, 3])
@pytest.mark.parametrize("rows", [0, 1, 3])
@pytest.mark.parametrize("build", [IntegratedGradients, DeepLift])
def test_the_delta_is_what_is_missing_to_the_mean_difference(x, build, rows, shifts_per_eval):
    model = models.strided()
    kwargs = {"n_steps": 3} if build is IntegratedGradients else {}
    baseline = torch.randn(rows, 4, 16).double() if rows else torch.zeros(1, 4, 16).double()
    smooth = ShiftSmooth(build(model))
    found, delta = smooth.attribute(
        x,
        1,
        max_shift=2,
        baselines=baseline if rows else None,
        return_convergence_delta=True,
        shifts_per_eval=shifts_per_eval,
        **kwargs,
    )
    assert delta.shape == (3,) and not delta.requires_grad
    missing = found.sum((1, 2)) - mean_difference(model, x, baseline.expand(3, -1, -1))
    close(delta, (missing,))
    assert build is DeepLift or delta.abs().max() > 1e-4
    again = smooth.compute_convergence_delta(
        found, baseline if rows else 0, x, target=1, max_shift=2
    )
    close(again, (missing,))


def test_the_delta_of_several_inputs_with_masks_that_roll():
    model = models.mixer((4, 9), (6,))
    inputs = torch.randn(2, 4, 9).double(), torch.randn(2, 6).double()
    start = torch.randn(2, 4, 9).double(), torch.randn(1, 6).double()
    mask = torch.rand(2, 9).double()

    def f(a, b, mask):
        return model(a * mask[:, None], b)

    smooth = ShiftSmooth(IntegratedGradients(f))
    options = {"dim": (-1, None), "shifts": [2, -1], "roll_args": (0,), "region": (1, 8)}
    found, delta = smooth.attribute(
        inputs, 0, mask, baselines=start, n_steps=4, return_convergence_delta=True, **options
    )
    again = smooth.compute_convergence_delta(found, start, inputs, 0, mask, **options)
    close(delta, (again,))
    assert delta.abs().max() > 1e-4


@pytest.mark.parametrize("size", [2, 3])
def test_the_delta_of_a_distribution_of_baselines_is_their_mean(x, size):
    model = models.strided()
    method = DeepLiftShap(model)
    drawn = torch.randn(size, 4, 16).double()
    found, delta = ShiftSmooth(method).attribute(
        x, 1, max_shift=2, baselines=drawn, return_convergence_delta=True
    )
    to_each = [mean_difference(model, x, b.expand(3, -1, -1)) for b in drawn]
    close(delta, (found.sum((1, 2)) - sum(to_each) / size,))


class Stepped(nn.Module):
    """A linear model and steps without a gradient, which no roll changes: (B, 4, 16) -> (B, 2)."""

    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(64, 2)

    @staticmethod
    def steps(x):
        return x.abs().sum((1, 2)).floor().detach()

    def forward(self, x):
        return self.linear(self.flatten(x)) + self.steps(x)[:, None]


DELTAS = {
    "deep lift shap": (DeepLiftShap, {"baselines": 2}),
    "gradient shap": (GradientShap, {"n_samples": 4, "baselines": 2}),
    "noise tunnel": (lambda model: NoiseTunnel(IntegratedGradients(model)), {"nt_samples": 4}),
    "noise tunnel in parts": (
        lambda model: NoiseTunnel(IntegratedGradients(model)),
        {"nt_samples": 5, "nt_samples_batch_size": 2},
    ),
    "noise tunnel in one part": (
        lambda model: NoiseTunnel(IntegratedGradients(model)),
        {"nt_samples": 3, "nt_samples_batch_size": 8},
    ),
    "noise tunnel of default length in parts": (
        lambda model: NoiseTunnel(DeepLift(model)),
        {"nt_samples_batch_size": 2},
    ),
    "noise tunnel of draws in parts": (
        lambda model: NoiseTunnel(GradientShap(model)),
        {"nt_samples": 5, "nt_samples_batch_size": 2, "n_samples": 3, "baselines": 3},
    ),
}


@pytest.mark.parametrize("shifts_per_eval", [None, 1, 2])
@pytest.mark.parametrize(("build", "kwargs"), DELTAS.values(), ids=DELTAS)
def test_the_deltas_of_a_method_that_draws_are_sorted_by_example(x, build, kwargs, shifts_per_eval):
    # A linear part is explained without a delta, and what the steps add is different for each row.
    model = Stepped().double()
    x = x * torch.tensor([1, 2, 4])[:, None, None]
    options = {} if build is DeepLiftShap else {"stdevs": 0.0}
    if "baselines" in kwargs:
        options["baselines"] = torch.zeros(kwargs["baselines"], 4, 16).double()
    _, delta = ShiftSmooth(build(model)).attribute(
        x,
        1,
        max_shift=2,
        return_convergence_delta=True,
        shifts_per_eval=shifts_per_eval,
        **{**kwargs, **options},
    )
    close(delta, (-model.steps(x),))


def test_noise_tunnel_around_a_smoothed_method_gives_a_delta_per_sample(x):
    smooth = ShiftSmooth(IntegratedGradients(models.strided()))
    options = {"target": 1, "max_shift": 2, "n_steps": 3, "return_convergence_delta": True}
    _, expected = smooth.attribute(x, **options)
    _, delta = NoiseTunnel(smooth).attribute(x, nt_samples=2, stdevs=0.0, **options)
    close(delta, (expected.repeat_interleave(2),))


# Errors


@pytest.mark.parametrize(
    ("build", "kwargs"),
    [
        (lambda model: LayerGradCam(model, model.conv), {}),
        (lambda model: LayerIntegratedGradients(model, model.relu), {"n_steps": 3}),
    ],
    ids=["grad cam", "layer integrated gradients"],
)
def test_a_method_whose_result_is_not_shaped_like_its_input_is_an_error(x, build, kwargs):
    method = build(models.strided())
    with pytest.raises(ValueError, match=r"\[\(3, 4, 16\)\].* got \[\(3, .*LayerShiftSmooth"):
        ShiftSmooth(method).attribute(x, 0, max_shift=1, **kwargs)


@pytest.mark.parametrize(
    ("build", "options", "error", "message"),
    [
        (InputXGradient, {"abs": True}, ValueError, "abs: expected False, .* has no such arg"),
        (Saliency, {"max_shifts": 2}, TypeError, "max_shifts: .* did you mean max_shift"),
        (
            Saliency,
            {"return_convergence_delta": True},
            ValueError,
            "return_convergence_delta: expected False, since Saliency has no convergence delta",
        ),
        (
            IntegratedGradients,
            {"return_convergence_delta": True, "edges": "flanks", "max_shift": 1},
            ValueError,
            "return_convergence_delta: expected False with edges='flanks'",
        ),
        (IntegratedGradients, {"steps": 5}, TypeError, "steps"),
        (
            IntegratedGradients,
            {"return_convergence_delta": True, "target": None, "targets": [0, 1]},
            ValueError,
            "return_convergence_delta: expected False with several targets",
        ),
    ],
)
def test_an_argument_that_the_method_cannot_take_is_an_error(x, build, options, error, message):
    with pytest.raises(error, match=message):
        ShiftSmooth(build(models.strided())).attribute(x, **{"target": 0, **options})


@pytest.mark.parametrize("build", [Saliency, IntegratedGradients, DeepLift, InputXGradient])
def test_integers_have_no_gradient_for_any_gradient_method(build):
    with pytest.raises(TypeError, match=r"inputs\[0\]: expected a floating dtype, got torch.int8"):
        ShiftSmooth(build(models.strided())).attribute(torch.zeros(2, 4, 16).to(torch.int8), 0)


def test_a_methods_own_error_gets_a_note_on_repeated_arguments(x):
    def f(x, table):  # two rows, by chance as many as examples
        return models.strided()(x) @ table

    with pytest.raises(RuntimeError) as error:
        ShiftSmooth(InputXGradient(f)).attribute(
            x[:2], 0, torch.eye(2).double(), max_shift=1, shifts_per_eval=3
        )
    assert any("additional_forward_args[0]" in note for note in error.value.__notes__)
