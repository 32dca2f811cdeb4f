"""How many shifts run at once: all of them once, no more than fit, as few times as possible."""

from itertools import pairwise

import pytest
import torch
from captum.attr import GradientShap, IntegratedGradients
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftsmooth import ShiftSmooth
from shiftsmooth.chunks import Chunks, over


def accumulate(step, shifts, at_once, halve):
    """The sums of what `step` gives."""
    parts = []
    over(step, shifts, at_once, parts.append, halve)
    return tuple(map(sum, zip(*parts)))


class Step:
    """Sums squares of shifts."""

    def __init__(self, fits=10**9):
        self.chunks = []
        self.fits = fits

    def __call__(self, chunk):
        self.chunks.append(chunk)
        if len(chunk) > self.fits:
            raise torch.OutOfMemoryError("no")
        return torch.tensor(float(sum(n * n for n in chunk))), torch.ones(2) * len(chunk)

    @property
    def sizes(self):
        return [len(chunk) for chunk in self.chunks]


def squares(shifts):
    return float(sum(n * n for n in shifts))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(-50, 50), unique=True, min_size=1, max_size=30),
    st.integers(1, 40),
    st.booleans(),
)
def test_every_shift_is_counted_once(shifts, at_once, halve):
    step = Step()
    total, count = accumulate(step, tuple(shifts), at_once, halve)
    assert total == squares(shifts)
    assert count.tolist() == [len(shifts)] * 2
    assert [n for chunk in step.chunks for n in chunk] == shifts


@pytest.mark.parametrize("halve", [True, False])
def test_a_size_that_fits_is_kept(halve):
    step = Step()
    accumulate(step, tuple(range(11)), 4, halve)
    assert step.sizes == [4, 4, 3]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_out_of_memory_halves_what_runs_at_once_until_it_fits(count, fits):
    step = Step(fits)
    total, _ = accumulate(step, tuple(range(count)), count, True)
    assert total == squares(range(count))
    tried = [size for size in step.sizes if size > fits]
    assert all(b == a // 2 for a, b in pairwise(tried))
    done = [size for size in step.sizes if size <= fits]
    assert sum(done) == count
    assert not tried or done[0] == tried[-1] // 2


def test_what_did_not_fit_is_not_tried_again():
    step = Step(fits=3)
    accumulate(step, tuple(range(11)), 11, True)
    assert step.sizes == [11, 5, 2, 2, 2, 2, 2, 1]


def test_memory_that_another_process_takes_later_on_loses_nothing():
    step = Step(fits=4)

    def tighter(chunk):
        if len(step.chunks) == 2:
            step.fits = 1
        return step(chunk)

    total, _ = accumulate(tighter, tuple(range(8)), 8, True)
    assert total == squares(range(8))
    assert step.sizes == [8, 4, 4, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("at_once", [1, 4])
def test_out_of_memory_at_a_size_that_was_asked_for_is_raised(at_once):
    step = Step(fits=0)
    with pytest.raises(torch.OutOfMemoryError):
        accumulate(step, tuple(range(8)), at_once, False)
    assert step.sizes == [at_once]


def test_out_of_memory_for_a_single_shift_is_raised():
    step = Step(fits=0)
    with pytest.raises(torch.OutOfMemoryError):
        accumulate(step, tuple(range(4)), 4, True)
    assert step.sizes == [4, 2, 1]


def test_any_other_error_is_raised_at_once():
    calls = []

    def step(chunk):
        calls.append(chunk)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        accumulate(step, tuple(range(4)), 4, True)
    assert len(calls) == 1


class Keeps(torch.nn.Module):
    """Keeps `count` numbers an example for its backward pass."""

    def __init__(self, count):
        super().__init__()
        self.count = count

    def forward(self, x):
        big = x.sum((1, 2))[:, None].expand(-1, self.count).contiguous()
        return big.sin().sum(1)


class Sum(torch.nn.Module):
    def forward(self, x):
        return x.sum(1)


def smoothing(model, budget):
    smooth = ShiftSmooth(model)
    smooth.chunks = Chunks(cpu_bytes=budget)
    return smooth


def sizes(model, budget, shifts, batch=1):
    """How many rows the model sees at a time, after the pass that measures it."""
    rows = []
    model.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    smooth = smoothing(model, budget)
    smooth.attribute(torch.randn(batch, 4, 20), max_shift=shifts // 2)
    assert rows.pop(0) == batch
    again = len(rows)
    smooth.attribute(torch.randn(batch, 4, 20), max_shift=shifts // 2)
    assert len(rows) == 2 * again, "measured again"
    return rows[:again]


def test_a_cpu_runs_together_what_keeps_little():
    assert sizes(Keeps(1), budget=2**20, shifts=11) == [11]


def test_a_cpu_runs_apart_what_keeps_much():
    assert sizes(Keeps(10**6), budget=2**20, shifts=5) == [1] * 5


def test_a_cpu_cuts_evenly_what_it_cannot_run_together():
    # the largest array kept is 2 examples x 4 kB a shift, and counts three times
    assert sizes(Keeps(1000), 5 * 24_500, shifts=11, batch=2) == [8, 8, 6]


def test_many_small_arrays_are_kept_as_well_as_a_large_one():
    layers = [torch.nn.Sigmoid() for _ in range(50)]
    model = torch.nn.Sequential(Keeps(1), *layers, torch.nn.Unflatten(0, (-1, 1)))
    assert sizes(model, 5 * 50 * 4, shifts=11) == [4, 4, 3]


def test_a_parameter_does_not_count():
    conv = torch.nn.Conv1d(4, 1000, 20)  # a weight of 320 kB gives an example 4 kB
    model = torch.nn.Sequential(conv, torch.nn.Flatten(), Sum())
    assert sizes(model, 11 * 12_500, shifts=11) == [11]


def test_inputs_of_another_shape_are_measured_anew():
    rows = []
    model = Keeps(10**4)
    model.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    smooth = smoothing(model, 2**20)
    for batch in (1, 10):
        smooth.attribute(torch.randn(batch, 4, 20), max_shift=2)
    assert rows == [1, 5, 10, 10, 10, 10, 10, 10]


def test_a_gradient_method_inside_gets_one_shift_at_a_time():
    rows = []
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(80, 1))
    model.register_forward_pre_hook(lambda module, args: rows.append(len(args[0])))
    ShiftSmooth(IntegratedGradients(model)).attribute(torch.ones(2, 4, 20), 0, n_steps=7)
    assert rows == [14] * 11


def test_the_measurement_draws_no_random_numbers():
    model = torch.nn.Sequential(torch.nn.Dropout(), torch.nn.Flatten(), torch.nn.Linear(80, 1))
    torch.manual_seed(0)
    first = ShiftSmooth(model).attribute(torch.ones(2, 4, 20), 0, shifts_per_eval=11)
    torch.manual_seed(0)
    measured = ShiftSmooth(model)
    assert torch.equal(measured.attribute(torch.ones(2, 4, 20), 0), first)


@pytest.mark.parametrize(
    ("size", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)]
)
@pytest.mark.parametrize("wrap", [lambda f: f, GradientShap], ids=["gradient", "one at a time"])
def test_a_bad_size_is_an_error_that_names_it(size, error, wrap):
    method = wrap(lambda x: x.sum((1, 2)))
    options = {} if wrap is not GradientShap else {"baselines": torch.zeros(3, 4, 20)}
    with pytest.raises(error, match="shifts_per_eval"):
        ShiftSmooth(method).attribute(torch.ones(2, 4, 20), shifts_per_eval=size, **options)
