"""Random models out of all that sharing follows, and of much that it must refuse.

A model is a list of steps, drawn from a seed. A step takes and gives (rows, channels, positions).
"""

import random

import torch
from torch import nn
from torch.nn import functional as F


class Swish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        ctx.save_for_backward(h)
        return h * h.sigmoid()

    @staticmethod
    def backward(ctx, gradient):
        (h,) = ctx.saved_tensors
        s = h.sigmoid()
        return 2 * gradient * (s + h * s * (1 - s))


class Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h):
        return h.view_as(h)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def wrapped(make):
    """A step from `make(rng, channels) -> (function of (module, h), layers)`."""
    STEPS.append(make)
    return make


STEPS = []
DECEIVING = []


def deceiving(make):
    DECEIVING.append(make)
    return make


@wrapped
def conv(r, c):
    kernel, dilation = r.randint(1, 6), r.randint(1, 3)
    mode = r.choice(["zeros"] * 3 + ["circular", "reflect", "replicate"])
    out = r.choice([c, 4, 6])
    groups = r.choice([1, 1, 2]) if c % 2 == out % 2 == 0 else 1
    same = r.random() < 0.3 and mode == "zeros"
    stride = 1 if same else r.choice([1, 1, 1, 2, 3])
    padding = "same" if same else r.choice([0, 0, 1, 2, kernel // 2 * dilation])
    layer = nn.Conv1d(c, out, kernel, stride, padding, dilation, groups, padding_mode=mode)
    return (lambda h: layer(h)), layer


@wrapped
def conv_by_name(r, c):
    layer = nn.Conv1d(c, 4, r.randint(1, 4))
    padding, bias = r.choice([0, 1, (2,), "valid"]), layer.bias if r.random() < 0.5 else None
    return (lambda h: F.conv1d(input=h, weight=layer.weight, bias=bias, padding=padding)), layer


@wrapped
def conv_2d(r, c):
    layer = nn.Conv2d(1, 5, (c, r.randint(1, 4)), padding=(0, r.randint(0, 2)))
    return (lambda h: layer(h.unsqueeze(1)).squeeze(2)), layer


@wrapped
def conv_2d_upright(r, c):
    layer = nn.Conv2d(c, 4, (r.randint(1, 4), 1), stride=(r.choice([1, 2]), 1))
    return (lambda h: layer(h[..., None])[..., 0]), layer


@wrapped
def pooling(r, c):
    kernel, stride = r.randint(1, 4), r.choice([None, 1, 2, 3])
    padding, ceil = r.randint(0, kernel // 2), r.random() < 0.4
    if r.random() < 0.6:
        spelled = r.choice(
            [
                lambda h: F.max_pool1d(h, kernel, stride, padding, ceil_mode=ceil),
                lambda h: F.max_pool1d(
                    input=h, kernel_size=(kernel,), stride=stride, padding=padding
                ),
                lambda h: torch.max_pool1d(h, [kernel], [stride or kernel], [padding]),
                lambda h: (
                    F.max_pool2d(h[:, :, None], (1, kernel), stride)[:, :, 0]
                    if stride is None
                    else F.max_pool1d(h, kernel, stride)
                ),
            ]
        )
        return spelled, None
    spelled = r.choice(
        [
            lambda h: F.avg_pool1d(h, kernel, stride, padding, ceil),
            lambda h: F.avg_pool1d(input=h, kernel_size=kernel, stride=stride, padding=padding),
            lambda h: F.avg_pool1d(h, kernel, stride, padding, count_include_pad=False),
        ]
    )
    return spelled, None


@wrapped
def activation(r, c):
    names = ["relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish"]
    names += ["softplus", "sigmoid", "tanh", "softsign", "hardtanh", "hardswish", "hardsigmoid"]
    names += ["logsigmoid", "tanhshrink", "softshrink"]
    function = getattr(F, r.choice(names))
    if r.random() < 0.3:
        return (lambda h: function(input=h)), None
    return function, None


@wrapped
def in_place(r, c):
    return r.choice(
        [
            lambda h: F.relu(h, inplace=True),
            lambda h: F.relu(h, True),
            lambda h: h.clamp_(-0.5, 0.5),
            lambda h: h.mul_(0.7).add_(0.1),
            lambda h: h.tanh_(),
            lambda h: torch.sigmoid_(h),
            lambda h: F.leaky_relu(h, 0.2, True),
            lambda h: F.elu(h, 1.0, True),
            lambda h: h.masked_fill_(h > 0.5, 0.5),
        ]
    ), None


@wrapped
def arithmetic(r, c):
    weights = torch.linspace(-1, 1, c, dtype=torch.float64)[:, None]
    return r.choice(
        [
            lambda h: h * weights,
            lambda h: torch.add(h, weights, alpha=2),
            lambda h: torch.mul(input=h, other=weights),
            lambda h: 1 - h,
            lambda h: 2 / (h.abs() + 1),
            lambda h: h.square() - h / 3,
            lambda h: (h.abs() + 1) ** 0.5,
            lambda h: torch.where(h > 0, h, 0.1 * h),
            lambda h: h.masked_fill(h < 0, 0.2),
            lambda h: torch.lerp(h, h.tanh(), 0.3),
            lambda h: torch.maximum(h, -0.3 * h),
            lambda h: torch.max(h, weights),
            lambda h: torch.min(h, other=weights),
            lambda h: h + (h.round() - h).detach(),
            lambda h: h - h.detach() * 0.5,
            lambda h: h * (h > 0),
            lambda h: h.exp().clamp(max=3),
            lambda h: h.to(torch.float64).contiguous().clone(),
            lambda h: h + torch.zeros_like(h) + h.new_ones(1),
        ]
    ), None


@wrapped
def over_channels(r, c):
    norm, parametric = nn.LayerNorm(c), nn.PReLU(c)
    linear, batch_norm, group = nn.Linear(c, 4), nn.BatchNorm1d(c), nn.GroupNorm(1, c)
    batch_norm.running_mean.uniform_(-1, 1)
    batch_norm.running_var.uniform_(0.5, 2)
    layers = nn.ModuleList([norm, parametric, linear, batch_norm, group])
    steps = [
        lambda h: norm(h.transpose(1, 2)).transpose(1, 2),
        lambda h: norm(h.permute(0, 2, 1)).mT,
        lambda h: linear(h.movedim(1, -1)).movedim(-1, 1),
        lambda h: h.swapaxes(1, 2).matmul(linear.weight.T).swapaxes(1, 2),
        lambda h: linear.weight @ h,
        parametric,
        batch_norm,
        batch_norm,
        group,
        lambda h: h.softmax(1),
        lambda h: F.log_softmax(h, dim=1),
        lambda h: h / h.amax(1, keepdim=True).exp(),
        lambda h: h - h.mean(dim=1, keepdim=True),
        lambda h: h.max(1, keepdim=True).values + h,
        lambda h: h.sum(axis=1, keepdims=True).tanh() * h,
    ]
    if c % 2 == 0:
        steps += [
            lambda h: F.glu(h, dim=1),
            lambda h: torch.maximum(*h.chunk(chunks=2, dim=1)),
            lambda h: torch.mul(*h.split(c // 2, dim=1)),
            lambda h: h.unflatten(1, (2, c // 2)).amax(2),
            lambda h: h.reshape(h.shape[0], 2, c // 2, h.shape[2]).sum(1),
            lambda h: torch.stack(h.chunk(2, 1), 2).flatten(1, 2),
        ]
    return r.choice(steps), layers


@wrapped
def selection(r, c):
    a = r.randint(0, c - 1)
    return r.choice(
        [
            lambda h: h[:, a:],
            lambda h: h[:, [0, a]],
            lambda h: h[:, ::2, :],
            lambda h: h.narrow(1, 0, a + 1),
            lambda h: torch.narrow(h, dim=1, start=0, length=a + 1),
            lambda h: h.flip(1),
            lambda h: torch.cat([h, h.flip(dims=[1])], axis=1),
            lambda h: torch.stack([h.select(1, 0), h[:, a]], 1),
            lambda h: torch.cat(h.unbind(1)[:1], -1).unsqueeze(1),
            lambda h: h.split([1, c - 1], 1)[0] if c > 1 else h,
        ]
    ), None


@wrapped
def along_the_sequence(r, c):
    a, b = r.randint(0, 3), r.randint(0, 3)
    mode = r.choice(["constant", "constant", "reflect", "circular", "replicate"])
    return r.choice(
        [
            lambda h: F.pad(h, (a, b), mode, *([0.3] if mode == "constant" else [])),
            lambda h: F.pad(h, pad=(-a, -b)),
            lambda h: F.pad(input=h, pad=(a, -b), value=0.2),
            lambda h: h[..., a : h.shape[-1] - b],
            lambda h: h[:, :, a:],
            lambda h: h[..., ::2],
            lambda h: h.narrow(-1, a, h.shape[-1] - a),
            lambda h: torch.flip(h, dims=[-1]),
            lambda h: torch.maximum(h, h.flip(-1)),
            lambda h: h + h.flip((1, 2)),
            lambda h: h + h[..., :1],
            lambda h: h + h[:, :, -1:],
            lambda h: h.roll(1, -1),
            lambda h: torch.cat([h[..., a:], h[..., :a]], -1),
        ]
    ), None


@wrapped
def cut(r, c):
    p = r.choice([2, 3])

    def pool(h):
        h = h[..., : h.shape[-1] // p * p].unflatten(-1, (-1, p))
        return (h * h.softmax(-1)).sum(-1)

    def reshaped(h):
        whole = h.shape[-1] // p
        return h[..., : whole * p].reshape(h.shape[0], h.shape[1], whole, p).amax(3)

    return r.choice([pool, reshaped]), None


@wrapped
def looks_along(r, c):
    return r.choice(
        [
            lambda h: h / (h.std(-1, keepdim=True) + 1),
            lambda h: h - h.mean(-1, keepdim=True),
            lambda h: h * h.amax(-1, keepdim=True).sigmoid(),
            lambda h: h.softmax(-1) * 5,
            lambda h: h.cumsum(-1) / 9,
            lambda h: (h @ h.transpose(1, 2)).tanh() @ h,
            lambda h: F.interpolate(h, scale_factor=2),
            lambda h: F.instance_norm(h) if h.shape[-1] > 1 else h,
        ]
    ), None


@deceiving
def function(r, c):
    return r.choice([Swish.apply, Reversal.apply]), None


@deceiving
def hook(r, c):
    def step(h):
        if h.requires_grad:
            h.register_hook(lambda gradient: 3 * gradient)
        return h

    return step, None


@deceiving
def write_view(r, c):
    def step(write):
        def run(h):
            write(h)
            return h

        return run

    return step(
        r.choice(
            [
                lambda h: h[:, :2].clamp_(max=0.1),
                lambda h: h.view(h.shape[0], -1).clamp_(max=0.1),
                lambda h: h.transpose(1, 2).clamp_(max=0.1),
                lambda h: h[..., 0].mul_(2),
                lambda h: h[..., 1:].relu_(),
                lambda h: h.__setitem__((slice(None), 0), 0.3),
                lambda h: h.reshape(h.shape[0], -1).relu_(),
                lambda h: h.contiguous().mul_(1.5),
                lambda h: h.unsqueeze(1).clamp_(min=0),
                lambda h: h.flatten(1).data.mul_(0.5),
                lambda h: h.detach().mul_(0.5),
                lambda h: F.dropout(h, 0.3, False).add_(1),
                lambda h: h.squeeze().tanh_(),
                lambda h: h.select(1, 0).exp_(),
                lambda h: h.mT.mul_(3),
            ]
        )
    ), None


@deceiving
def no_grad(r, c):
    def step(h):
        with torch.no_grad():
            scale = h.abs() + 1
        return h / scale

    return step, None


@deceiving
def swallow(r, c):
    def step(h):
        try:
            return Swish.apply(h)
        except Exception:
            return h.relu()

    return step, None


class Random(nn.Module):
    """Steps, residual sums and joins between them, and a head of two outputs."""

    def __init__(self, seed, deceive):
        super().__init__()
        r = self.random = random.Random(seed)
        torch.manual_seed(seed)
        self.layers = nn.ModuleList()
        self.steps = []
        channels, h = 4, torch.rand(2, 4, 61, dtype=torch.float64)
        count = r.randint(1, 7)
        deceived = r.randrange(count) if deceive else -1
        for i in range(count):
            for _ in range(20):  # until one fits
                make = r.choice(DECEIVING if i == deceived else STEPS)
                if i == 0 and i != deceived and r.random() < 0.7:
                    make = conv
                step, layers = make(r, channels)
                if layers is not None:
                    layers.double()
                join = r.choice(JOINS) if r.random() < 0.25 else None
                try:
                    found = self._joined(step, join, h.clone())
                except (RuntimeError, ValueError, IndexError, TypeError):
                    continue
                if found.dim() == 3 and found.shape[-1] >= 3 and 0 < found.shape[1] <= 24:
                    h, channels = found.detach(), found.shape[1]
                    self.steps.append((step, join))
                    if layers is not None:
                        self.layers.append(layers)
                    break
        self.weights = torch.randn(channels, 2, dtype=torch.float64)
        self.head = r.choice(HEADS)
        self.eval()

    @staticmethod
    def _joined(step, join, h):
        return step(h) if join is None else join(h, step)

    def forward(self, x):
        h = x
        for step, join in self.steps:
            h = self._joined(step, join, h)
        return self.head(h, self.weights[: h.shape[1]])


def add_in_place(h, step):
    result = step(h * 1.0)
    result += h
    return result


JOINS = [
    lambda h, step: h + step(h * 1.0),
    lambda h, step: step(h * 1.0).add(h, alpha=0.5),
    lambda h, step: torch.cat([h, step(h * 1.0)], 1),
    lambda h, step: torch.cat((step(h * 1.0), h), dim=-2),
    lambda h, step: torch.maximum(step(h * 1.0), h),
    lambda h, step: step(h * 1.0) * h.sigmoid(),
    lambda h, step: torch.stack([h, step(h * 1.0)]).mean(0),
    lambda h, step: h + step(h),  # a step that writes changes both
    lambda h, step: step(h) + h,
    add_in_place,
]

HEADS = [
    lambda h, w: h.mean(-1) @ w,
    lambda h, w: h.amax(-1) @ w,
    lambda h, w: h.max(dim=-1).values @ w,
    lambda h, w: h.max(2)[0].tanh() @ w,
    lambda h, w: h.sum(dim=2).tanh() @ w,
    lambda h, w: F.adaptive_max_pool1d(h, 1).flatten(1) @ w,
    lambda h, w: F.adaptive_avg_pool1d(h, output_size=1).squeeze(-1) @ w,
    lambda h, w: F.max_pool1d(h, h.shape[-1])[..., 0] @ w,
    lambda h, w: (h.transpose(1, 2) @ w).sin().sum(1),
    lambda h, w: (h[..., 0] + h[..., -1]) @ w,
    lambda h, w: h.flatten(1).sin().unflatten(1, (h.shape[1], -1)).mean(2) @ w,
    lambda h, w: h.logsumexp(-1) @ w,
    lambda h, w: (h * h.softmax(-1)).sum(-1) @ w,
    lambda h, w: h.amin(-1) @ w,
    lambda h, w: h.mean((2,)) @ w,
]
