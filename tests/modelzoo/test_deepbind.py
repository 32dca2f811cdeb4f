import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.deepbind import DeepBind, StrandConv1d
from modelzoo.sequences import one_hot, reverse_complement

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


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 100), st.sampled_from(CONFIGS))
def test_both_strands_have_one_prediction(length, seed, config):
    model, x = build(config, seed), random_sequences(4, length, seed)
    torch.testing.assert_close(model(x), model(reverse_complement(x)), atol=1e-5, rtol=0)


def test_maps_of_the_other_strand_are_flips(model):
    x = random_sequences(2, 30)
    maps = model.trunk(x)
    assert maps.shape == (2, model.channels, 30)
    torch.testing.assert_close(model.trunk(x.flip(1, 2)), maps.flip(1, 2))


def test_trunk_shifts_with_its_input_away_from_the_ends(model):
    x, shift, border = random_sequences(2, 60), 5, 12
    shifted = model.trunk(x.roll(shift, -1))[..., border + shift : -border]
    torch.testing.assert_close(shifted, model.trunk(x)[..., border : -border - shift])


def test_prediction_is_made_of_one_call_of_the_trunk(model):
    calls = []
    model.trunk.register_forward_hook(lambda module, inputs, maps: calls.append(maps))
    x = random_sequences(2, 30)
    embedding = model.embed(x)
    assert len(calls) == 1
    assert torch.equal(model.embed_maps(calls[0]), embedding)


def test_any_dtype_gives_the_same_logits(model):
    x = torch.eye(4)[torch.arange(24).reshape(2, 12) % 4].transpose(1, 2)
    for dtype in (torch.int8, torch.int64, torch.bool, torch.float16, torch.float64):
        assert torch.equal(model(x.to(dtype)), model(x))


def test_gradients_reach_an_input_of_another_dtype(model):
    x = random_sequences(2, 30).double().requires_grad_()
    model(x).sum().backward()
    assert x.grad.dtype == torch.float64 and x.grad.abs().sum() > 0


def test_a_sequence_is_judged_alone(model):
    x = random_sequences(5, 30)
    torch.testing.assert_close(torch.cat([model(row[None]) for row in x]), model(x))


def test_an_empty_batch_has_no_logits(model):
    assert model(torch.zeros(0, 4, 10)).shape == (0, len(model.tasks))


@pytest.mark.parametrize("shape", [(4, 10), (2, 3, 10), (2, 4, 0), (2, 10, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"x: expected the shape \(B, 4, L\) with L >= 1, got"):
        DeepBind()(torch.zeros(shape))


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


def test_config_rebuilds_the_model(model, tmp_path):
    assert DeepBind(**model.config).config == model.config
    model.save_pretrained(tmp_path)
    x = random_sequences(2, 30)
    assert torch.equal(DeepBind.from_pretrained(tmp_path).eval()(x), model(x))


def test_a_second_strand_layer_keeps_the_symmetry_of_the_first():
    first, second = StrandConv1d(4, 3, 5), StrandConv1d(6, 2, 3)
    x = random_sequences(1, 15)
    torch.testing.assert_close(second(first(x.flip(1, 2))), second(first(x)).flip(1, 2))


def test_every_architecture_knows_its_key():
    assert all(cls.architecture == key for key, cls in ARCHITECTURES.items())
