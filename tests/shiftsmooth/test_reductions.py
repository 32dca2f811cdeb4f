"""Every reduction against its definition in NumPy."""

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth
from shiftsmooth.reductions import REDUCTIONS
from tests.support import models
from tests.support.calls import calls
from tests.support.naive import gradient

# Values are nan where no window was.
DEFINITIONS = {
    "mean": np.nanmean,
    "mean_square": lambda each, axis: np.nanmean(each**2, axis),
    "variance": np.nanvar,
    "mean_and_std": lambda each, axis: np.stack([np.nanmean(each, axis), np.nanstd(each, axis)]),
    "median": np.nanmedian,
}
REDUCTION = pytest.mark.parametrize("reduction", DEFINITIONS)


def test_every_reduction_is_tested():
    assert DEFINITIONS.keys() == REDUCTIONS.keys()


@settings(deadline=None, max_examples=100)
@given(calls(), st.sampled_from(list(DEFINITIONS)), st.booleans())
def test_it_is_its_definition_for_any_call(call, reduction, abs):
    model = models.mixer(*call.windows)
    found = ShiftSmooth(model).attribute(
        call.inputs, 1, abs=abs, reduction=reduction, **call.options
    )
    expected = call.naive(
        gradient(lambda *xs: model(*xs)[:, 1], abs), reduction=DEFINITIONS[reduction]
    )
    for a, b in zip(found, expected):
        root = reduction == "mean_and_std"  # of rounding errors
        torch.testing.assert_close(a, b, atol=1e-7 if root else 1e-10, rtol=1e-10)


def of_single_shifts(smooth, x, reduction, **options):
    each = [smooth.attribute(x, 0, shifts=[n], **options).numpy() for n in range(-3, 4)]
    return torch.from_numpy(DEFINITIONS[reduction](np.stack(each), axis=0))


@REDUCTION
@pytest.mark.parametrize("at_once", [None, 2])
def test_it_applies_to_any_method(reduction, at_once):
    smooth, x = ShiftSmooth(InputXGradient(models.strided())), torch.randn(3, 4, 16).double()
    found = smooth.attribute(x, 0, max_shift=3, reduction=reduction, shifts_per_eval=at_once)
    torch.testing.assert_close(found, of_single_shifts(smooth, x, reduction))


@REDUCTION
@pytest.mark.parametrize("abs", [False, True])
def test_it_applies_to_a_layer(reduction, abs):
    model, x = models.strided(), torch.randn(3, 4, 16).double()
    smooth = LayerShiftSmooth(model, model.conv)
    options = {"attribute_to_layer_input": True, "abs": abs}
    found = smooth.attribute(x, 0, max_shift=3, reduction=reduction, **options)
    torch.testing.assert_close(found, of_single_shifts(smooth, x, reduction, **options))


@REDUCTION
def test_half_precision_is_reduced_in_float32(reduction):
    model = models.mixer((2, 24), dtype=torch.bfloat16)
    x = torch.randn(2, 2, 24).bfloat16()
    smooth = ShiftSmooth(model)
    each = [smooth.attribute(x, 0, shifts=[n]).double().numpy() for n in range(-9, 10)]
    expected = torch.from_numpy(DEFINITIONS[reduction](np.stack(each), axis=0))
    found = smooth.attribute(x, 0, max_shift=9, reduction=reduction)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-4)


def test_the_deviation_of_equal_gradients_is_nothing_in_float32_too():
    weight = torch.randn(4, 1)
    found = ShiftSmooth(lambda x: (x * weight).sum((1, 2))).attribute(
        torch.randn(2, 4, 16), reduction="mean_and_std"
    )
    torch.testing.assert_close(found[0], weight.expand(2, 4, 16))
    assert found[1].abs().max() < 1e-7


def test_the_variance_is_never_negative():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    nn.init.constant_(model[1].weight, 0.1)
    found = ShiftSmooth(model).attribute(torch.randn(2, 1, 12), reduction="variance", max_shift=3)
    assert (found >= 0).all()


def test_an_unknown_one_is_an_error_that_names_the_known():
    with pytest.raises(ValueError, match=r"reduction: expected one of .*'variance'.* got 'mode'"):
        ShiftSmooth(models.strided()).attribute(torch.randn(3, 4, 16).double(), reduction="mode")
