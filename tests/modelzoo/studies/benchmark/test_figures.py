"""A bar is drawn where there is something to see."""

from modelzoo.studies.benchmark.figures import gain_figure


def row(model, q):
    return {
        "model": model,
        "method": "shiftsmooth-5",
        "metric": "stability",
        "difference": 0.2,
        "low": 0.1,
        "high": 0.3,
        "q": q,
    }


def test_no_bar_is_drawn_where_q_is_above_five_percent():
    (axes,) = gain_figure([row("basset", 0.01), row("lstm", 0.06), row("all", 0.05)]).axes
    assert [bar.get_y() + bar.get_height() / 2 for bar in axes.patches] == [0, 2]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["as Basset", "LSTM", "all"]
