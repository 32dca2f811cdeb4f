"""How many shifts run at once: all of them once, no more than fit, as few times as possible."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shiftsmooth import batching
from shiftsmooth.batching import accumulate

CPU, OTHER = torch.device("cpu"), torch.device("meta")


class Step:
    """Sums squares of offsets; keeps `saved` numbers an offset for a backward pass."""

    def __init__(self, fits=10**9, saved=0):
        self.chunks = []
        self.fits = fits
        self.saved = saved

    def __call__(self, chunk):
        self.chunks.append(chunk)
        if len(chunk) > self.fits:
            raise torch.OutOfMemoryError("no")
        if self.saved:
            torch.ones(self.saved * len(chunk), requires_grad=True).mul(1.0).sin()
        return torch.tensor(float(sum(n * n for n in chunk))), torch.ones(2) * len(chunk)

    @property
    def sizes(self):
        return [len(chunk) for chunk in self.chunks]


def squares(offsets):
    return float(sum(n * n for n in offsets))


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(-50, 50), unique=True, min_size=1, max_size=30),
    st.one_of(st.none(), st.integers(1, 40)),
    st.sampled_from([CPU, OTHER]),
    st.integers(0, 1000),
)
def test_every_offset_is_counted_once(offsets, at_once, device, saved):
    step = Step(saved=saved)
    total, count = accumulate(step, tuple(offsets), at_once, device)
    assert total == squares(offsets)
    assert count.tolist() == [len(offsets)] * 2
    assert [n for chunk in step.chunks for n in chunk] == offsets


@pytest.mark.parametrize("device", [CPU, OTHER])
def test_a_size_that_was_asked_for_is_kept(device):
    step = Step()
    accumulate(step, tuple(range(11)), 4, device)
    assert step.sizes == [4, 4, 3]


def test_all_run_at_once_where_memory_is_not_a_cpus():
    step = Step()
    accumulate(step, tuple(range(11)), None, OTHER)
    assert step.sizes == [11]


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40))
def test_out_of_memory_halves_what_runs_at_once_until_it_fits(count, fits):
    step = Step(fits)
    total, _ = accumulate(step, tuple(range(count)), None, OTHER)
    assert total == squares(range(count))
    tried = [size for size in step.sizes if size > fits]
    assert all(b == a // 2 for a, b in pairwise(tried))
    done = [size for size in step.sizes if size <= fits]
    assert sum(done) == count
    assert not tried or done[0] == tried[-1] // 2


def test_what_did_not_fit_is_not_tried_again():
    step = Step(fits=3)
    accumulate(step, tuple(range(11)), None, OTHER)
    assert step.sizes == [11, 5, 2, 2, 2, 2, 2, 1]


def test_memory_that_another_process_takes_later_on_loses_nothing():
    step = Step(fits=4)

    def tighter(chunk):
        if len(step.chunks) == 2:
            step.fits = 1
        return step(chunk)

    total, _ = accumulate(tighter, tuple(range(8)), None, OTHER)
    assert total == squares(range(8))
    assert step.sizes == [8, 4, 4, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("at_once", [1, 4])
def test_out_of_memory_at_a_size_that_was_asked_for_is_raised(at_once):
    step = Step(fits=0)
    with pytest.raises(torch.OutOfMemoryError):
        accumulate(step, tuple(range(8)), at_once, OTHER)
    assert step.sizes == [at_once]


def test_out_of_memory_for_a_single_offset_is_raised():
    step = Step(fits=0)
    with pytest.raises(torch.OutOfMemoryError):
        accumulate(step, tuple(range(4)), None, OTHER)
    assert step.sizes == [4, 2, 1]


def test_any_other_error_is_raised_at_once():
    calls = []

    def step(chunk):
        calls.append(chunk)
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(RuntimeError, match="illegal"):
        accumulate(step, tuple(range(4)), None, OTHER)
    assert len(calls) == 1


@pytest.mark.parametrize(("saved", "alike"), [(1, True), (10**7, False)])
def test_a_cpu_runs_together_what_keeps_little_and_apart_what_keeps_much(saved, alike):
    step = Step(saved=saved)
    accumulate(step, tuple(range(11)), None, CPU)
    assert step.sizes == ([1, 10] if alike else [1] * 11)


def test_a_cpu_cuts_evenly_what_it_cannot_run_together(monkeypatch):
    monkeypatch.setattr(batching, "CPU_BYTES", 4000 * 4)
    step = Step(saved=1000)
    accumulate(step, tuple(range(11)), None, CPU)
    assert step.sizes == [1, 4, 4, 2]


def test_a_parameter_is_not_taken_for_an_activation():
    weight = torch.nn.Parameter(torch.ones(10**7))
    sizes = []

    def step(chunk):
        sizes.append(len(chunk))
        (weight * torch.ones(1)).sum()
        return (torch.zeros(()),)

    weight.requires_grad_()
    accumulate(step, tuple(range(5)), None, CPU)
    assert sizes == [1, 4]


@pytest.mark.parametrize(
    ("at_once", "error"), [(0, ValueError), (-3, ValueError), (2.5, TypeError), (True, TypeError)]
)
def test_a_bad_size_is_an_error_that_names_it(at_once, error):
    with pytest.raises(error, match="shifts_per_eval"):
        accumulate(Step(), (0, 1), at_once, CPU)
