"""What cells say together: paired differences, the frontier, and what the audit predicts."""

import numpy as np
import pytest

from modelzoo.studies.benchmark.measures import METRICS, MOST_CHECKED, RANDOMISED, key
from modelzoo.studies.benchmark.summaries import (
    beaten,
    frontier,
    predicted_gain,
    summarise,
)

METHODS = ("gradient", "shiftsmooth-5", "ism")


def cell(rng, gain, auc=0.95, count=30):
    """A cell in which ShiftSmooth adds `gain` to every number of the gradient."""
    plain = rng.random(count)
    values = {"validation_auc": np.array(auc), "test_auc": np.array(auc)}
    values |= {"varying": np.array(0.5), "total_stride": np.array(4)}
    values["predicted"] = np.linspace(0.5, 0.9, MOST_CHECKED + 1)
    for method in METHODS:
        for corrected in (False, True):
            for metric in METRICS:
                noise = rng.normal(0, 0.02, count)
                more = gain + noise if method == "shiftsmooth-5" else 0
                values[key(method, corrected, metric)] = plain + more
    return values


def summary(cells, **options):
    settings = {"methods": METHODS, "learned_from": 0.8, "resamples": 200, "seed": 0}
    return summarise(cells, {}, **settings | options)


@pytest.fixture(scope="module")
def found():
    rng = np.random.default_rng(0)
    cells = {("and", "basset", seed): cell(rng, 0.2) for seed in range(3)}
    cells |= {("and", "deepbind", seed): cell(rng, 0.0) for seed in range(3)}
    cells["and", "lstm", 0] = cell(rng, -0.5, auc=0.6)
    return summary(cells)


def gain(found, model):
    return next(
        row
        for row in found.gains
        if (row["model"], row["method"], row["metric"]) == (model, "shiftsmooth-5", "auroc")
    )


def test_a_difference_that_is_there_is_found_with_its_interval(found):
    row = gain(found, "basset")
    assert row["difference"] == pytest.approx(0.2, abs=0.01) and row["q"] < 1e-6
    assert row["low"] < row["difference"] < row["high"]


def test_a_difference_that_is_not_there_has_a_large_q(found):
    row = gain(found, "deepbind")
    assert row["q"] > 0.05 and row["low"] < 0 < row["high"]


def test_models_that_have_not_learned_are_told_and_left_out(found):
    assert {row["model"] for row in found.gains} == {"basset", "deepbind", "all"}
    row = next(row for row in found.models if row["model"] == "lstm")
    assert (row["learned"], row["seeds"], row["test_auc"]) == (0, 1, pytest.approx(0.6))


def test_only_learned_models_are_compared_with_those_that_learned_nothing():
    rng = np.random.default_rng(0)
    cells = {("and", "basset", 0): cell(rng, 0), ("and", "lstm", 0): cell(rng, 0, auc=0.5)}
    alike = {
        place: {
            key(method, True, what): np.array([share, np.nan])
            for what in RANDOMISED
            for method in METHODS
        }
        for place, share in zip(cells, (0.2, 0.9))
    }
    settings = {"methods": METHODS, "learned_from": 0.8, "resamples": 50, "seed": 0}
    rows = summarise(cells, alike, **settings).sanity
    assert [row["method"] for row in rows] == list(METHODS)
    assert all(row[what] == pytest.approx(0.2) for row in rows for what in RANDOMISED)


def test_nothing_learned_is_no_error():
    found = summary({("and", "lstm", 0): cell(np.random.default_rng(0), 0, auc=0.5)})
    assert found.gains == [] and found.methods == [] and len(found.models) == 1


def test_seeds_of_one_sequence_are_drawn_together():
    rng = np.random.default_rng(0)
    one = cell(rng, 0.1)
    copies = summary({("and", "basset", seed): one for seed in range(3)})
    alone = summary({("and", "basset", 0): one})
    wide, same = (gain(f, "basset")["high"] - gain(f, "basset")["low"] for f in (alone, copies))
    assert same == pytest.approx(wide, rel=1e-6)


def test_the_frontier_is_of_methods_that_none_beats():
    def row(evaluations, precision, faithfulness=0.5):
        return {
            "evaluations": evaluations,
            "average_precision": precision,
            "faithfulness": faithfulness,
            "stability": 0.5,
        }

    rows = [row(3, 0.5), row(33, 0.7), row(30, 0.4), row(33, None, 0.9), row(300, 0.7)]
    assert frontier(rows) == [True, True, False, True, False]


def test_a_method_is_beaten_by_one_that_is_nowhere_worse_and_somewhere_better():
    points = np.array([[0.5, 0.5], [0.5, 0.6], [0.9, 0.1], [0.5, 0.6001], [np.nan, 0.6]])
    by = beaten(points)
    assert by[0].tolist() == [False, True, False, True, False]
    assert not by[1:4].any()  # a trade-off, and less than the last digit that is shown
    assert by[4].tolist() == [False, True, False, True, False]


def test_who_beats_a_method_is_told_for_each_model_with_its_share_of_resamples(found):
    told = {(row["model"], row["method"]): row for row in found.frontiers}
    assert told["basset", "gradient"]["beaten_by"] == ["shiftsmooth-5"]
    assert told["basset", "gradient"]["share"] == 0
    assert told["basset", "shiftsmooth-5"]["beaten_by"] == []
    assert told["basset", "shiftsmooth-5"]["share"] == 1
    assert not any(method == "ism" for _, method in told)


def test_mutagenesis_is_compared_on_all_sets_and_on_the_real_one():
    rng = np.random.default_rng(0)
    cells = {(name, "basset", 0): cell(rng, 0.2) for name in ("and", "peaks")}
    for values in cells.values():
        for metric in METRICS:
            for corrected in (False, True):
                more = values[key("ism", True, metric)] + 0.1
                values[key("shiftsmooth-10", corrected, metric)] = more
    rows = summary(cells, methods=(*METHODS, "shiftsmooth-10")).rivals
    assert {(row["set"], row["model"]) for row in rows} == {
        (name, model) for name in ("all", "peaks") for model in ("basset", "all")
    }
    assert "faithfulness" not in {row["metric"] for row in rows}
    assert all(row["difference"] == pytest.approx(0.1) for row in rows)


def test_the_predicted_gain_is_nothing_for_an_equivariant_model_and_follows_the_formula():
    assert predicted_gain(0.0, 5) == 0
    # Windows with nothing in common: r_0 = 0, and two of them share 11 - s of 11 windows.
    assert predicted_gain(1.0, 5) == pytest.approx(1 - 2 / 11)
    assert predicted_gain(0.3, 0) == pytest.approx(0)
