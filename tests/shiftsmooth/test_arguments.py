"""Arguments that are left to us, and warnings of arguments that are probably meant otherwise."""

import warnings

import pytest
import torch
from torch import nn

from shiftsmooth import LayerShiftSmooth, ShiftSmooth, shift_smooth
from tests.support import models


def total(x, *args):
    return x.flatten(1).sum(1)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((2, 4, 12), {}, 5),
        ((2, 4, 6), {}, 5),
        ((2, 4, 5), {}, 4),
        ((2, 4, 1), {}, 0),
        ((2, 4, 12), {"region": (3, 7)}, 3),
        ((2, 4, 12), {"edges": "flanks"}, 5),
        ((2, 4, 8), {"edges": "flanks"}, 3),
        ((2, 3, 7), {"dim": (1, 2)}, 2),
        ((2, 4, 12), {"dim": None}, 5),
    ],
    ids=str,
)
def test_the_largest_shift_is_five_or_what_the_sequence_allows(shape, options, expected):
    smooth, x = ShiftSmooth(lambda x: x.sin().flatten(1).cumsum(1).sum(1)), torch.randn(shape)
    assert torch.equal(
        smooth.attribute(x, **options), smooth.attribute(x, max_shift=expected, **options)
    )


def test_the_shortest_of_several_inputs_counts():
    x, y = torch.randn(2, 4, 12), torch.randn(2, 4, 3)
    smooth = ShiftSmooth(lambda x, y: total(x).sin() * total(y).cos())
    found, expected = smooth.attribute((x, y)), smooth.attribute((x, y), max_shift=2)
    assert all(map(torch.equal, found, expected))


def test_a_layer_and_the_function_choose_it_too():
    model, x = models.strided(), torch.randn(2, 4, 16).double()
    layer = LayerShiftSmooth(model, model.conv)
    options = {"attribute_to_layer_input": True, "region": (2, 5)}
    found, expected = (layer.attribute(x, 0, max_shift=n, **options) for n in (None, 2))
    assert torch.equal(found, expected)
    X = torch.eye(4)[None, :, :3]
    found, expected = (shift_smooth(total, X, target=None, max_shift=n) for n in (None, 2))
    assert torch.equal(found, expected)


def test_a_number_that_does_not_fit_stays_an_error():
    with pytest.raises(ValueError, match=r"max_shift.* below 3"):
        ShiftSmooth(total).attribute(torch.randn(2, 4, 3), max_shift=5)


@pytest.mark.parametrize(
    ("shape", "dim", "named"), [((2, 9, 4), -1, 1), ((2, 4, 9), 1, 2), ((2, 9, 1, 4), 3, 1)]
)
def test_rolling_the_letters_gets_a_warning_that_names_the_positions(shape, dim, named):
    with pytest.warns(UserWarning, match=f"dimension of length 4; .* pass dim={named}") as caught:
        ShiftSmooth(total).attribute(torch.randn(shape), dim=dim)
    assert caught[0].filename == __file__


def test_rolling_the_positions_gets_none():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape, dim in [((2, 4, 9), -1), ((2, 9, 4), 1), ((2, 4), -1), ((2, 4, 4), -1)]:
            ShiftSmooth(total).attribute(torch.randn(shape), dim=dim)
        ShiftSmooth(total).attribute(torch.randn(2, 4, 9), dim=(-1, -2))


MASKS = [((2, 12), "0"), ((12,), "0"), ((1, 1, 12), "0"), ((2, 3, 12), "0")]


@pytest.mark.parametrize(("shape", "position"), MASKS)
def test_an_argument_as_long_as_the_sequence_gets_a_warning(shape, position):
    x, mask = torch.randn(2, 4, 12), torch.ones(shape)
    with pytest.warns(UserWarning, match=rf"args\[0\] .* pass roll_args=\({position},\)"):
        ShiftSmooth(total).attribute(x, None, mask)


@pytest.mark.parametrize(
    ("mask", "options"),
    [
        (torch.ones(2, 12), {"roll_args": ()}),
        (torch.ones(2, 12), {"roll_args": (0,)}),
        (torch.ones(2, 12), {"max_shift": 0}),
        (torch.ones(2, 12), {"dim": None}),
        (torch.ones(2, 11), {}),
        (torch.ones(2), {}),
        ("text", {}),
    ],
    ids=str,
)
def test_other_arguments_get_none(mask, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ShiftSmooth(total).attribute(torch.randn(2, 4, 12), None, mask, **options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ShiftSmooth(nn.Linear), "the class Linear: make an instance"),
        (lambda: LayerShiftSmooth(nn.Linear, nn.Identity()), "the class Linear"),
        (lambda: shift_smooth(nn.Linear, torch.eye(4)[None]), "model: .* the class Linear"),
        (lambda: shift_smooth(3, torch.eye(4)[None]), "model: .* got int"),
        (lambda: LayerShiftSmooth(models.strided(), "conv"), r"layer: .*get_submodule\('conv'\)"),
        (lambda: LayerShiftSmooth(models.strided(), None), "layer: .* got NoneType"),
    ],
)
def test_what_is_no_model_or_layer_is_an_error_that_says_what_to_give(call, words):
    with pytest.raises(TypeError, match=words):
        call()


def test_a_layer_of_another_model_is_an_error():
    with pytest.raises(ValueError, match=r"layer: .* a Conv1d that is not in it"):
        LayerShiftSmooth(models.strided(), models.strided().conv)


def test_a_name_nearly_right_is_an_error_that_says_which_was_meant():
    with pytest.raises(TypeError, match=r"max_shifts: .* did you mean max_shift\?"):
        ShiftSmooth(total).attribute(torch.randn(2, 4, 12), max_shifts=2)
