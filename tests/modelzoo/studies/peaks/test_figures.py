"""Figures show the rows they are given, and the same rows make the same bytes."""

import numpy as np
import pytest

from modelzoo.reports.figures import described, svg
from modelzoo.studies.peaks import figures
from modelzoo.studies.peaks.scores import score


@pytest.fixture(scope="module")
def performance(toy_models, toy_sets):
    return score(toy_models, toy_sets, resamples=20, seed=0)


def attribution_rows():
    return [
        {"metric": metric, "method": method, "model_class": model, "corrected": corrected,
         "mean": 0.5, "low": 0.4, "high": 0.6, "max_shift": n}
        for metric in ("a", "b")
        for n, method in enumerate(("Gradient", "ShiftSmooth N=1"))
        for model in ("expert", "mixture")
        for corrected in (True, False)
    ]  # fmt: skip


def every_figure(performance):
    rows = attribution_rows()
    yield figures.roc_curves(performance, "in distribution")
    yield figures.auc_bars(performance, "out of distribution")
    yield figures.auc_intervals(performance, "in distribution")
    yield figures.gate_weights(performance)
    yield figures.attribution_scores(rows, {"a": "faithfulness", "b": "stability"})
    yield figures.by_max_shift(rows, {"a": "faithfulness", "b": "stability"})
    yield figures.attribution_track("ACGTA", np.array([1, -1, 0, 2, 1.0]), [(1, 3, "green")])


def test_every_axis_says_what_it_measures(performance):
    for figure in every_figure(performance):
        assert all(axes.get_xlabel() for axes in figure.axes), described(figure)


def test_the_same_rows_make_the_same_bytes(performance):
    for one, two in zip(every_figure(performance), every_figure(performance)):
        assert svg(one, "name") == svg(two, "name")


def test_roc_curves_are_drawn_through_the_rates(performance):
    figure = figures.roc_curves(performance, "in distribution")
    assert [axes.get_title() for axes in figure.axes] == ["ARID3A", "FOXM1", "GATA3"]
    line = figure.axes[0].lines[1]
    false, true = performance.curves["ARID3A", "deepbind-arid3a"]
    np.testing.assert_array_equal(line.get_xydata(), np.stack([false, true], axis=1))
    assert line.get_label().startswith("deepbind-arid3a")


def test_bars_are_as_high_as_the_means_and_marks_are_the_papers(performance):
    figure = figures.auc_bars(performance, "out of distribution")
    heights = [bar.get_height() for bar in figure.axes[0].patches]
    expected = [row["roc_auc_mean"] for row in performance.scores if row["set"] == "CTCF"]
    np.testing.assert_allclose(heights, expected)
    marks = [
        float(c.get_offsets()[0, 1]) for c in figure.axes[0].collections if len(c.get_offsets())
    ]
    assert any(abs(mark - 0.9344) < 1e-4 for mark in marks)


def test_a_track_frames_and_orders_the_letters():
    figure = figures.attribution_track("ACGT", np.array([0.5, -1, 2, 0.1]), [(1, 3, "#00ff00")])
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    assert low < -1 and high > 2
    frames = [p for p in axes.patches if p.get_edgecolor()[:3] == (0, 1, 0)]
    assert [(f.get_x(), f.get_width()) for f in frames] == [(0.5, 2)]


def test_differences_lie_where_they_were_measured_and_sure_ones_are_filled():
    rows = [
        {"metric": "hit_auroc", "model_class": model, "method": "shiftsmooth-5",
         "against": other, "difference": value, "low": value - 0.01, "high": value + 0.02,
         "p_holm": p}
        for model in ("expert", "mixture")
        for other, value, p in (("gradient", 0.1, 0.001), ("smoothgrad", -0.2, 0.5))
    ]  # fmt: skip
    (axes,) = figures.forest([*rows, rows[0] | {"difference": None}]).axes
    dots = [line for line in axes.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert sorted(float(dot.get_xdata()[0]) for dot in dots) == [-0.2, -0.2, 0.1, 0.1]
    for dot in dots:
        filled = dot.get_markerfacecolor() != "white"
        assert filled == (dot.get_xdata()[0] > 0)
        assert round(float(dot.get_ydata()[0])) == (0 if filled else 1)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["ShiftSmooth N=5 − Gradient", "ShiftSmooth N=5 − SmoothGrad"]
