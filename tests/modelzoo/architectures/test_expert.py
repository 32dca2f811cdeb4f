"""What every expert network promises, whatever it is made of: a gate and a shared trunk need it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.architectures.danq import DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.tower import Tower
from modelzoo.sequences import one_hot, reverse_complement
from shiftsmooth import ShiftSmooth

NETWORKS = {
    "one convolution": (DeepBind, {"filters": [5], "widths": [7], "pooling": "max"}),
    "two tasks": (DeepBind, {"filters": [5], "widths": [7], "tasks": ["a", "b"]}),
    "two convolutions": (DeepBind, {"filters": [4, 3], "widths": [5, 3]}),
    "three convolutions": (DeepBind, {"filters": [4, 3, 2], "widths": [5, 3, 1]}),
    "tower": (Tower, {"filters": 5, "stem": 7, "dilations": [1, 2, 4]}),
    "low tower": (Tower, {"filters": 3, "stem": 3, "dilations": [], "tasks": ["a", "b"]}),
    "tower by maxima": (
        Tower,
        {"filters": 4, "stem": 5, "width": 3, "dilations": [3], "pooling": "max"},
    ),
    "DanQ": (DanQExpert, {"filters": 5, "width": 7, "pool": 6, "state": 4}),
    "DanQ by maxima": (
        DanQExpert,
        {"filters": 3, "width": 3, "pool": 1, "state": 3, "pooling": "max", "tasks": ["a", "b"]},
    ),
}


def build(network):
    cls, config = NETWORKS[network]
    return cls(**config)


@pytest.fixture(params=NETWORKS)
def model(request, scrambled):
    return scrambled(build(request.param))


def random_sequences(count, length, seed=0):
    rng = np.random.default_rng(seed)
    return one_hot(["".join(row) for row in rng.choice(list("ACGTN"), (count, length))])


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(0, 100), st.sampled_from(list(NETWORKS)))
def test_both_strands_have_one_prediction(scrambled, length, seed, network):
    model, x = scrambled(build(network), seed), random_sequences(4, length, seed)
    torch.testing.assert_close(model(x), model(reverse_complement(x)), atol=1e-5, rtol=0)


def test_maps_of_the_other_strand_are_flips(model):
    x = random_sequences(2, 30)
    maps = model.trunk(x)
    assert maps.shape == (2, model.channels, 30)
    torch.testing.assert_close(model.trunk(x.flip(1, 2)), maps.flip(1, 2))


def test_trunk_shifts_with_its_input_away_from_the_ends(model):
    x, shift, border = random_sequences(2, 90), 5, 20
    shifted = model.trunk(x.roll(shift, -1))[..., border + shift : -border]
    torch.testing.assert_close(shifted, model.trunk(x)[..., border : -border - shift])


def test_a_shared_trunk_attributes_as_the_whole_model_does(model):
    model, x = model.double(), random_sequences(2, 40).double()
    shared = ShiftSmooth(model, share=True).attribute(x, 0, max_shift=4)
    slow = torch.zeros_like(x)
    for shift in range(-4, 5):
        rolled = x.roll(shift, -1).requires_grad_()
        (gradient,) = torch.autograd.grad(model(rolled)[:, 0].sum(), rolled)
        slow += gradient.roll(-shift, -1) / 9
    torch.testing.assert_close(shared, slow, rtol=1e-9, atol=1e-11)


def test_prediction_is_made_of_one_call_of_the_trunk(model):
    calls = []
    model.trunk.register_forward_hook(lambda module, inputs, maps: calls.append(maps))
    embedding = model.embed(random_sequences(2, 30))
    assert len(calls) == 1 and embedding.shape == (2, 32)
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


def test_config_and_weights_rebuild_the_model(model, tmp_path):
    cls = type(model)
    assert cls(**model.config).config == model.config
    model.save_pretrained(tmp_path)
    x = random_sequences(2, 30)
    assert torch.equal(cls.from_pretrained(tmp_path).eval()(x), model(x))


@pytest.mark.parametrize("shape", [(4, 10), (2, 3, 10), (2, 4, 0), (2, 10, 4)])
def test_other_shapes_are_refused(model, shape):
    with pytest.raises(ValueError, match=r"x: expected the shape \(B, 4, L\) with L >= 1, got"):
        model(torch.zeros(shape))
