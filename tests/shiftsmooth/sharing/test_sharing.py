"""The shared trunk against the same call run once a shift, on trunks that nobody picked."""

import inspect
import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from shiftsmooth import ShiftSmooth


class Residual(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Branches(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Strands(nn.Module):
    """The larger of what a convolution sees on the sequence and on its reverse."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(self.conv(x), self.conv(x.flip((1, 2))).flip(-1))


class Then(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)

    def extra_repr(self) -> str:
        return inspect.getsource(self.function).strip()


ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU(inplace=True),
    nn.GELU(),
    nn.ELU(),
    nn.Dropout(),
    Then(lambda x: torch.exp(x)),
    Then(lambda x: 0.3 * x.tanh() - x / 2),
    Then(lambda x: x * torch.linspace(0, 1, x.shape[1], dtype=x.dtype)[:, None]),
    Then(lambda x: x[:, -2:]),
    Then(lambda x: torch.maximum(*x.chunk(2, dim=1)) if x.shape[1] % 2 == 0 else x.square()),
    Then(lambda x: x / x.norm(dim=-1, keepdim=True)),
    Then(lambda x: x.softmax(-1).square()),
]


@st.composite
def layers(draw, channels: int, depth: int = 0):
    """One layer and the channels it gives."""
    kind = draw(
        st.sampled_from(
            ["conv", "conv", "act", "act", "max", "avg", "norm", "pad"]
            + (["residual", "branches", "strands"] if depth == 0 else [])
        )
    )
    if kind == "conv":
        kernel, stride = draw(st.integers(1, 6)), draw(st.integers(1, 3))
        dilation, padding = draw(st.integers(1, 3)), draw(st.integers(0, 5))
        mode = draw(st.sampled_from(["zeros", "zeros", "zeros", "circular", "replicate"]))
        groups = draw(st.sampled_from([1, channels]))
        return nn.Conv1d(
            channels, 2 * channels, kernel, stride, padding, dilation, groups, padding_mode=mode
        ), 2 * channels
    if kind in ("max", "avg"):
        kernel, stride = draw(st.integers(1, 5)), draw(st.integers(1, 4))
        padding, ceil = draw(st.integers(0, kernel // 2)), draw(st.booleans())
        pool = nn.MaxPool1d if kind == "max" else nn.AvgPool1d
        return pool(kernel, stride, padding, ceil_mode=ceil), channels
    if kind == "norm":
        norm = nn.BatchNorm1d(channels)
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
        return norm, channels
    if kind == "pad":
        return nn.ConstantPad1d((draw(st.integers(0, 4)), draw(st.integers(0, 4))), 0.25), channels
    if kind in ("residual", "strands"):
        kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        conv = nn.Conv1d(channels, channels, kernel, padding="same", dilation=dilation)
        return (Residual(conv) if kind == "residual" else Strands(conv)), channels
    if kind == "branches":
        first = nn.Conv1d(channels, 3, 5, padding=2)
        second = nn.Sequential(nn.Conv1d(channels, 4, 3, padding=1), nn.ReLU())
        return Branches(first, second), 7
    act = draw(st.sampled_from(ACTIVATIONS))
    return act, act(torch.ones(1, channels, 8)).shape[1]


@st.composite
def models(draw):
    """A trunk of up to five layers, in eval mode, and a head that makes one output."""
    torch.manual_seed(draw(st.integers(0, 99)))
    channels, modules = 4, []
    for _ in range(draw(st.integers(1, 5))):
        module, channels = draw(layers(channels))
        modules.append(module)
    head = draw(
        st.sampled_from(
            [
                nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.LazyLinear(2)),
                nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.LazyLinear(2)),
                nn.Sequential(nn.AdaptiveMaxPool1d(3), nn.Flatten(), nn.LazyLinear(2)),
                nn.Sequential(nn.Flatten(), nn.LazyLinear(2)),
                Then(lambda x: x.amax(-1)[:, :2]),
                Then(lambda x: x.amax(dim=-1, keepdim=True).flatten(1)[:, :2]),
                Then(lambda x: x.max(-1).values[:, :2].square()),
                Then(lambda x: torch.cat([x.mean(-1), x.max(dim=2)[0]], 1)[:, :2]),
                Then(lambda x: x.sum(dim=-1).tanh()[:, :2]),
                Then(lambda x: torch.max_pool1d(x, x.shape[-1]).flatten(1)[:, :2]),
                Then(lambda x: x.logsumexp(-1)[:, :2]),
                Then(lambda x: x[:, :, 0] + x[:, :, -1]),
            ]
        )
    )
    return nn.Sequential(nn.Sequential(*modules), head).double().eval()


def compare(model: nn.Module, x: Tensor, target=0, **kwargs) -> None:
    """Asserts that sharing was used, and changed nothing."""
    try:
        expected = ShiftSmooth(model).attribute(x, target, **kwargs)
    except RuntimeError:  # windows too short for this model
        return
    if not expected.isfinite().all():  # a model that overflows
        return
    shared = ShiftSmooth(model, trunk=model[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = shared.attribute(x, target, **kwargs)
    assert (actual - expected).abs().max() <= 1e-12 * expected.abs().max().clamp_min(1e-3)


SLOW = settings(
    deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


@SLOW
@given(models(), st.integers(5, 70), st.data())
def test_sharing_gives_what_running_each_shift_gives(model, length, data):
    reach = data.draw(st.integers(1, length - 1), label="max_shift")
    shifts = data.draw(
        st.none() | st.lists(st.integers(-reach, reach), min_size=2, max_size=7, unique=True),
        label="shifts",
    )
    at_once = data.draw(st.none() | st.integers(1, 5), label="shifts_per_eval")
    x = torch.randn(2, 4, length, dtype=torch.float64, generator=torch.manual_seed(1))
    target = data.draw(st.sampled_from([0, [0, 0], torch.tensor([0, 0])]), label="target")
    compare(model, x, target, max_shift=min(reach, 12), shifts=shifts, shifts_per_eval=at_once)


@settings(SLOW, max_examples=60)
@given(models(), st.integers(1, 6))
def test_windows_with_real_flanks_share_too(model, reach):
    x = torch.randn(2, 4, 40 + 2 * reach, dtype=torch.float64, generator=torch.manual_seed(1))
    compare(model, x, max_shift=reach, edges="flanks")


@pytest.mark.parametrize("pool", ["max", "amax", "adaptive"])
def test_equal_maxima_get_the_same_share_of_the_gradient(pool):
    head = {
        "max": Then(lambda x: x.max(-1).values),
        "amax": Then(lambda x: x.amax(-1)),
        "adaptive": nn.Sequential(nn.AdaptiveMaxPool1d(1), nn.Flatten()),
    }[pool]
    model = nn.Sequential(nn.Conv1d(4, 3, 4, padding=2), head).double()
    x = torch.zeros(2, 4, 30, dtype=torch.float64)
    x[:, 0] = 1  # the same window everywhere
    x[1, :, 9:14] = torch.eye(4, dtype=torch.float64)[:, [1, 2, 3, 2, 1]]
    compare(model, x, 1, max_shift=4)


def test_several_inputs_share_and_one_that_is_not_shifted_stays():
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv1d(4, 5, 7, padding=3), nn.Conv1d(2, 5, 3, padding=1)

        def forward(self, x: Tensor, y: Tensor, z: Tensor, scale: float) -> Tensor:
            both = self.first(x).relu() + self.second(y)
            return (both.amax(-1).sum(1) * z.sum(1) * scale)[:, None]

    model = Two().double()
    x, y, z = torch.randn(3, 4, 50), torch.randn(3, 2, 50), torch.randn(3, 6)
    inputs = tuple(tensor.double() for tensor in (x, y, z))
    arguments = {"target": 0, "additional_forward_args": (2.0,), "dim": (-1, -1, None)}
    expected = ShiftSmooth(model).attribute(inputs, **arguments)
    actual = ShiftSmooth(model, trunk=model.first).attribute(inputs, **arguments)
    for a, b in zip(actual, expected):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_a_stride_one_trunk_costs_little_more_than_one_window():
    model = nn.Sequential(
        nn.Conv1d(4, 8, 9, padding=4),
        nn.ReLU(),
        nn.Conv1d(8, 8, 5, padding=4, dilation=2),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(8, 1),
    )
    x = torch.randn(2, 4, 500)

    def flops(**kwargs) -> int:
        smooth = ShiftSmooth(model, **kwargs)
        smooth.attribute(x, 0, max_shift=10)  # the comparison on one example
        with FlopCounterMode(display=False) as counter:
            smooth.attribute(x, 0, max_shift=10)
        return counter.get_total_flops()

    assert flops(trunk=model[0]) < flops() / 8


def test_float32_agrees_to_its_precision():
    model = nn.Sequential(nn.Conv1d(4, 32, 15, padding=7), nn.ReLU(), nn.MaxPool1d(4), nn.Flatten())
    model = nn.Sequential(model, nn.LazyLinear(1))
    x = torch.randn(3, 4, 200)
    expected = ShiftSmooth(model).attribute(x, 0)
    actual = ShiftSmooth(model, trunk=model[0]).attribute(x, 0)
    assert (actual - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize(
    "kwargs",
    [
        {"abs": True},
        {"reduction": "variance"},
        {"region": (3, 17)},
        {"dim": 1, "max_shift": 2},
        {"max_shift": 0},
    ],
    ids=str,
)
def test_calls_that_cannot_share_run_as_without(kwargs):
    model = nn.Sequential(nn.Conv1d(4, 5, 3), nn.Flatten(), nn.LazyLinear(1)).double()
    x = torch.randn(2, 4, 20, dtype=torch.float64)
    expected = ShiftSmooth(model).attribute(x, 0, **kwargs)
    actual = ShiftSmooth(model, trunk="auto").attribute(x, 0, **kwargs)
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


class Writes(nn.Module):
    """Writes into its feature map, which is not the same for windows that share one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x[:, :, 2] = 0
        return x.sum(-1)


class Hides(nn.Module):
    """Gives a different answer for what it has not seen written out."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x).sum(-1) * (1 if type(x) is Tensor else 2)


@pytest.mark.parametrize("kind", [Writes, Hides])
def test_a_model_that_cannot_share_is_warned_of_once_and_still_right(kind):
    model = kind().double()
    x = torch.randn(2, 4, 30, dtype=torch.float64)
    smooth = ShiftSmooth(model, trunk=model.conv)
    with pytest.warns(UserWarning, match="shares nothing"):
        first = smooth.attribute(x, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        smooth.attribute(x[:1], 0)
    torch.testing.assert_close(first, ShiftSmooth(model).attribute(x, 0))


def test_the_result_cannot_be_differentiated_again():
    model = nn.Sequential(nn.Conv1d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1))
    x = torch.randn(2, 4, 20, requires_grad=True)
    assert not ShiftSmooth(model, trunk="auto").attribute(x, 0).requires_grad
