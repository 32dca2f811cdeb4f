import numpy as np
import pytest

from modelzoo.training.argminn import L1, OVERLAP
from modelzoo.training.schedules import falling, one_cycle, ramp


def test_one_cycle_rises_to_one_and_falls_to_zero():
    values = [one_cycle(i / 100) for i in range(101)]
    peak = values.index(max(values))
    assert values[peak] == pytest.approx(1.0) and peak == 20
    assert values[:21] == sorted(values[:21]) and values[20:] == sorted(values[20:], reverse=True)
    assert values[-1] == pytest.approx(0.0)


def test_schedules_are_the_papers():
    overlap = [ramp(epoch, 40, OVERLAP) for epoch in range(40)]
    assert overlap[:10] == [0] * 10
    np.testing.assert_allclose(overlap[10:30], np.logspace(0.5, 4, 20))
    np.testing.assert_allclose(overlap[30:], 1e4)
    l1 = [ramp(epoch, 40, L1) for epoch in range(40)]
    assert l1[:10] == [0] * 10
    np.testing.assert_allclose(l1[10:30], np.logspace(-4, -3, 20))
    np.testing.assert_allclose(l1[30:], 1e-3)


@pytest.mark.parametrize("epochs", [2, 3, 5, 8])
def test_short_schedules_rise_to_the_end(epochs):
    weights = [ramp(epoch, epochs, L1) for epoch in range(epochs)]
    assert weights == sorted(weights)
    assert weights[-1] == pytest.approx(L1[1])


def test_a_falling_rate_ends_at_nothing():
    rates = [falling(done) for done in np.linspace(0, 1, 9)]
    assert rates[0] == 1 and abs(rates[-1]) < 1e-12 and rates[4] == pytest.approx(0.5)
    assert rates == sorted(rates, reverse=True)
