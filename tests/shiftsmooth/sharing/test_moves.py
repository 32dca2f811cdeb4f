"""Copies of positions: values against slices, gradients against differences, layouts kept."""

from functools import partial

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from shiftsmooth.sharing import moves
from shiftsmooth.sharing.moves import Piece

# Of a window of 9 positions, 2 of them on the left strip and 3 on the right one.
PIECES = [
    Piece(1, (0, 2), ((0, 2), (1, 3), (0, 0)), 2, (0, 0), 0, -7.0),
    Piece(0, (0, 0), ((0, 4), (1, 5), (0, 2)), 2, (0, 3), 2, 0.5),
    Piece(0, (1, 2), ((0, 2), (1, 3), (0, 0)), 4, (0, 1), 0, 0.0),
]


def channels_last(*shape):
    """Numbers whose second dimension is the last in memory."""
    return torch.randn(shape[0], shape[2], shape[1], dtype=torch.float64).transpose(1, 2)


def contiguous(*shape):
    return torch.randn(shape, dtype=torch.float64)


@pytest.fixture(params=[contiguous, channels_last])
def make(request):
    torch.manual_seed(0)
    return request.param


def parts(make):
    """Two maps of a batch of 2, and the strips of three windows."""
    return make(4, 3, 8), make(6, 3, 2), make(6, 3, 3)


def test_a_piece_is_what_is_before_on_strips_on_maps_and_behind(make):
    maps, left, right = parts(make)
    _, found = moves.cut(maps, left, right, 2, 2, PIECES)
    for window, (g, start) in enumerate(((0, 2), (1, 3), (0, 0))):
        rows, own = slice(2 * window, 2 * window + 2), slice(2 * g, 2 * g + 2)
        inner = maps[own, :, start : start + 4]
        before, behind = torch.full((2, 3, 1), -7.0), torch.full((2, 3, 2), 0.5)
        for piece, wanted in zip(
            found,
            (
                [before, left[rows], inner[..., :2]],
                [inner[..., 2:], right[rows], behind],
                [left[rows, :, 1:], inner, right[rows, :, :1]],
            ),
        ):
            assert torch.equal(piece[rows], torch.cat(wanted, 2))


@pytest.mark.parametrize(
    "places",
    [
        ((0, 3), (0, 2), (0, 1), (0, 0)),  # as of shifts: one behind the other, backwards
        ((0, 0), (1, 0), (0, 2), (1, 1)),  # in turns on two maps
        ((1, 3), (0, 4), (1, 0), (1, 1)),  # in no order
        ((0, 2), (0, 2), (1, 2), (1, 2)),  # twice the same
    ],
)
def test_copies_in_runs_are_those_one_by_one(make, places):
    maps, n = make(4, 3, 8).unflatten(0, (2, 2)), 4
    piece = Piece(0, (0, 0), places, n, (0, 0), 0, 0.0)
    expected = torch.cat([maps[g, ..., start : start + n] for g, start in places])
    found = torch.zeros_like(expected)
    moves.copy_in_runs(found, maps, 2, n, piece)
    assert torch.equal(found, expected)

    gradient, one_by_one, total = make(8, 3, n), torch.zeros_like(maps), torch.zeros_like(maps)
    for (g, start), part in zip(places, gradient.chunk(4)):
        one_by_one[g, ..., start : start + n] += part
    moves.add_in_runs(total, gradient, 2, n, piece)
    torch.testing.assert_close(total, one_by_one)


@pytest.mark.parametrize(
    ("numbers", "found"),
    [
        ((3,), range(3, 4)),
        ((3, 2, 1), range(3, 0, -1)),
        ((0, 4, 8), range(0, 12, 4)),
        ((1, 2, 4), None),
        ((2, 2), None),
    ],
)
def test_evenly_spaced_numbers_are_a_range(numbers, found):
    assert moves.evenly_spaced(numbers) == found


FUNCTIONS = {
    "cut": lambda maps, left, right: [
        y
        for shared, pieces in [moves.cut(maps, left, right, 2, 2, PIECES)]
        for y in (shared * 2, *pieces)
    ],
    "apart": lambda maps, *_: moves.apart(maps, 2),
    "cropped": lambda maps, *_: moves.cropped(maps, 2, 1, 4),
    "phases": lambda maps, *_: moves.phases(maps, 2, 2, 3),
    **{
        kind: partial(lambda kind, maps, *_: moves.regions(maps, 2, 1, 2, 3, kind), kind)
        for kind in ("max", "sum", "none")
    },
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_right_once_and_twice(function, make):
    given = [x.requires_grad_() for x in parts(make)]
    assert gradcheck(function, given)
    assert gradgradcheck(function, given)


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_gradients_are_in_memory_as_the_maps_are(function, make):
    given = [x.requires_grad_() for x in parts(make)]
    found = function(*given)
    found = [found] if isinstance(found, torch.Tensor) else found
    (gradient,) = torch.autograd.grad(sum(y.square().sum() for y in found), given[:1])
    assert moves.in_order(gradient) == moves.in_order(given[0])


def test_phases_are_every_third_position(make):
    maps = make(4, 3, 8)
    found = moves.phases(maps, 2, 2, 3)
    for g in range(2):
        for r in range(3):
            wanted = maps[2 * g : 2 * g + 2, :, r::3]
            assert torch.equal(found[6 * g + 2 * r :][:2, :, : wanted.size(2)], wanted)


def test_the_first_of_equal_values_is_the_largest(make):
    x = make(2, 3, 6).zero_()
    x[:, :, [2, 4]] = 1
    values, place = moves.largest(x, 2)
    assert values.eq(1).all()
    assert place.eq(2).all()


def test_tensors_are_joined_in_the_layout_of_the_first(make):
    one, other = make(2, 3, 4), contiguous(2, 3, 5)
    found = moves.joined([one, other], 2)
    assert torch.equal(found, torch.cat([one, other], 2))
    assert moves.in_order(found) == moves.in_order(one)


def test_half_precision_gradients_of_many_windows_are_summed_in_single():
    maps = torch.zeros(1, 1, 1, dtype=torch.float16, requires_grad=True)
    many = Piece(0, (0, 0), ((0, 0),) * 4096, 1, (0, 0), 0, 0.0)
    _, (piece,) = moves.cut(maps, None, None, 1, 2, [many])
    (gradient,) = torch.autograd.grad(piece.float().sum(), maps)
    assert gradient.item() == 4096
