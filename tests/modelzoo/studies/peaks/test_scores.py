"""Scores of known models on known data, and the published figures beside them."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from modelzoo.studies.peaks.scores import logits, score, task_score


@pytest.fixture(scope="module")
def rigorous(toy_models, toy_sets):
    return score(toy_models, toy_sets, resamples=200, seed=1)


@pytest.fixture(scope="module")
def paper(toy_models, toy_sets):
    return score(toy_models, toy_sets, protocol="paper", seed=1)


def test_every_model_is_judged_on_every_set(rigorous, toy_models, toy_sets):
    pairs = [(row["set"], row["model"]) for row in rigorous.scores]
    assert pairs == [(s.name, m) for s in toy_sets for m in toy_models]


def test_scores_are_scikit_learns(rigorous, toy_models, toy_sets):
    for row in rigorous.scores:
        data = next(s for s in toy_sets if s.name == row["set"])
        values = logits(toy_models[row["model"]], data.codes)[:, 0]
        assert row["roc_auc"] == pytest.approx(roc_auc_score(data.labels, values))
        assert row["roc_auc_low"] <= row["roc_auc"] <= row["roc_auc_high"]
        assert row["average_precision_low"] <= row["average_precision"] + 0.02


def test_an_expert_is_best_on_its_own_factor(rigorous):
    for factor in ("ARID3A", "FOXM1", "GATA3"):
        experts = [
            row
            for row in rigorous.scores
            if row["set"] == factor and row["model"].startswith("deepbind")
        ]
        best = max(experts, key=lambda row: row["roc_auc"])
        assert best["model"] == f"deepbind-{factor.lower()}"
        assert best["roc_auc"] > 0.9


def test_the_mixture_is_compared_with_each_other_model_once_a_set(rigorous):
    assert len(rigorous.comparisons) == 4 * 3
    assert {row["model"] for row in rigorous.comparisons} == {"moe-arid3a-foxm1-gata3"}
    for row in rigorous.comparisons:
        assert row["p_delong"] <= row["p_delong_holm"] <= 1
        assert row["p_bootstrap"] <= row["p_bootstrap_holm"] <= 1
        assert row["delong_low"] <= row["roc_auc_difference"] <= row["delong_high"]
    assert not rigorous.anova


def test_the_papers_protocol_is_thirty_plain_resamples_and_an_anova(paper, toy_models, toy_sets):
    assert not paper.comparisons
    assert [row["set"] for row in paper.anova] == [s.name for s in toy_sets]
    data = toy_sets[0]
    values = np.stack([logits(m, data.codes)[:, 0] for m in toy_models.values()])
    weights = np.random.default_rng(1).multinomial(120, np.full(120, 1 / 120), 30)
    samples = np.array(
        [[roc_auc_score(data.labels, v, sample_weight=w) for v in values] for w in weights]
    )
    expected = stats.f_oneway(*samples.T)
    assert paper.anova[0]["f"] == pytest.approx(expected.statistic)
    assert (paper.anova[0]["df_between"], paper.anova[0]["df_within"]) == (3, 116)
    assert paper.scores[0]["roc_auc_mean"] == pytest.approx(samples[:, 0].mean())
    assert paper.anova[0]["paper_f"] == pytest.approx(2865.067, abs=0.001)


def test_gate_weights_are_a_share_for_each_expert(rigorous):
    for name in rigorous.sets:
        for what in ("peaks", "shuffles"):
            rows = [r for r in rigorous.gates if (r["set"], r["class"]) == (name, what)]
            assert [r["expert"] for r in rows] == ["ARID3A", "FOXM1", "GATA3"]
            assert sum(r["weight"] for r in rows) == pytest.approx(1)
    gata = [r for r in rigorous.gates if (r["set"], r["class"]) == ("GATA3", "peaks")]
    assert max(gata, key=lambda r: r["weight"])["expert"] == "GATA3"


def test_the_same_seed_gives_the_same_numbers(toy_models, toy_sets, rigorous):
    again = score(toy_models, toy_sets, resamples=200, seed=1)
    other = score(toy_models, toy_sets, resamples=200, seed=2)
    assert again.scores == rigorous.scores and again.comparisons == rigorous.comparisons
    assert other.scores != rigorous.scores


def test_the_task_named_after_the_factor_answers_else_the_largest():
    values = np.array([[1.0, 5.0], [2.0, 0.0]])
    np.testing.assert_array_equal(task_score(values, ("FOXM1", "GATA3"), "FOXM1"), [1, 2])
    np.testing.assert_array_equal(task_score(values, ("FOXM1", "GATA3"), "CTCF"), [5, 2])


def test_published_figures_stand_beside_ours(rigorous):
    row = next(r for r in rigorous.scores if (r["set"], r["model"]) == ("GATA3", "deepbind-gata3"))
    assert row["paper_roc_auc"] == pytest.approx(0.7658, abs=1e-4)
    assert row["authors_later_roc_auc"] == pytest.approx(0.7807, abs=1e-4)


def test_wrong_arguments_are_named(toy_models, toy_sets):
    with pytest.raises(ValueError, match="protocol: expected 'rigorous' or 'paper', got 'fast'"):
        score(toy_models, toy_sets, protocol="fast")
    with pytest.raises(ValueError, match="models and sets: expected at least one"):
        score({}, toy_sets)
