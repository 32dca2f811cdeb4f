import numpy as np
import pytest
import torch

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.sequences import one_hot

CONFIGS = [
    {"filters": [5], "widths": [7], "pooling": "max"},
    {"filters": [5], "widths": [7], "pooling": "max+mean", "tasks": ["a", "b"]},
    {"filters": [4, 3], "widths": [5, 3]},
    {"filters": [4, 3, 2], "widths": [5, 3, 1]},
]


def build(config, seed=0):
    torch.manual_seed(seed)
    model = DeepBind(**config).eval()
    for parameter in model.parameters():  # biases that are not zero, or they would go untested
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(
    params=CONFIGS, ids=lambda c: "-".join(map(str, c["filters"])) + c.get("pooling", "")
)
def model(request):
    return build(request.param)


def random_sequences(count, length, seed=0):
    rng = np.random.default_rng(seed)
    return one_hot(["".join(row) for row in rng.choice(list("ACGTN"), (count, length))])


def deepbind_by_loops(model, x):
    """One convolution, max pooling: every filter on every window of both strands."""
    (conv, _) = model.trunk
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    flank = weight.shape[-1] // 2
    features = []
    for strand in (x, x[::-1, ::-1]):
        padded = np.pad(strand, ((0, 0), (flank, flank)), constant_values=0.25)
        windows = [padded[:, i : i + weight.shape[-1]] for i in range(x.shape[1])]
        features.append([[(w * f).sum() + b for w in windows] for f, b in zip(weight, bias)])
    pooled = np.maximum(np.max(features, axis=(0, 2)), 0)
    hidden = model.hidden.weight.detach().numpy() @ pooled + model.hidden.bias.detach().numpy()
    embedding = np.maximum(hidden, 0)
    output = model.output.weight.detach().numpy() @ embedding + model.output.bias.detach().numpy()
    return embedding, output


def test_one_layer_is_deepbind_on_both_strands_by_loops():
    model = build(CONFIGS[0])
    x = random_sequences(3, 20)
    expected = [deepbind_by_loops(model, row.numpy()) for row in x]
    with torch.no_grad():
        np.testing.assert_allclose(model.embed(x), [e for e, _ in expected], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model(x), [o for _, o in expected], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"filters": [4, 4]}, "filters, widths: expected one of each"),
        ({"filters": [], "widths": []}, "filters, widths: expected one of each"),
        ({"widths": [8]}, "widths: expected odd numbers, got 8"),
        ({"filters": [0]}, "filters: expected at least 1, got 0"),
        ({"pooling": "mean"}, "pooling: expected one of .* got 'mean'"),
        ({"tasks": "GATA3"}, "tasks: expected names, at least one, got 'GATA3'"),
        ({"tasks": []}, "tasks: expected names"),
    ],
)
def test_arguments_that_make_no_model_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DeepBind(**arguments)
