"""Each attribution method is what it is called, seeded, and the same for every batch."""

import pickle

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, Saliency

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.attribution.methods import METHODS, importance, maps
from modelzoo.sequences import columns


@pytest.mark.parametrize("method", METHODS)
def test_maps_do_not_depend_on_the_batch_beyond_rounding(method, toy_models, toy_sets):
    if method in ("smoothgrad", "random-letters", "expected-gradients", "shift-and-noise"):
        pytest.skip("noise is drawn a batch at a time")
    x = columns(toy_sets[2].codes[:3])
    model = toy_models["deepbind-gata3"]
    if method == "deep-lift-shap":
        x = x[:1]
    together = maps(model, x, METHODS[method])
    assert together.shape == x.shape and torch.isfinite(together).all()
    alone = torch.cat([maps(model, one[None], METHODS[method]) for one in x])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("method", ["gradient", "shiftsmooth", "integrated-gradients"])
def test_the_correction_takes_the_mean_over_the_bases_away(method, toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:3])
    model = toy_models["deepbind-gata3"]
    with_, without = (maps(model, x, METHODS[method], corrected=c) for c in (True, False))
    torch.testing.assert_close(with_, without - without.mean(1, keepdim=True))


def test_noise_is_seeded_and_differs_between_windows(toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:4])
    model = toy_models["deepbind-gata3"]
    one, same = (maps(model, x, METHODS["smoothgrad"], seed=1) for _ in range(2))
    torch.testing.assert_close(one, same, rtol=0, atol=0)
    state = torch.random.get_rng_state()
    assert (maps(model, x, METHODS["smoothgrad"], seed=2) != one).any()
    assert torch.equal(torch.random.get_rng_state(), state)


def test_saliency_and_input_x_gradient_are_what_captum_calls_so(toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:4])
    model = toy_models["deepbind-gata3"]
    expected = Saliency(model).attribute(x.clone().requires_grad_(), target=0)
    torch.testing.assert_close(maps(model, x, METHODS["saliency"], corrected=False), expected)
    expected = InputXGradient(model).attribute(x.clone().requires_grad_(), target=0)
    torch.testing.assert_close(
        maps(model, x, METHODS["input-x-gradient"], corrected=False), expected
    )


def test_mutagenesis_by_hand(toy_models, toy_sets):
    x = columns(toy_sets[2].codes[:1])
    model = toy_models["deepbind-gata3"]
    found = maps(model, x, METHODS["ism"], corrected=False)
    for position in (0, 37, 50):
        logits = []
        for base in range(4):
            mutated = x.clone()
            mutated[0, :, position] = torch.eye(4)[base]
            logits.append(model(mutated)[0, 0])
        expected = torch.stack(logits) - torch.stack(logits).mean()
        torch.testing.assert_close(found[0, :, position], expected, atol=1e-4, rtol=1e-4)


def test_importance_is_the_map_at_the_base_present():
    x = columns(np.array([[2, 0]], dtype=np.uint8))
    found = importance(torch.arange(8.0).reshape(1, 4, 2), x)
    assert found.tolist() == [[4.0, 1.0]]


def test_parameters_are_values_and_unknown_ones_are_named():
    method = METHODS["shiftsmooth"].having(max_shift=2)
    assert method.parameters == {"max_shift": 2} and method.title == "ShiftSmooth N=2"
    assert METHODS["shiftsmooth"].parameters == {"max_shift": 5}
    with pytest.raises(ValueError, match="parameters of shiftsmooth: expected max_shift, got noi"):
        method.having(noise=1)
    with pytest.raises(ValueError, match="parameters of gradient: expected none, got max_shift"):
        METHODS["gradient"].having(max_shift=1)


@pytest.mark.parametrize("method", METHODS)
def test_the_target_is_what_is_explained(method, scrambled):
    model = scrambled(DeepBind([3], [5], tasks=["A", "B"]))
    x = columns(np.random.default_rng(0).integers(0, 4, (2, 30), dtype=np.uint8))
    first, second = (maps(model, x, METHODS[method], target=target) for target in (0, 1))

    class Second(torch.nn.Module):
        def forward(self, x):
            return model(x)[:, 1:]

    assert (first != second).any()
    if method != "deep-lift-shap":  # which looks for layers, and cannot see through a function
        alone = maps(Second(), x, METHODS[method])
        torch.testing.assert_close(second, alone, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_travels_to_another_process(method):
    sent = METHODS[method].having(max_shift=3) if method == "shiftsmooth" else METHODS[method]
    assert pickle.loads(pickle.dumps(sent)) == sent
