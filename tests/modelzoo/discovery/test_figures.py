import numpy as np
import pandas

from modelzoo.discovery.figures import rank_figure, spacing_figure


def test_the_rank_of_the_best_motif_is_marked():
    ranked = {"A": np.array([0.9, 0.6, 0.5]), "B": np.array([0.5, 0.8])}
    axes = rank_figure(ranked).axes[0]
    line, *dots = axes.lines
    np.testing.assert_allclose(line.get_xydata(), [[1, 0.7], [2, 0.7], [3, 0.5]])
    assert [tuple(dot.get_xydata()[0]) for dot in dots] == [(1, 0.9), (2, 0.8)]
    assert [text.get_text() for text in axes.texts] == ["A: rank 1", "B: rank 2"]


def test_spacings_are_drawn_a_colour_an_arrangement():
    rows = [("A", "B", "A> B>", 3, 5), ("A", "B", "A> B>", 1, 2), ("A", "B", "<B A>", 3, 4)]
    pairs = pandas.DataFrame(rows, columns=["first", "second", "arrangement", "spacing", "count"])
    axes = spacing_figure(pairs).axes[0]
    heights = [[bar.get_height() for bar in bars] for bars in axes.containers]
    assert heights == [[0, 2, 0, 5], [0, 0, 0, 4]]
    assert axes.containers[1][3].get_y() == 5
