"""Figures become the same bytes in every run, and follow the page they stand in."""

import re

from matplotlib.figure import Figure

from modelzoo.reports import figures


def drawing():
    figure, panels = figures.panels(2, 2, 2)
    for axes in panels:
        axes.plot([0, 1], [1, 0], label="line")
        axes.set(title="a < b")
        axes.legend()
    return figure


def test_a_figure_is_written_as_svg_and_png(tmp_path):
    figures.save(drawing(), tmp_path, "one")
    assert (tmp_path / "one.png").read_bytes()[:4] == b"\x89PNG"
    assert "</svg>" in (tmp_path / "one.svg").read_text()


def test_the_same_figure_makes_the_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        figures.save(drawing(), tmp_path / folder, "roc")
    for name in ("roc.svg", "roc.png"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_inlined_figures_follow_the_pages_colours_and_share_no_ids():
    one, two = (figures.inline(drawing(), name, "words") for name in ("one", "two"))
    assert one.startswith("<svg") and "currentColor" in one
    assert not re.search(f"{figures.INK}|#000000|#333333|<metadata", one)
    assert ' width="' not in one[: one.index(">")]

    def ids(text):
        return set(re.findall(r'\bid="([^"]+)"', text))

    def referenced(text):
        return {a or b for a, b in re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', text)}

    assert referenced(one) and referenced(one) <= ids(one)
    assert not ids(one) & ids(two)


def test_a_figure_says_in_words_what_it_shows():
    figure, (left, right) = figures.panels(2, 2, 2)
    left.set(title="GATA3", xlabel="N", ylabel="ROC AUC")
    right.set(title="FOXM1", xlabel="N", ylabel="ROC AUC")
    assert figures.described(figure) == "ROC AUC against N. panels: GATA3, FOXM1"
    assert figures.described(Figure()) == "drawing"


def test_words_for_a_figure_cannot_end_its_element():
    text = figures.inline(drawing(), "one", 'a "b"\n<c>')
    head = text[: text.index(">")]
    assert 'role="img" aria-label="a &quot;b&quot; &lt;c&gt;"' in head


def test_panels_beyond_the_count_are_not_there():
    figure, panels = figures.panels(4, 2, 2, columns=3)
    assert len(panels) == len(figure.axes) == 4


def test_a_figure_without_a_layout_is_written_twice_alike():
    figure = Figure()
    figure.add_axes((0, 0, 1, 1)).plot([1, 2])
    assert figures.svg(figure, "a") == figures.svg(figure, "a")
    assert figure.get_layout_engine() is None
