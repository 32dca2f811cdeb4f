"""Every operation, however it is spelled, against the same call run once per shift."""

import inspect
import warnings

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from shiftsmooth import ShiftSmooth
from tests.support.naive import gradient, naive
from tests.support.sharing import Net, check_shared, close, one_hot


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


class Pooled(nn.Module):
    """The mean over the positions, of the first two channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.square().mean(-1)[:, :2]


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
        expected = ShiftSmooth(model, share=False).attribute(x, target, **kwargs)
    except RuntimeError:  # windows too short for this model
        return
    if not expected.isfinite().all():  # a model that overflows
        return
    shared = ShiftSmooth(model, share=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        actual = shared.attribute(x, target, **kwargs)
    assert (actual - expected).abs().max() <= 1e-12 * expected.abs().max().clamp_min(1e-3)


SLOW = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow], derandomize=True
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


@settings(SLOW, max_examples=30)
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
    expected = ShiftSmooth(model, share=False).attribute(inputs, **arguments)
    actual = ShiftSmooth(model, share=True).attribute(inputs, **arguments)
    for a, b in zip(actual, expected):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_float32_agrees_to_its_precision():
    model = nn.Sequential(nn.Conv1d(4, 32, 15, padding=7), nn.ReLU(), nn.MaxPool1d(4), nn.Flatten())
    model = nn.Sequential(model, nn.LazyLinear(1))
    x = torch.randn(3, 4, 200)
    expected = ShiftSmooth(model, share=False).attribute(x, 0)
    actual = ShiftSmooth(model, share=True).attribute(x, 0)
    assert (actual - expected).abs().max() < 1e-5 * expected.abs().max()


# Each way to write a call that torch takes.
SPELLINGS = {
    "relu": [lambda h: F.relu(input=h), lambda h: torch.relu(h), lambda h: h.relu()],
    "flip": [
        lambda h: torch.flip(h, dims=[-1]),
        lambda h: torch.flip(h, [2]),
        lambda h: h.flip(-1),
        lambda h: h.flip((1, 2)),
        lambda h: h.flip(1, 2),
        lambda h: torch.flip(input=h, dims=(-1,)),
    ],
    "maximum": [
        lambda h: torch.max(h, -h),
        lambda h: torch.max(h, other=-h),
        lambda h: torch.max(input=h, other=-h),
        lambda h: h.max(-h),
        lambda h: torch.maximum(h, other=-h),
        lambda h: torch.min(-h, h).neg(),
    ],
    "cat": [
        lambda h: torch.cat([h, -h], 1)[:, :6],
        lambda h: torch.cat((h, -h), dim=-2)[:, :6],
        lambda h: torch.cat(tensors=[h, -h], axis=1)[:, :6],
        lambda h: torch.concat([h, -h], dim=1)[:, :6],
        lambda h: torch.concatenate([h, -h], axis=1)[:, :6],
    ],
    "chunk": [
        lambda h: torch.cat(h.chunk(chunks=2, dim=1), 1),
        lambda h: torch.cat(torch.chunk(h, 2, dim=1), 1),
        lambda h: torch.cat(torch.chunk(input=h, chunks=2, dim=1), 1),
        lambda h: torch.cat(h.split(split_size=3, dim=1), 1),
        lambda h: torch.cat(torch.split(h, split_size_or_sections=[2, 4], dim=1), 1),
        lambda h: torch.cat(torch.split(tensor=h, split_size_or_sections=3, dim=1), 1),
        lambda h: torch.cat(torch.tensor_split(h, 2, dim=1), 1),
    ],
    "conv1d": [
        lambda h: F.conv1d(input=h, weight=KERNEL, padding=1),
        lambda h: torch.conv1d(h, KERNEL, None, 1, 1),
        lambda h: F.conv1d(h, KERNEL, padding="same"),
        lambda h: F.conv1d(h, weight=KERNEL, bias=None, stride=(1,), padding=(1,), dilation=(1,)),
    ],
    "pool": [
        lambda h: F.max_pool1d(input=h, kernel_size=2),
        lambda h: F.max_pool1d(h, (2,), stride=(2,)),
        lambda h: F.max_pool1d(h, 2, ceil_mode=True),
        lambda h: torch.max_pool1d(h, kernel_size=2, stride=2),
        lambda h: F.avg_pool1d(input=h, kernel_size=2, stride=2),
        lambda h: torch.avg_pool1d(h, [2], [2]),
        lambda h: F.adaptive_avg_pool1d(h, output_size=15),
        lambda h: F.adaptive_max_pool1d(h, 10),
    ],
    "mean": [
        lambda h: h - h.mean(axis=1, keepdims=True),
        lambda h: h - torch.mean(h, 1, True),
        lambda h: h - torch.mean(input=h, dim=[1], keepdim=True),
        lambda h: h + h.sum((1,), keepdim=True),
        lambda h: h + h.amax(dim=(1,), keepdim=True),
    ],
    "arithmetic": [
        lambda h: torch.add(h, alpha=2, other=h.tanh()),
        lambda h: torch.rsub(h, 1),
        lambda h: torch.clamp(input=h, min=-0.2, max=0.3),
        lambda h: torch.where(condition=h > 0, input=h, other=0.1 * h),
        lambda h: torch.pow(input=h, exponent=2),
        lambda h: torch.div(h, 3, rounding_mode=None),
        lambda h: torch.addcmul(h, h.tanh(), h.sigmoid(), value=0.5),
        lambda h: F.dropout(h, 0.5, False) + F.dropout(input=h, p=0.5, training=False),
        lambda h: torch.dropout(h, 0.5, train=False),
    ],
    "layout": [
        lambda h: h.transpose(dim0=1, dim1=2).mT,
        lambda h: torch.swapaxes(h, axis0=1, axis1=2).transpose(-1, -2),
        lambda h: h.permute(dims=(0, 2, 1)).permute(0, 2, 1),
        lambda h: h.movedim(source=-1, destination=1).moveaxis(1, 2),
        lambda h: torch.unsqueeze(input=h, dim=1).squeeze(1),
        lambda h: h[:, None, ..., :].squeeze(dim=1),
        lambda h: h.reshape(h.shape[0], 2, 3, -1).flatten(1, 2),
        lambda h: h.view(h.size(0), -1, h.size(2)),
        lambda h: h.unflatten(dim=1, sizes=(2, 3)).flatten(start_dim=1, end_dim=2),
    ],
    "other": [
        lambda h: F.pad(input=h, pad=(1, 1), mode="reflect")[..., 1:-1],
        lambda h: F.softmax(h, dim=1),
        lambda h: torch.softmax(input=h, dim=-2),
        lambda h: F.glu(torch.cat([h, h], 1), dim=1),
        lambda h: torch.narrow(input=h, dim=2, start=1, length=27),
        lambda h: h[:, :, 1:29],
        lambda h: h[..., ::2],
        lambda h: torch.stack(tensors=[h, -h], dim=1).amax(1),
        lambda h: h.to(dtype=torch.float64).to(h),
        lambda h: h * torch.ones(6, 1).type_as(h),
        lambda h: h + h.new_zeros(()) + h.new_full((6, 1), 0.5),
        lambda h: F.prelu(h, torch.full((6,), 0.1, dtype=h.dtype)),
        lambda h: F.log_softmax(h, dim=1),
        lambda h: F.pad(h, (0, 0, 1, 1))[:, 1:-1],
        lambda h: F.pad(h, (-2, 3)),
        lambda h: h.max(dim=1, keepdim=True).values + h,
        lambda h: h - h.amin(1, keepdim=True),
        lambda h: torch.cat([row.unsqueeze(1) for row in h.unbind(1)], 1),
        lambda h: h.narrow(1, -6, 6),
        lambda h: torch.stack([h.select(1, i) for i in range(6)], 1),
        lambda h: KERNEL[:, :, 1] @ h,
    ],
}  # fmt: skip
KERNEL = torch.randn(6, 6, 3, dtype=torch.float64, generator=torch.manual_seed(1))


@pytest.mark.parametrize("kind, i", [(k, i) for k, v in SPELLINGS.items() for i in range(len(v))])
def test_how_a_call_is_spelled_does_not_matter(kind, i):
    check_shared(Net(SPELLINGS[kind][i]), one_hot(2, 30))


# What cannot run on parts of windows, and the operation that ends sharing there.
ENDS = [
    ("cat", lambda h: torch.cat([h, h], 1, out=None)[:, :6]),
    ("cat", lambda h: torch.cat([h, h], -1)[..., :30]),
    ("add", lambda h: F.pad(h[..., 20:], (20, 0)) + F.pad(h[..., :10], (0, 20))),
    ("layer_norm", lambda h: F.layer_norm(h, (30,))),
    ("log_softmax", lambda h: F.log_softmax(h, -1)),
    ("glu", lambda h: F.glu(h, -1)),
    ("linear", lambda h: F.linear(h, torch.eye(30, dtype=h.dtype).flip(0))),
    ("matmul", lambda h: h @ h.transpose(1, 2) @ h),
    ("matmul", lambda h: h @ torch.eye(30, dtype=h.dtype).flip(0)),
    ("prelu", lambda h: F.prelu(h.mT, torch.linspace(0, 1, 30, dtype=h.dtype)).mT),
    ("conv1d", lambda h: F.conv1d(h.mT, torch.ones(6, 30, 1, dtype=h.dtype))),
    ("max_pool1d", lambda h: F.max_pool1d(h.mT, 3)[..., :1].mT.repeat(1, 6, 1)),
    ("max_pool1d_with_indices", lambda h: F.max_pool1d(h, 3, return_indices=True)[0]),
    ("avg_pool1d", lambda h: F.avg_pool1d(h, 4, ceil_mode=True)),
    ("adaptive_avg_pool1d", lambda h: F.adaptive_avg_pool1d(h, 7)),
    ("adaptive_avg_pool1d", lambda h: F.adaptive_avg_pool1d(h.mT, 6).mT),
    ("pad", lambda h: F.pad(h[:, None], (0, 0, 1, 1), mode="reflect")[:, 0, :6]),
    ("pad", lambda h: F.pad(h, (-1, 2), mode="replicate")),
    ("amax", lambda h: h * h.amax((1, 2), keepdim=True)),
    ("min", lambda h: h - h.min(-1, keepdim=True).values),
    ("split", lambda h: h.split(10, -1)[1]),
    ("unbind", lambda h: torch.stack(h.unbind(-1), -1)),
    ("narrow", lambda h: h.narrow(-1, torch.tensor(1), 20)),
    ("__getitem__", lambda h: h[:, :, torch.arange(29, -1, -1)]),
    ("__getitem__", lambda h: h[..., [3, 2, 5, 9]]),
    ("unsqueeze", lambda h: h.unsqueeze(0).squeeze(0)),
    ("transpose", lambda h: h.transpose(0, 1).transpose(0, 1)),
    ("reshape", lambda h: h.reshape(-1, 3, 30).reshape(-1, 6, 30)),
    ("view", lambda h: h.view(len(h), -1, 60).view(len(h), 6, 30)),
]  # fmt: skip


@pytest.mark.parametrize("name, function", ENDS, ids=[str(i) for i in range(len(ENDS))])
def test_what_parts_of_windows_cannot_give_ends_sharing_and_nothing_else(name, function):
    check_shared(Net(function, head=Pooled()), one_hot(2, 30), name)


class Upright(nn.Module):
    """A model of (B, L, 4), (B, 1, 4, L) or (B, 4, 1, L)."""

    def __init__(self, layout: str) -> None:
        super().__init__()
        self.layout = layout
        self.linear, self.norm = nn.Linear(4, 6), nn.LayerNorm(6)
        self.conv = nn.Conv1d(6, 5, 5, padding=2)
        self.tall, self.flat = nn.Conv2d(1, 5, (4, 7), padding=(0, 3)), nn.Conv2d(4, 5, (1, 7))
        self.dense = nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.layout == "BLC":
            h = self.conv(self.norm(self.linear(x)).transpose(1, 2))
            return self.dense(h.transpose(1, 2).relu().amax(1))
        h = self.tall(x) if self.layout == "B1CL" else self.flat(x)
        h = F.max_pool2d(h.relu(), (1, 3))
        return self.dense(F.adaptive_avg_pool2d(h, 1).flatten(1))


@pytest.mark.parametrize(
    "layout, arrange, dim",
    [
        ("BLC", lambda x: x.transpose(1, 2).contiguous(), 1),
        ("B1CL", lambda x: x[:, None], -1),
        ("BC1L", lambda x: x[:, :, None], -1),
    ],
)
def test_other_layouts_share(layout, arrange, dim):
    torch.manual_seed(0)
    model, x = Upright(layout).double().eval(), arrange(one_hot(2, 40))
    smooth = ShiftSmooth(model, share=True)
    found = smooth.attribute(x, 0, max_shift=3, dim=dim)
    (wanted,) = naive(gradient(lambda x: model(x)[:, 0]), (x,), range(-3, 4), ((dim,),))
    assert smooth.sharing.shared and smooth.sharing.ended_by is None
    close(found, wanted)


def test_squeeze_and_excitation_shares_up_to_the_scaling():
    model = Net(lambda h: h * h.mean(-1, keepdim=True).sigmoid())
    check_shared(model, one_hot(2, 30), "mul")


def test_attention_over_windows_of_fixed_size_shares():
    def pooled(h):
        windows = h.unflatten(-1, (-1, 3))
        return (windows * windows.softmax(-1)).sum(-1)

    check_shared(Net(pooled), one_hot(2, 30))


def test_group_norm_over_the_sequence_ends_sharing():
    check_shared(Net(nn.GroupNorm(2, 6)), one_hot(2, 30), "group_norm")
