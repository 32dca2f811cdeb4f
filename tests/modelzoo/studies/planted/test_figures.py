"""The figures show what was measured."""

from modelzoo.studies.planted import figures


def test_no_bar_is_drawn_where_nothing_is_found():
    values = {"CNN": {"similarity": {"M": 1.29}}, "ARGMINN": {"similarity": {"M": 1.31}}}
    (axes,) = figures.similarity_figure({"motifs spi1": values}).axes
    assert [bar.get_width() for bar in axes.patches] == [0, 1.31]
