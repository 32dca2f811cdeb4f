"""Statistics against definitions, textbook values and the libraries that have them."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

from modelzoo.studies.statistics import (
    anova,
    auc,
    bootstrap,
    bootstrap_comparison,
    calibration_error,
    delong,
    delong_test,
    holm,
    interval,
    paired_means,
    paired_test,
    reliability,
    separation,
)


def example(n=200, models=3, seed=0, levels=None):
    """Labels and correlated scores; `levels` makes ties."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    common = labels + rng.normal(size=n)
    scores = common + rng.normal(size=(models, n)) * np.arange(1, models + 1)[:, None]
    if levels:
        scores = np.round(scores * levels) / levels
    return labels, scores


def delong_by_all_pairs(labels, scores):
    """The definition of DeLong et al. 1988: every positive against every negative."""
    positive, negative = scores[:, labels == 1], scores[:, labels == 0]
    kernel = (positive[:, :, None] > negative[:, None]) + 0.5 * (
        positive[:, :, None] == negative[:, None]
    )
    aucs = kernel.mean(axis=(1, 2))
    v10, v01 = kernel.mean(axis=2), kernel.mean(axis=1)
    s10 = (v10 - aucs[:, None]) @ (v10 - aucs[:, None]).T / (v10.shape[1] - 1)
    s01 = (v01 - aucs[:, None]) @ (v01 - aucs[:, None]).T / (v01.shape[1] - 1)
    return aucs, s10 / v10.shape[1] + s01 / v01.shape[1]


@pytest.mark.parametrize("levels", [None, 1, 2])
def test_delong_equals_its_definition(levels):
    labels, scores = example(levels=levels)
    found, expected = delong(labels, scores), delong_by_all_pairs(labels, scores)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-9, atol=1e-15)


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.data())
def test_delong_equals_its_definition_with_any_ties(p, n, data):
    labels = np.array([1] * p + [0] * n)
    scores = data.draw(arrays(float, (2, p + n), elements=st.integers(0, 4).map(float)))
    found, expected = delong(labels, scores), delong_by_all_pairs(labels, scores)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], atol=1e-12)


def test_delong_by_hand():
    # Three positives, two negatives; the middle negative beats one positive.
    labels, scores = np.array([1, 1, 1, 0, 0]), np.array([[5.0, 4, 2, 3, 1]])
    aucs, covariance = delong(labels, scores)
    assert aucs[0] == pytest.approx(5 / 6)
    # V10 = (1, 1, 1/2): variance 1/12 over 3. V01 = (2/3, 1): variance 1/18 over 2.
    assert covariance[0, 0] == pytest.approx(1 / 36 + 1 / 36)


def test_delong_test_of_independent_scores_holds_its_level():
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 2
    p = [delong_test(labels, *(labels + rng.normal(size=(2, 120)) * 1.5)).p for _ in range(1000)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_delong_test_is_antisymmetric_and_sees_identity():
    labels, scores = example(n=4000)
    one, two = delong_test(labels, scores[0], scores[2]), delong_test(labels, scores[2], scores[0])
    assert one.difference == pytest.approx(-two.difference)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low))
    assert one.p == pytest.approx(two.p) and one.p < 0.05
    same = delong_test(labels, scores[0], scores[0] * 3 + 1)
    assert (same.difference, same.p) == (0, 1)


def test_delong_is_fast_enough_for_a_million():
    labels, scores = example(n=200_000, models=2)
    start = time.process_time()
    delong(labels, scores)
    assert time.process_time() - start < 2


def test_auc_is_scikit_learns():
    labels, scores = example(levels=2)
    expected = [roc_auc_score(labels, row) for row in scores]
    np.testing.assert_allclose(auc(labels, scores), expected)


@pytest.mark.parametrize("levels", [None, 1])
def test_bootstrap_scores_are_scikit_learns_on_the_same_resamples(levels):
    labels, scores = example(n=60, levels=levels)
    found = bootstrap(labels, scores, resamples=20, seed=5)
    weights = np.random.default_rng(5).multinomial(60, np.full(60, 1 / 60), 20)
    for r, weight in enumerate(weights):
        rows = np.repeat(np.arange(60), weight)
        for m, row in enumerate(scores):
            assert found["roc_auc"][r, m] == pytest.approx(roc_auc_score(labels[rows], row[rows]))
            assert found["average_precision"][r, m] == pytest.approx(
                average_precision_score(labels[rows], row[rows])
            )


def test_bootstrap_and_delong_agree_on_the_spread_of_a_difference():
    labels, scores = example(n=1000, seed=3)
    samples = bootstrap(labels, scores[:2], seed=0, resamples=2000)["roc_auc"]
    difference = samples[:, 0] - samples[:, 1]
    covariance = delong(labels, scores[:2])[1]
    expected = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    assert difference.std() == pytest.approx(expected, rel=0.08)


def test_groups_are_drawn_together():
    # In each pair the positive beats its own negative and no other: only whole pairs keep order.
    pairs = np.repeat(np.arange(50), 2)
    labels = np.tile([1, 0], 50)
    scores = (pairs * 10 + labels)[None].astype(float)
    grouped = bootstrap(labels, scores, resamples=400, seed=0, groups=pairs)["roc_auc"]
    single = bootstrap(labels, scores, resamples=400, seed=0)["roc_auc"]
    assert grouped.std() < single.std() / 5
    # The numbers of the groups are names, nothing more.
    renamed = bootstrap(labels, scores, resamples=400, seed=0, groups=pairs * 7 + 3)["roc_auc"]
    np.testing.assert_array_equal(grouped, renamed)


def test_a_resample_always_holds_both_classes():
    labels = np.array([1, 0, 0, 0])
    samples = bootstrap(labels, np.array([[3.0, 1, 2, 4]]), resamples=500, seed=0)
    assert np.isfinite(samples["roc_auc"]).all()


def test_bootstrap_of_the_whole_evaluation_takes_seconds():
    labels, scores = example(n=1000, models=4)
    start = time.process_time()
    for dataset in range(9):
        bootstrap(labels, scores, resamples=1000, seed=dataset)
    assert time.process_time() - start < 15


def test_bootstrap_is_seeded():
    labels, scores = example()
    one, two, other = (
        bootstrap(labels, scores, resamples=10, seed=s)["roc_auc"] for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_bootstrap_comparison_by_hand():
    samples = np.array([-1.0, 1.0] * 50)
    found = bootstrap_comparison(samples, observed=1.96 * samples.std(ddof=1))
    assert found.p == pytest.approx(0.05, abs=1e-4)
    assert (found.low, found.high) == (-1, 1)
    assert bootstrap_comparison(np.zeros(100), 0.0).p == 1


def test_bootstrap_and_delong_agree_on_the_p_of_a_difference():
    labels, scores = example(n=1000, seed=3)
    samples = bootstrap(labels, scores[:2], seed=0, resamples=2000)["roc_auc"]
    delong_ = delong_test(labels, *scores[:2])
    found = bootstrap_comparison(samples[:, 0] - samples[:, 1], delong_.difference)
    assert np.log10(found.p) == pytest.approx(np.log10(delong_.p), rel=0.15)


def test_interval_is_the_percentile_interval():
    np.testing.assert_allclose(interval(np.arange(1001.0)), [25, 975])
    np.testing.assert_allclose(interval(np.append(np.arange(1001.0), np.nan)), [25, 975])
    assert np.isnan(interval(np.full(5, np.nan))).all()


def test_paired_means_have_the_spread_of_the_mean_and_skip_missing_values():
    rng = np.random.default_rng(0)
    values = rng.normal(loc=[1, 2], size=(400, 2))
    values[:50, 1] = np.nan
    means, samples = paired_means(values, resamples=4000, seed=0)
    np.testing.assert_allclose(means, np.nanmean(values, axis=0))
    expected = np.nanstd(values, axis=0) / np.sqrt([400, 350])
    np.testing.assert_allclose(samples.std(axis=0), expected, rtol=0.06)


def test_paired_means_of_identical_columns_do_not_differ():
    column = np.random.default_rng(0).normal(size=(30, 1))
    _, samples = paired_means(np.hstack([column, column + 1]), resamples=100, seed=0)
    np.testing.assert_allclose(samples[:, 1] - samples[:, 0], 1)


def test_holm_by_hand():
    # Holm 1979: 0.01 * 4, max(0.02 * 3), max(0.03 * 2), max(0.04 * 1), each at least the last.
    np.testing.assert_allclose(holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.6, 0.5]), [1, 1])
    assert holm([]).shape == (0,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_lies_between_no_correction_and_bonferronis(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= np.minimum(np.array(p) * len(p), 1) + 1e-12).all()


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="p: expected values between 0 and 1"):
        holm([0.5, 1.5])


def test_separation_of_two_normal_classes_is_cohens_d():
    rng = np.random.default_rng(0)
    labels = np.arange(40_000) % 2
    found = separation(auc(labels, rng.normal(size=40_000) + 0.8 * labels))
    assert found == pytest.approx(0.8, abs=0.03)
    assert separation(0.5) == 0


def test_paired_test_by_hand():
    # Differences 1, 2, 3: t = 2 / (1 / sqrt(3)) with 2 degrees of freedom, p = 0.0742.
    found = paired_test(np.array([1.0, 2.0, 3.0]))
    assert (found.mean, found.effect) == (2, 2)
    assert found.p == pytest.approx(0.0742, abs=1e-4)
    assert paired_test(np.zeros(4)).p == 1
    assert paired_test(np.ones(4)).p == 0


def test_anova_by_hand():
    # A textbook example: three groups of six, F(2, 15) = 9.3.
    groups = np.array([[6, 8, 4, 5, 3, 4], [8, 12, 9, 11, 6, 8], [13, 9, 11, 8, 7, 12]], float).T
    found = anova(groups)
    assert (found.df_between, found.df_within) == (2, 15)
    assert found.f == pytest.approx(9.3, abs=0.05)
    assert found.p == pytest.approx(0.002, abs=0.001)
    np.testing.assert_allclose(found.means, [5, 9, 10])
    # Mean square within 68 / 15, t(15) = 2.131.
    assert found.half_width == pytest.approx(2.131 * np.sqrt(68 / 15 / 6), rel=1e-3)


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([0, 1, 1], [1.0, 2.0], "labels and scores: expected shapes"),
        ([1, 1], [1.0, 2.0], "labels: expected zeros and ones"),
        ([0, 2], [1.0, 2.0], "labels: expected zeros and ones"),
        ([0, 1], [1.0, np.nan], "scores: expected finite"),
    ],
)
def test_wrong_arguments_are_named(labels, scores, message):
    with pytest.raises(ValueError, match=message):
        auc(np.array(labels), np.array(scores))


def test_delong_needs_two_of_each_class():
    with pytest.raises(ValueError, match="at least two of each class"):
        delong(np.array([0, 1, 1]), np.array([[1.0, 2, 3]]))


def test_reliability_compares_probabilities_with_fractions_in_equal_bins():
    probabilities = np.array([0.9, 0.1, 0.2, 0.7, 0.3, 0.8])
    labels = np.array([1, 0, 1, 1, 0, 0])
    expected, observed, share = reliability(labels, probabilities, bins=2)
    assert expected == pytest.approx([0.2, 0.8]) and observed == pytest.approx([1 / 3, 2 / 3])
    assert share.tolist() == [0.5, 0.5]
    error = calibration_error(labels, probabilities, bins=2)
    assert error == pytest.approx((abs(0.2 - 1 / 3) + abs(0.8 - 2 / 3)) / 2)


def test_labels_drawn_with_their_probabilities_have_hardly_an_error():
    rng = np.random.default_rng(0)
    probabilities = rng.random(50_000)
    labels = (rng.random(50_000) < probabilities).astype(int)
    assert calibration_error(labels, probabilities) < 0.01
    assert calibration_error(labels, probabilities**3) > 0.2
