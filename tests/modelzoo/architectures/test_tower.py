import numpy as np
import pytest
import torch

from modelzoo.architectures.tower import Residual, Tower
from modelzoo.sequences import one_hot

CONFIGS = [
    {"filters": 5, "stem": 7, "dilations": [1, 2, 4]},
    {"filters": 4, "stem": 5, "width": 3, "dilations": [3], "pooling": "max"},
    {"filters": 3, "stem": 3, "dilations": [], "tasks": ["a", "b"]},
]


@pytest.fixture(params=CONFIGS, ids=lambda c: str(c["dilations"]))
def model(request, scrambled):
    return scrambled(Tower(**request.param))


def random_sequences(count, length, seed=0):
    rng = np.random.default_rng(seed)
    return one_hot(["".join(row) for row in rng.choice(list("ACGTN"), (count, length))])


def tower_by_loops(model, x):
    """One sequence (4, L) in numpy: every filter at every position of both strands, by loops."""
    first, *residuals, last, _ = model.trunk
    maps = strands(first, x, 1, fill=0.25)
    for residual, step in zip(residuals, model.config["dilations"], strict=True):
        active = np.maximum(normed(residual.norm, maps), 0)
        maps = maps + strands(residual.conv, active, step, fill=0)
    maps = np.maximum(normed(last, maps), 0)
    half = len(maps) // 2
    pooled = [np.maximum(maps[i].max(), maps[-1 - i].max()) for i in range(half)]
    if model.pooling == "max+mean":
        pooled += [maps[i].mean() + maps[-1 - i].mean() for i in range(half)]
    hidden = np.maximum(model.hidden.weight.numpy() @ pooled + model.hidden.bias.numpy(), 0)
    return model.output.weight.numpy() @ hidden + model.output.bias.numpy()


def strands(conv, maps, dilation, fill):
    weight, bias = conv.weight.numpy(), conv.bias.numpy()
    filters, channels, width = weight.shape
    length, middle = maps.shape[1], width // 2
    out = np.zeros((2 * filters, length))
    for f in range(filters):
        for position in range(length):
            out[f, position] = out[-1 - f, position] = bias[f]
            for c in range(channels):
                for k in range(width):
                    at = position + (k - middle) * dilation
                    value = maps[c, at] if 0 <= at < length else fill
                    out[f, position] += weight[f, c, k] * value
                    out[-1 - f, position] += weight[f, -1 - c, -1 - k] * value
    return out


def normed(norm, maps):
    half, out = len(maps) // 2, np.empty_like(maps)
    for i in range(half):
        mean = float(norm.mean[i] + norm.mean[-1 - i]) / 2
        var = float(norm.var[i] + norm.var[-1 - i]) / 2
        for row in (i, len(maps) - 1 - i):
            scaled = (maps[row] - mean) / np.sqrt(var + 1e-5)
            out[row] = scaled * float(norm.weight[i]) + float(norm.bias[i])
    return out


@torch.no_grad()
def test_a_tower_is_what_slow_loops_compute(model):
    x = random_sequences(2, 23).double()
    expected = [tower_by_loops(model.double(), row.numpy()) for row in x]
    np.testing.assert_allclose(model(x).numpy(), expected, rtol=1e-9, atol=1e-9)


def test_before_training_a_residual_adds_nothing():
    maps = torch.randn(2, 6, 20)
    assert torch.equal(Residual(6, 5, 2)(maps), maps)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dilations": [1, 0]}, r"dilations: expected at least 1 each, got \[1, 0\]"),
        ({"width": 4}, "widths: expected odd numbers, got 4"),
        ({"stem": 0}, "widths: expected odd numbers, got 0"),
        ({"filters": 0}, "filters: expected at least 1, got 0"),
        ({"pooling": "mean"}, "pooling: expected one of .* got 'mean'"),
        ({"tasks": "GATA3"}, "tasks: expected names, at least one, got 'GATA3'"),
    ],
)
def test_arguments_that_make_no_model_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Tower(**arguments)
