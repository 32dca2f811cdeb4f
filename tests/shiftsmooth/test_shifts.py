"""Shifting there and back, by index arithmetic and as properties."""

from itertools import count

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shiftsmooth.shifts import Shifts, dims_of, sequence_dims


def plan(max_shift=2, shifts=None, edges="circular", region=None):
    return Shifts.of(max_shift, shifts, edges, region)


@st.composite
def plans(draw):
    """(plan, tensor, dims, n): any kind of shift of a small tensor."""
    shape = draw(st.lists(st.integers(1, 9), min_size=2, max_size=4))
    dims = draw(
        st.lists(st.integers(-len(shape) + 1, -1), unique=True, max_size=2, min_size=1).map(tuple)
    )
    length = min(shape[d] for d in dims)
    if draw(st.booleans()):
        assume(length >= 3)
        bound = draw(st.integers(0, (length - 1) // 2))
        result = plan(bound, edges="flanks")
    else:
        start = draw(st.integers(0, length - 1))
        stop = draw(st.integers(start + 1, length))
        region = draw(st.sampled_from([None, (start, stop)]))
        size = length if region is None else stop - start
        result = plan(draw(st.integers(0, size - 1)), region=region)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    x = torch.randn(shape, generator=generator, dtype=torch.float64)
    return result, x, dims, draw(st.sampled_from(result.values))


def test_the_shifts_of_the_paper_are_all_up_to_the_largest():
    assert plan(2).values == (-2, -1, 0, 1, 2)


def test_given_shifts_keep_their_order():
    assert plan(9, [3, -1, 0]).values == (3, -1, 0)


def test_a_generator_of_shifts_is_read_once():
    assert plan(shifts=(n for n in (1, 2))).values == (1, 2)


def test_integers_of_other_libraries_are_integers():
    assert plan(np.int64(1), np.arange(2)).values == (0, 1)
    assert plan(torch.tensor(1)).values == (-1, 0, 1)


def test_a_positive_shift_moves_to_the_right():
    x = torch.arange(5.0)[None]
    assert plan().shift(x, (-1,), 2).tolist() == [[3, 4, 0, 1, 2]]


def test_a_region_is_rolled_and_the_rest_stays():
    x = torch.arange(6.0)[None]
    assert plan(1, region=(1, 5)).shift(x, (-1,), 1).tolist() == [[0, 4, 1, 2, 3, 5]]


def test_a_flanked_shift_is_the_window_that_starts_earlier():
    x = torch.arange(7.0)[None]
    flanked = plan(2, edges="flanks")
    windows = [flanked.shift(x, (-1,), n).tolist() for n in flanked.values]
    assert windows == [[[4, 5, 6]], [[3, 4, 5]], [[2, 3, 4]], [[1, 2, 3]], [[0, 1, 2]]]


def test_without_a_dimension_nothing_is_shifted():
    x = torch.arange(6.0).reshape(2, 3)
    for kind in (plan(), plan(1, region=(0, 2)), plan(edges="flanks")):
        assert kind.shift(x, (), 1) is x
        assert torch.equal(kind.back(x, (), 1), x)


@settings(deadline=None, max_examples=150)
@given(plans())
def test_back_is_the_adjoint_of_shift(case):
    shifts, x, dims, n = case
    shifted = shifts.shift(x, dims, n)
    a = torch.randn(shifted.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    torch.testing.assert_close((shifted * a).sum(), (x * shifts.back(a, dims, n)).sum())


@settings(deadline=None, max_examples=100)
@given(plans())
def test_back_undoes_shift_wherever_the_window_was(case):
    shifts, x, dims, n = case
    back = shifts.back(shifts.shift(x, dims, n), dims, n)
    seen = shifts.back(torch.ones_like(shifts.shift(x, dims, n)), dims, n).bool()
    assert torch.equal(back[seen], x[seen])
    assert shifts.edges == "flanks" or seen.all()


@settings(deadline=None, max_examples=100)
@given(plans())
def test_the_mean_of_ones_is_one_wherever_a_window_was(case):
    shifts, x, dims, _ = case
    window = torch.ones_like(shifts.shift(x, dims, 0))
    total = sum(shifts.back(window, dims, n) for n in shifts.values)
    torch.testing.assert_close(shifts.mean(total, dims), (total > 0).to(total))


def test_a_position_outside_every_window_has_mean_zero():
    shifts = plan(shifts=(2,), edges="flanks")
    total = shifts.back(torch.ones(1, 3), (-1,), 2)
    assert shifts.mean(total, (-1,)).tolist() == [[1, 1, 1, 0, 0, 0, 0]]


def test_flanked_means_in_two_dimensions_of_any_order_count_windows_by_both():
    shifts = plan(1, edges="flanks")
    x = torch.rand(1, 5, 7)
    total = sum(shifts.back(shifts.shift(x, (-1, -2), n), (-1, -2), n) for n in shifts.values)
    mean = shifts.mean(total, (-1, -2))
    seen = total != 0
    torch.testing.assert_close(mean[seen], x[seen])
    assert not seen[0, 0, -1]  # no diagonal window has this corner


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_shift": -1}, ValueError, "max_shift: expected 0 or more, got -1"),
        ({"max_shift": 10**9}, ValueError, "max_shift: expected 1000000 at most, got 1000000000"),
        ({"shifts": count()}, ValueError, "shifts: expected 2000001 integers at most, got more"),
        ({"max_shift": 1.5}, TypeError, r"max_shift: expected an integer, got 1.5"),
        ({"max_shift": True}, TypeError, "max_shift: expected an integer, got"),
        (
            {"shifts": []},
            ValueError,
            "shifts: expected .*one shift.*, got an empty",
        ),
        ({"shifts": [1, 2, 1]}, ValueError, r"shifts: expected every shift once, got \[1, 2, 1\]"),
        ({"shifts": [0.5]}, TypeError, r"shifts: expected an integer, got 0.5"),
        ({"shifts": 3}, TypeError, "shifts: expected integers, got 3"),
        ({"edges": "zeros"}, ValueError, "edges: expected 'circular' or 'flanks', got 'zeros'"),
        ({"region": (1, 2, 3)}, ValueError, r"region: expected \(start, stop\), got \(1, 2, 3\)"),
        ({"region": 3}, TypeError, "region: expected integers, got 3"),
        ({"region": (0, 2.5)}, TypeError, "region: expected an integer, got 2.5"),
        (
            {"region": (0, 3), "edges": "flanks"},
            ValueError,
            r"region: expected None with .* got \(0, 3\)",
        ),
    ],
)
def test_a_bad_plan_is_an_error_that_names_the_argument(arguments, error, message):
    with pytest.raises(error, match=message):
        plan(**arguments)


@pytest.mark.parametrize(
    ("shifts", "message"),
    [
        (
            plan(6),
            "max_shift, shifts: .* below 6, .* in x along dim -1, got 6",
        ),
        (plan(shifts=[-6]), "got 6"),
        (plan(3, region=(1, 4)), "expected shifts below 3"),
        (plan(0, region=(3, 3)), r"region: expected 0 <= start < stop <= 6.*got \(3, 3\)"),
        (plan(0, region=(0, 7)), "the length of x along dim -1"),
        (plan(0, region=(-2, 3)), "region: expected 0 <= start"),
        (
            plan(3, edges="flanks"),
            "x: expected more than 6 .* dim -1, .* flanks of 3 .* got 6",
        ),
    ],
)
def test_a_sequence_too_short_is_an_error_that_says_how_long_it_is(shifts, message):
    with pytest.raises(ValueError, match=message):
        shifts.check("x", torch.zeros(2, 3, 6), (-1,))


def test_a_shift_of_all_but_one_position_is_allowed():
    plan(5).check("x", torch.zeros(2, 3, 6), (-1,))
    plan(2, region=(1, 4)).check("x", torch.zeros(2, 3, 6), (-1,))
    plan(2, edges="flanks").check("x", torch.zeros(2, 3, 5), (-1,))


X = torch.zeros(2, 3, 5)


@pytest.mark.parametrize(
    ("dim", "inputs", "is_tuple", "expected"),
    [
        (-1, (X,), False, ((-1,),)),
        (2, (X,), False, ((-1,),)),
        (1, (X, X[0]), True, ((-2,), (-1,))),
        ((-1, None), (X, X), True, ((-1,), ())),
        ((-2, -1), (X,), False, ((-2, -1),)),
        ([1, 2], (X,), False, ((-2, -1),)),
        (((1, 2), -1), (X, X), True, ((-2, -1), (-1,))),
        (None, (X, X), True, ((), ())),
    ],
)
def test_dims_are_found_for_every_input_and_counted_from_the_end(dim, inputs, is_tuple, expected):
    assert dims_of(dim, inputs, is_tuple) == expected


@pytest.mark.parametrize(
    ("dim", "is_tuple", "error", "message"),
    [
        (3, False, ValueError, r"dim: expected a dimension of inputs\[0\], \(2, 3, 5\), got 3"),
        (-4, False, ValueError, "expected a dimension .* got -4"),
        (0, False, ValueError, r"dim: expected the sequence .* of inputs\[0\].* got 0, the batch"),
        (-3, False, ValueError, "got -3, the batch"),
        ((1, 1), False, ValueError, r"dim: expected every dimension of inputs\[0\] once"),
        ((1, -2), False, ValueError, r"once, got \(1, -2\)"),
        ((-1, -1), True, ValueError, "dim: expected one entry per input, 1, got 2"),
        (1.0, False, TypeError, "dim: expected an integer, got 1.0"),
        ("1", False, TypeError, "dim: expected an integer, got '1'"),
    ],
)
def test_a_bad_dim_is_an_error_that_names_the_input(dim, is_tuple, error, message):
    with pytest.raises(error, match=message):
        dims_of(dim, (X,), is_tuple)


@pytest.mark.parametrize(
    ("shape", "like", "dims", "expected"),
    [
        ((4, 9), (4, 3, 9), (-1,), (-1,)),
        ((4, 9, 7), (4, 9), (-1,), (-2,)),  # tokens -> embeddings
        ((4, 9, 9), (4, 9), (-1,), (-2,)),  # as many features as positions
        ((4, 9, 9), (4, 9, 9), (-1,), (-1,)),
        ((9,), (4, 3, 9), (-1,), (-1,)),  # no batch
        ((1, 9), (4, 3, 9), (-1,), (-1,)),
        ((9, 9), (9, 9), (-1,), (-1,)),  # as many examples as positions
        ((4, 5, 9), (4, 3, 5, 9), (-2, -1), (-2, -1)),
    ],
)
def test_an_arguments_sequence_dimension_is_the_one_as_long(shape, like, dims, expected):
    assert (
        sequence_dims("mask", shape, 4 if like[0] == 4 else 9, torch.zeros(like), dims) == expected
    )


@pytest.mark.parametrize("shape", [(4, 8), (4, 1, 9, 9), (4,)])
def test_an_argument_without_one_such_dimension_is_an_error_that_says_so(shape):
    with pytest.raises(ValueError, match=r"mask: expected one dimension of length 9, .* in shape"):
        sequence_dims("mask", shape, 4, torch.zeros(4, 9), (-1,))
