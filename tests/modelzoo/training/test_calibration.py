import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from modelzoo.training.calibration import calibration, platt


def drawn(slope, intercept, count=20_000, seed=0):
    """Return logits, and labels that are drawn with the probabilities they mean."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, count)
    return logits, (rng.random(count) < expit(slope * logits + intercept)).astype(float)


def test_the_slope_and_intercept_that_labels_were_drawn_by_are_found():
    assert platt(*drawn(0.5, -1.0)) == pytest.approx((0.5, -1.0), abs=0.05)


def test_it_is_a_logistic_regression_without_a_penalty():
    logits, labels = drawn(2.0, 0.3, 3000)
    regression = LogisticRegression(C=np.inf, tol=1e-8).fit(logits[:, None], labels)
    # Platt's targets are off 0 and 1 by 1 / (n + 2)
    assert platt(logits, labels) == pytest.approx(
        (regression.coef_[0, 0], regression.intercept_[0]), rel=0.03
    )


def test_classes_that_do_not_overlap_have_finite_numbers():
    slope, intercept = platt(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    assert 0 < slope < 10 and intercept == pytest.approx(0, abs=1e-4)
    # Platt's targets are 3/4 and 1/4 here
    assert 0.6 < expit(slope * 1.0 + intercept) < 0.8


def test_the_order_of_logits_is_never_turned_round():
    logits, labels = drawn(1.0, 0.0, 500)
    slope, intercept = platt(logits, 1 - labels)
    assert slope == 0
    assert expit(intercept) == pytest.approx((1 - labels).mean(), abs=0.01)


def test_a_task_is_fitted_on_its_known_labels():
    logits, labels = drawn(0.5, -1.0, 1000)
    other = np.where(np.arange(1000) < 300, labels, np.nan)
    found = calibration(
        torch.tensor(np.stack([logits, 2 * logits], 1)), torch.tensor(np.stack([labels, other], 1))
    )
    assert found[0] == list(platt(logits, labels))
    assert found[1] == list(platt(2 * logits[:300], labels[:300]))
