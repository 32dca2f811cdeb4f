import itertools
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

from shiftsmooth import ShiftSmooth
from shiftsmooth.plot import LETTER_COLORS, Motif, draw_logo, plot_logos, plot_shifts


def attribution(length, peak=None, seed=0):
    """One value for one letter at each position, large at `peak`."""
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(4, (length,), generator=generator)
    values = 0.1 * torch.randn(length, generator=generator)
    if peak is not None:
        values[peak : peak + 6] += 1.0
    return torch.nn.functional.one_hot(letters, 4).T * values


def draw(*args, **kwargs):
    axes = Figure().add_subplot()
    draw_logo(axes, *args, **kwargs)
    return axes


def letters_of(axes):
    """{letter: (x0, y0, x1, y1) of what was drawn in its colour}."""
    names = {color: letter for letter, color in LETTER_COLORS.items() if letter != "U"}
    return {
        names[to_hex(patch.get_facecolor())]: patch.get_path().get_extents().extents.tolist()
        for patch in axes.artists + axes.patches
        if isinstance(patch, PathPatch)
    }


def texts_of(figure):
    """Every text that a reader sees, with its box in pixels."""
    figure.draw_without_rendering()
    texts = []
    for axes in figure.axes:
        ticks = (
            axes.get_xticklabels() + axes.get_yticklabels() + [axes.xaxis.label, axes.yaxis.label]
        )
        texts += [text for text in axes.texts + ticks if text.get_visible() and text.get_text()]
    left_out = [tick for axes in figure.axes for tick in _outside(axes)]
    return [(t.get_text(), t.get_window_extent()) for t in texts if t not in left_out]


def _outside(axes):
    """Tick labels that a locator made beyond the limits; matplotlib does not draw them."""
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick in axis.get_major_ticks():
            if not min(limits) <= tick.get_loc() <= max(limits):
                yield tick.label1


def test_a_letter_is_as_tall_as_its_value_and_centred_on_its_position():
    logo = letters_of(draw(torch.tensor([0.5, -2.0]), "AC", first=10))
    assert logo["A"] == pytest.approx([9.525, 0.0, 10.475, 0.5], abs=1e-6)
    assert logo["C"] == pytest.approx([10.525, -2.0, 11.475, 0.0], abs=1e-6)


def test_letters_at_one_position_are_stacked_largest_outermost():
    heights = torch.tensor([[1.0], [3.0], [-1.0], [-2.0]])
    logo = {letter: box[1::2] for letter, box in letters_of(draw(heights)).items()}
    assert logo["A"] == pytest.approx([0, 1])
    assert logo["C"] == pytest.approx([1, 4])
    assert logo["G"] == pytest.approx([-1, 0])
    assert logo["T"] == pytest.approx([-3, -1])


def test_axes_hold_the_tallest_stacks():
    axes = draw(attribution(50) * 7)
    boxes = letters_of(axes).values()
    low, high = axes.get_ylim()
    assert low < min(box[1] for box in boxes) < 0 < max(box[3] for box in boxes) < high
    assert axes.get_xlim() == (-0.5, 49.5)


def test_a_sequence_selects_the_letters_present():
    gradient = torch.tensor([[5.0, 1.0], [1.0, 5.0], [2.0, 2.0], [3.0, 3.0]])
    one_hot = torch.tensor([[0, 0], [0, 0], [1, 0], [0, 1]], dtype=torch.int8)
    for sequence in ("GT", "gt", one_hot):
        logo = letters_of(draw(gradient, sequence))
        assert set(logo) == {"G", "T"}
        assert logo["G"][3] == pytest.approx(2.0)


def test_a_letter_outside_the_alphabet_is_left_blank():
    assert set(letters_of(draw(torch.ones(3), "ANA"))) == {"A"}


@pytest.mark.parametrize("length", [25, 101, 500, 2114])
@pytest.mark.parametrize("first", [0, 123_456_789])
@pytest.mark.parametrize("width", [7, 12])
def test_no_text_covers_another_or_leaves_the_figure(length, first, width):
    peak = length // 3
    motifs = [
        Motif(first + at, first + at + 7, label)
        for at, label in [
            (peak, "GATA3"),
            (peak + 3, "a rather long name of a motif"),
            (peak + 6, "AP-1"),
            (0, "first"),
            (max(length - 7, 0), "the very last motif"),
        ]
    ]
    methods = {
        "Saliency": attribution(length, peak),
        "Integrated gradients": -3e-5 * attribution(length, peak),
        "ShiftSmooth": 54321 * attribution(length, peak),
    }
    figure = plot_logos(methods, motifs=motifs, first=first, title="Three methods", width=width)
    texts = texts_of(figure)
    shown = {name for name, _ in texts}
    assert shown >= {*methods, "position", "Three methods", *(m.label for m in motifs)}
    for name, box in texts:
        assert box.x0 >= -1 and box.x1 <= figure.bbox.x1 + 1, name
        assert box.y0 >= -1 and box.y1 <= figure.bbox.y1 + 1, name
    for (a, box), (b, other) in itertools.combinations(texts, 2):
        assert not box.overlaps(other), f"{a!r} covers {b!r}"


def test_a_short_sequence_is_drawn_whole_one_row_a_method():
    figure = plot_logos({"a": attribution(101), "b": attribution(101)})
    assert [axes.get_xlim() for axes in figure.axes] == [(-0.5, 100.5)] * 2


@pytest.mark.parametrize("peak", [0, 700, 2108])
def test_a_long_sequence_is_zoomed_on_what_matters_and_the_overview_shows_the_rest(peak):
    figure = plot_logos(attribution(2114, peak), max_letters=100)
    overview, logo = figure.axes[0], figure.axes[-1]
    assert overview.get_xlim() == (-0.5, 2113.5)
    left, right = logo.get_xlim()
    assert right - left == 100
    assert left < peak and peak + 5 < right
    if peak == 700:  # in the middle, where there is room on both sides
        assert abs((left + right) / 2 - 702.5) < 10


def test_the_overview_is_exact_at_genomic_coordinates():
    figure = plot_logos(attribution(500), first=123_456_789)
    (steps,) = (patch for patch in figure.axes[0].patches if hasattr(patch, "get_data"))
    values, edges, _ = steps.get_data()
    assert (edges[:-1] == 123_456_788.5 + torch.arange(500).numpy()).all()
    assert values == pytest.approx(attribution(500).sum(0).numpy())


def test_every_method_has_its_say_in_the_zoom_whatever_its_scale():
    quiet, loud = attribution(1000, 200), 1e6 * attribution(1000, None, seed=1)
    left, right = plot_logos({"quiet": quiet, "loud": loud}).axes[-1].get_xlim()
    assert left < 200 < right


def test_a_window_is_drawn_in_letters_as_asked():
    figure = plot_logos(attribution(2114, 700), window=(1050, 1300), first=1000)
    assert figure.axes[-1].get_xlim() == (1049.5, 1299.5)


def test_methods_keep_their_own_scale_unless_it_is_shared():
    methods = {"a": attribution(60), "b": 10 * attribution(60)}
    a, b = (axes.get_ylim() for axes in plot_logos(methods).axes)
    assert b == pytest.approx([10 * y for y in a])
    a, b = (axes.get_ylim() for axes in plot_logos(methods, sharey=True).axes)
    assert a == b


def boxes_of(axes):
    return {
        (round(p.get_x(), 1), round(p.get_x() + p.get_width(), 1)): to_hex(p.get_facecolor())
        for p in axes.patches
        if not isinstance(p, PathPatch)
    }


def test_motifs_are_boxed_in_every_row_equal_labels_in_equal_colours():
    motifs = [Motif(5, 9, "GATA3"), Motif(20, 24, "GATA3"), Motif(30, 31, "X", color="#ff0000")]
    figure = plot_logos({"a": attribution(60), "b": attribution(60)}, motifs=motifs)
    for axes in figure.axes:
        boxes = boxes_of(axes)
        assert set(boxes) == {(4.5, 8.5), (19.5, 23.5), (29.5, 30.5)}
        assert boxes[4.5, 8.5] == boxes[19.5, 23.5] != boxes[29.5, 30.5] == "#ff0000"


def test_positions_may_be_negative():
    figure = plot_logos(attribution(60), motifs=[Motif(-3, 4, "across zero")], first=-30)
    assert "across zero" in [text.get_text() for text in figure.axes[0].texts]
    assert figure.axes[0].get_xlim() == (-30.5, 29.5)


def test_a_label_keeps_its_colour_where_the_motifs_change_places():
    def color(first, second):
        motifs = [Motif(first, first + 3, "first"), Motif(second, second + 3, "second")]
        boxes = boxes_of(plot_logos(attribution(60), motifs=motifs).axes[0])
        return boxes[first - 0.5, first + 2.5]

    assert color(5, 20) == color(20, 5)


def test_a_motif_is_labelled_once_in_the_zoom_or_else_in_the_overview():
    motifs = [Motif(300, 306, "near"), Motif(900, 906, "far"), Motif(5000, 5006, "beyond")]
    figure = plot_logos(attribution(1000, 300), motifs=motifs)
    names = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert "far" in names[0] and "near" not in names[0]
    assert "near" in names[-1] and "far" not in names[-1]
    assert not any("beyond" in row for row in names)


@pytest.mark.parametrize(
    ("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_it_saves_as_its_ending_says(tmp_path, ending, magic):
    path = tmp_path / f"logo.{ending}"
    plot_logos(attribution(101)).savefig(path)
    assert path.read_bytes().startswith(magic)


def test_two_kilobases_take_seconds_even_when_all_are_letters(tmp_path):
    start = time.perf_counter()
    plot_logos(attribution(2114), window=(0, 2114)).savefig(tmp_path / "logo.png")
    assert time.perf_counter() - start < 5


def test_pyplot_never_hears_of_it():
    before = plt.get_fignums()
    plot_logos(attribution(50))
    assert plt.get_fignums() == before


def test_one_position_is_drawn():
    figure = plot_logos(attribution(1))
    figure.draw_without_rendering()
    assert figure.axes[0].get_xlim() == (-0.5, 0.5)


def test_an_attribution_of_zeros_is_an_empty_logo():
    figure = plot_logos(torch.zeros(4, 500))
    figure.draw_without_rendering()
    assert letters_of(figure.axes[-1]) == {}


def test_other_alphabets_and_devices_dtypes_and_grads_are_taken():
    values = torch.ones(2, 9, dtype=torch.bfloat16, requires_grad=True)
    plot_logos(values, alphabet="XI").draw_without_rendering()
    assert values.grad is None


def test_without_matplotlib_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'shiftsmooth\[plot\]'"):
        plot_logos(attribution(10))


def whiskers_of(axes):
    """(position, low, high) of every vertical line."""
    (lines,) = axes.collections
    return [(x, low, high) for (x, low), (_, high) in lines.get_segments()]


def test_whiskers_show_the_spread_around_the_height_of_a_position():
    heights, spread = torch.tensor([0.5, -2.0, 0.0]), torch.tensor([0.1, 0.5, 0.25])
    figure = plot_logos(heights, "ACG", spread=spread, first=10)
    expected = [(10, 0.4, 0.6), (11, -2.5, -1.5), (12, -0.25, 0.25)]
    assert whiskers_of(figure.axes[-1]) == [pytest.approx(one) for one in expected]
    low, high = figure.axes[-1].get_ylim()
    assert low < -2.5 and high > 0.6


def test_whiskers_are_of_the_letters_present_and_of_each_method_with_a_spread():
    one_hot = torch.eye(4)[:, [2, 0]]
    spread = torch.arange(8.0).reshape(4, 2) + 1
    methods = {"with": attribution(2), "without": attribution(2)}
    figure = plot_logos(methods, one_hot, spread={"with": spread})
    with_one, without = figure.axes
    drawn = [(high - low) / 2 for _, low, high in whiskers_of(with_one)]
    assert drawn == pytest.approx([5.0, 2.0])
    assert not without.collections


def test_whiskers_of_a_window_are_those_of_its_positions():
    figure = plot_logos(attribution(500), "A" * 500, spread=torch.rand(500), window=(100, 150))
    assert [x for x, *_ in whiskers_of(figure.axes[-1])] == list(range(100, 150))


class Frame(torch.nn.Module):
    """Looks at every third position only: (B, 4, 24) -> (B, 2)."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(4, 3, 3, stride=3)
        self.linear = torch.nn.Linear(24, 2)

    def forward(self, x):
        return self.linear(self.conv(x).relu().flatten(1))


def sequence(length=24):
    letters = torch.randint(4, (length,), generator=torch.Generator().manual_seed(1))
    return torch.nn.functional.one_hot(letters, 4).T.float()


def test_plot_shifts_draws_both_attributions_of_every_moved_window():
    model, x = Frame(), sequence()
    figure = plot_shifts(model, x, 1, max_shift=2, moves=4, first=100, title="Frame")
    gradient, smooth, curve = figure.axes[1:]
    for axes, reach in ((gradient, 0), (smooth, 2)):
        drawn = torch.from_numpy(axes.images[0].get_array().data)
        for row, n in zip(drawn, range(-4, 5)):
            moved = x.roll(n, -1)[None]
            found = ShiftSmooth(model).attribute(moved, 1, max_shift=reach) * moved
            expected = found.sum(1)[0].roll(-n).double()
            torch.testing.assert_close(row, expected, atol=1e-6, rtol=1e-5)
        assert axes.images[0].get_extent() == [99.5, 123.5, 4.5, -4.5]
    for line, axes in zip(curve.lines, (gradient, smooth)):
        rows = axes.images[0].get_array().data
        expected = [np.corrcoef(row, rows[4])[0, 1] for row in rows]
        assert line.get_ydata() == pytest.approx(expected)
        assert line.get_xdata().tolist() == list(range(-4, 5))


def test_plot_shifts_boxes_motifs_on_both_maps_and_names_them_once():
    model, x = Frame(), sequence()
    plain = plot_shifts(model, x, 1, max_shift=2, moves=4, first=100)
    boxed = plot_shifts(
        model, x, 1, max_shift=2, moves=4, first=100, motifs=[Motif(103, 107, "GATA")]
    )
    for before, after in zip(plain.axes[:2], boxed.axes[:2]):
        assert not before.patches
        (box,) = after.patches
        assert (box.get_x(), box.get_x() + box.get_width()) == (102.5, 106.5)
        assert box.get_zorder() > after.images[0].get_zorder()
    assert [text.get_text() for axes in boxed.axes for text in axes.texts].count("GATA") == 1
    assert boxed.get_figheight() > plain.get_figheight()


def test_plot_shifts_takes_a_batch_of_one_and_any_length():
    for length in (24, 2114):
        model = torch.nn.Sequential(torch.nn.Conv1d(4, 1, 3), torch.nn.AdaptiveMaxPool1d(1))
        x = sequence(length)[None]
        figure = plot_shifts(torch.nn.Sequential(model, torch.nn.Flatten()), x, 0, moves=3)
        shown = [name for name, _ in texts_of(figure)]
        assert {"gradient", "ShiftSmooth", "correlation", "position", "moved by"} <= {*shown}


def test_plot_shifts_of_a_constant_attribution_has_no_curve_and_no_error():
    figure = plot_shifts(lambda x: 0 * x.sum((1, 2)), sequence())
    figure.draw_without_rendering()


A = torch.ones(4, 10)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: plot_logos({}), ValueError, "attributions: expected at least one"),
        (lambda: plot_logos({"a": [1.0]}), TypeError, r"attributions\['a'\].*got list"),
        (lambda: plot_logos(torch.ones(10)), ValueError, "give sequence"),
        (lambda: plot_logos(A[None]), ValueError, r"\(4, L\) or \(L,\), got shape \(1, 4, 10\)"),
        (lambda: plot_logos(A.T), ValueError, r"got shape \(10, 4\)"),
        (lambda: plot_logos(A / 0), ValueError, "attribution: .*got NaN"),
        (lambda: plot_logos({"a": A, "b": A[:, 1:]}), ValueError, r"\['b'\]: expected 10 .* got 9"),
        (lambda: plot_logos(A, "ACGT"), ValueError, "the 4 positions of sequence, got 10"),
        (lambda: plot_logos(A, torch.ones(10)), ValueError, r"sequence: expected.*\(10,\)"),
        (lambda: plot_logos(A, spread=A), ValueError, "sequence: .* with spread, got None"),
        (lambda: plot_logos(A, "A" * 10, spread=-A), ValueError, "spread: expected 0 or more"),
        (
            lambda: plot_logos({"a": A}, "A" * 10, spread={"b": A}),
            ValueError,
            r"spread: expected the names of methods, \['a'\], got 'b'",
        ),
        (
            lambda: plot_logos({"a": A}, "A" * 10, spread=A),
            ValueError,
            "spread: expected .* per method, got a tensor",
        ),
        (lambda: plot_logos(A, "A" * 10, spread=A[:, 1:]), ValueError, "spread.* 10 .* got 9"),
        (lambda: plot_logos(A, window=(0, 11)), ValueError, r"window: .*<= 10, got \(0, 11\)"),
        (lambda: plot_logos(A, window=(5, 5)), ValueError, "window: .*got"),
        (lambda: plot_logos(A, max_letters=0), ValueError, "max_letters: .*got 0"),
        (lambda: plot_logos(A, width=0.5), ValueError, "width: .*got 0.5"),
        (lambda: Motif(3, 3), ValueError, "start=3, stop=3"),
        (lambda: plot_shifts(abs, torch.ones(2, 4, 9)), ValueError, r"x: .*one.*\(2, 4, 9\)"),
        (lambda: plot_shifts(abs, A, moves=10), ValueError, "moves: expected 1 to 9, .*got 10"),
    ],
)
def test_a_bad_argument_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call()
