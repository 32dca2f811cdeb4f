"""Sequence logos of attributions: the height of a letter is its attribution (extra `plot`).

`plot_logos` draws a whole figure, of one method or of several over a shared axis, at any
length. `draw_logo` puts letters on axes of your own. Both are quick at thousands of positions,
because all copies of a letter are drawn as one path.

Figures are made without pyplot: no window opens, a notebook shows a figure once, and its memory is
free when the last reference is gone. `figure.savefig("logo.svg")` writes PNG, SVG or PDF, as the
file name says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from .arguments import Target
from .attribution import ShiftSmooth
from .metrics import pearson

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

__all__ = ["Motif", "draw_logo", "plot_logos", "plot_shifts"]

LETTER_COLORS = {"A": "#1a9641", "C": "#2c5fb3", "G": "#f0a30a", "T": "#d7263d", "U": "#d7263d"}
OTHER_LETTER = "#555555"
# Different from the letters' colours, and from each other for a colour-blind reader.
MOTIF_COLORS = ("#7b5ea7", "#00838f", "#8d6e63", "#c2185b")
INK, GREY, PALE = "#333333", "#999999", "#e9e9e9"

# In inches: a row of letters, a strip of the overview, a line of labels, between rows, tick labels.
ROW, STRIP, LANE, GAP, TICKS = 1.1, 0.26, 0.16, 0.14, 0.22
HEAT = 1.4  # a heat map or a curve
SIZE = 8  # of text, in points

Span = tuple[int, int]  # (start, stop), as numbered on the axis


@dataclass(frozen=True)
class Motif:
    """A stretch of sequence to box.

    Attributes:
        start: Its first position, as numbered on the axis.
        stop: The position after its last.
        label: Written above the box; may be empty.
        color: Any colour matplotlib knows; None gives equal labels equal colours.

    Example:
        >>> from shiftsmooth.plot import Motif
        >>> Motif(14, 21, "GATA")
        Motif(start=14, stop=21, label='GATA', color=None)
    """

    start: int
    stop: int
    label: str = ""
    color: str | None = None

    def __post_init__(self) -> None:
        if self.start >= self.stop:
            raise ValueError(
                f"start: expected less than stop, got start={self.start}, stop={self.stop}"
            )


def plot_logos(
    attributions: Tensor | Mapping[str, Tensor],
    sequence: Tensor | str | None = None,
    *,
    spread: Tensor | Mapping[str, Tensor] | None = None,
    motifs: Iterable[Motif] = (),
    window: tuple[int, int] | None = None,
    max_letters: int = 120,
    first: int = 0,
    alphabet: str = "ACGT",
    sharey: bool = False,
    title: str = "",
    width: float = 12.0,
) -> Figure:
    """Draw the attribution of one sequence, by one method or by several, as sequence logos.

    A sequence of up to `max_letters` positions is drawn whole. Of a longer sequence the part with
    the largest attributions is drawn in letters. Above it an overview, one strip per method, shows
    the whole sequence and where that part is. To choose the part yourself, give `window`.

    Use it to look at single sequences. For a motif in bits, the average of many sequences, use
    `tangermeme.plot.plot_pwm`.

    Args:
        attributions: One attribution, or {method: attribution} to stack in that order. Each is
            (A, L) over the alphabet, or (L,), one value for the letter present.
        sequence: One-hot (A, L), or a string of L letters. With it only the letters present are
            drawn, which turns a gradient or a hypothetical attribution into the contributions
            of this sequence. Without it every letter is drawn, stacked at its position.
        spread: Standard deviations, shaped like the attributions, one or {method: spread}, as
            `shift_smooth(spread=True)` gives them; drawn as whiskers on the letters present. Needs
            `sequence`.
        motifs: Stretches to box.
        window: (start, stop), the positions to draw in letters, as numbered on the axis.
        max_letters: The number of positions to draw in letters when `window` is None.
        first: The number of the first position on the axis, such as its genomic coordinate.
        alphabet: The letters of dimension A, in order.
        sharey: One scale for all methods, for attributions in the same unit.
        title: Written above the figure.
        width: Of the figure, in inches; its height follows from what is drawn.

    Returns:
        The matplotlib Figure, 150 dpi, not known to pyplot. The last of `figure.axes` are those
        of the logos, in the order of the methods.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> from shiftsmooth.plot import Motif, plot_logos
        >>> figure = plot_logos(
        ...     {"one": torch.randn(4, 9), "other": torch.randn(9)},
        ...     "CAGATAAGC",
        ...     motifs=[Motif(1, 8, "GATA")],
        ... )
        >>> len(figure.axes)
        2
    """
    _require_matplotlib()
    methods = {"": attributions} if isinstance(attributions, Tensor) else dict(attributions)
    logos = _logos(methods, sequence, alphabet)
    spreads = _spreads(spread, methods, sequence, alphabet)
    whole = (first, first + logos[0].shape[1])
    shown = _window(logos, window, max_letters, whole)
    boxes = _Boxes(motifs)

    sheet = _Sheet(width, max(_text_width(name) for name in methods))
    if title:
        sheet.write(title)
    sheet.skip(0.06)
    if shown != whole:
        _draw_overview(sheet, methods, logos, whole, shown, boxes)

    letters = [logo[:, shown[0] - first : shown[1] - first] for logo in logos]
    whiskers = {
        name: deviation[shown[0] - first : shown[1] - first] for name, deviation in spreads.items()
    }
    limits = [_limits(heights, whiskers.get(name)) for name, heights in zip(methods, letters)]
    if sharey:
        limits = [(min(low for low, _ in limits), max(high for _, high in limits))] * len(limits)
    sheet.skip(boxes.header(shown, sheet.inner))
    rows = []
    for name, heights, limit in zip(methods, letters, limits):
        axes = sheet.axes(ROW, shown, name)
        _draw_letters(axes, heights, shown[0], alphabet)
        if name in whiskers:
            _draw_whiskers(axes, heights, whiskers[name], shown[0])
        _scale(axes, limit)
        boxes.draw(axes, shown, alpha=0.12, edge=0.7)
        rows.append(axes)
        sheet.skip(GAP)
    boxes.label(rows[0], shown, sheet.inner)
    _number(rows[-1], shown, sheet.inner)
    rows[-1].set_xlabel("position", size=SIZE, color=INK, labelpad=1)
    sheet.skip(TICKS)
    return sheet.close()


def draw_logo(
    axes: Axes,
    attribution: Tensor,
    sequence: Tensor | str | None = None,
    *,
    first: int = 0,
    alphabet: str = "ACGT",
) -> None:
    """Draw one attribution in letters on axes of your own, and set their limits to hold it.

    Use it to build a logo into a figure of other things; otherwise `plot_logos` does more.
    All positions are drawn, whatever the length, even where a letter is narrower than a pixel.

    Args:
        axes: Matplotlib axes.
        attribution: (A, L) or (L,), as in `plot_logos`.
        sequence: One-hot (A, L) or a string, as in `plot_logos`.
        first: The number of the first position.
        alphabet: The letters of dimension A, in order.

    Example:
        >>> import torch
        >>> from matplotlib.figure import Figure
        >>> from shiftsmooth.plot import draw_logo
        >>> axes = Figure().subplots()
        >>> draw_logo(axes, torch.randn(4), "GATA", first=100)
        >>> [float(end) for end in axes.get_xlim()]
        [99.5, 103.5]
    """
    _require_matplotlib()
    (heights,) = _logos({"": attribution}, sequence, alphabet)
    _draw_letters(axes, heights, first, alphabet)
    axes.set_xlim(first - 0.5, first + heights.shape[1] - 0.5)
    axes.set_ylim(_limits(heights))


def plot_shifts(
    model: Callable[..., Tensor],
    x: Tensor,
    target: Target = None,
    additional_forward_args: object = None,
    *,
    max_shift: int | None = None,
    moves: int = 15,
    motifs: Iterable[Motif] = (),
    first: int = 0,
    title: str = "",
    width: float = 12.0,
) -> Figure:
    """Draw how the attribution of one sequence changes when the window moves.

    Two heat maps, of the gradient and of ShiftSmooth, show the contribution of each position, one
    row for each distance by which the sequence moved in its window. An attribution that follows the
    sequence has vertical stripes. Below them is the correlation of each row with the row of the
    window that did not move.

    Use it to see whether a model needs ShiftSmooth, and how large `max_shift` should be.

    Args:
        model: A module, or a function, of sequences (B, C, L).
        x: One sequence, (C, L) or (1, C, L).
        target: The output to explain, as in `ShiftSmooth.attribute`.
        additional_forward_args: Further arguments of the model that hold no row per example.
        max_shift: As in `ShiftSmooth.attribute`.
        moves: The window moves by up to this many positions to either side.
        motifs: Stretches to box, as in `plot_logos`.
        first: The number of the first position on the axis.
        title: Written above the figure.
        width: Of the figure, in inches.

    Returns:
        The matplotlib Figure, 150 dpi, not known to pyplot. Its axes are the gradient's heat map,
        that of ShiftSmooth, and the curve.

    Raises:
        ImportError: If matplotlib is missing.

    Example:
        >>> import torch
        >>> from shiftsmooth.plot import plot_shifts
        >>> model = torch.nn.Sequential(torch.nn.Conv1d(4, 2, 3, stride=2), torch.nn.Flatten(),
        ...                             torch.nn.Linear(18, 1))
        >>> figure = plot_shifts(model, torch.eye(4).repeat(1, 5)[:, :20], target=0, moves=3)
        >>> len(figure.axes)
        3
    """
    _require_matplotlib()
    x = x[None] if x.dim() == 2 else x
    if x.dim() != 3 or len(x) != 1:
        raise ValueError(f"x: expected one sequence, (C, L) or (1, C, L), got {tuple(x.shape)}")
    length = x.shape[-1]
    if not 1 <= moves < length:
        raise ValueError(f"moves: expected 1 to {length - 1}, below the length, got {moves}")
    distances = range(-moves, moves + 1)
    windows = torch.cat([x.roll(n, -1) for n in distances])
    smooth = ShiftSmooth(model)
    maps = {}
    for name, reach in (("gradient", 0), ("ShiftSmooth", max_shift)):
        found = smooth.attribute(windows, target, additional_forward_args, max_shift=reach)
        contributions = (found * windows).sum(1).detach().cpu().double()
        maps[name] = torch.stack([row.roll(-n) for row, n in zip(contributions, distances)])

    sheet = _Sheet(width, max(_text_width(name) for name in maps))
    if title:
        sheet.write(title)
    whole, boxes = (first, first + length), _Boxes(motifs)
    sheet.skip(0.06 + boxes.header(whole, sheet.inner))
    heats = []
    for name, rows in maps.items():
        axes = sheet.axes(HEAT, whole, name)
        _draw_heat(axes, rows, moves, first)
        boxes.draw(axes, whole, alpha=0, edge=0.9, zorder=2)
        heats.append(axes)
        sheet.skip(GAP)
    boxes.label(heats[0], whole, sheet.inner)
    _number(axes, whole, sheet.inner)
    axes.set_xlabel("position", size=SIZE, color=INK, labelpad=1)
    sheet.skip(0.65)
    axes = sheet.axes(HEAT, (-moves, moves + 1), "correlation")
    _draw_stability(axes, maps, distances)
    _number(axes, (-moves, moves + 1), sheet.inner)
    axes.set_xlabel(
        "positions by which the sequence moved in its window", size=SIZE, color=INK, labelpad=1
    )
    sheet.skip(0.45)
    return sheet.close()


def _draw_heat(axes: Axes, rows: Tensor, moves: int, first: int) -> None:
    """Rows of contributions, blue where they lower the output and red where they raise it."""
    largest = rows.abs().quantile(0.995).item() or 1.0
    axes.imshow(
        rows.numpy(),
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        aspect="auto",
        interpolation="nearest",
        extent=(first - 0.5, first + rows.shape[1] - 0.5, moves + 0.5, -moves - 0.5),
    )
    axes.set_ylim(moves + 0.5, -moves - 0.5)
    axes.set_yticks([-moves, 0, moves])
    axes.set_ylabel("moved by", size=SIZE - 1, color=INK, labelpad=0)
    axes.tick_params(axis="y", labelsize=SIZE - 1, length=2.5, color=GREY, labelcolor=INK, pad=2)


def _draw_stability(axes: Axes, maps: Mapping[str, Tensor], distances: Sequence[int]) -> None:
    """The correlation of each row of a map with the row of the window that did not move."""
    low = 0.0
    for (name, rows), color in zip(maps.items(), MOTIF_COLORS[3:0:-2]):
        still = rows[len(rows) // 2].expand_as(rows)
        values = pearson(rows, still)
        (line,) = axes.plot(list(distances), values.numpy(), color=color, label=name)
        line.set(linewidth=1.4, marker=".", markersize=3)
        low = min(low, *values.nan_to_num(1.0).tolist())
    _scale(axes, (low - 0.03, 1.03))
    axes.set_yticks([0, 0.5, 1] if low >= -0.25 else [-0.5, 0, 0.5, 1])
    legend = axes.legend(fontsize=SIZE, frameon=False, labelcolor=INK, ncols=2, borderaxespad=0)
    legend.set(loc="lower right")
    legend.set_bbox_to_anchor((1, 1))


class _Sheet:
    """Axes of one width, stacked downwards, in inches: text has the same size on every figure."""

    def __init__(self, width: float, names_width: float) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(dpi=150, facecolor="white")
        self.width, self.left = width, 0.6 + names_width
        self.inner = width - self.left - 0.25
        if self.inner < 1:
            raise ValueError(f"width: expected an inch beside the names of methods, got {width}")
        self.depth = 0.0
        self._placed: list[tuple[Axes, float, float]] = []

    def skip(self, inches: float) -> None:
        self.depth += inches

    def axes(self, height: float, span: Span, name: str = "") -> Axes:
        """Axes over the positions of `span`, named on the left."""
        axes = self.figure.add_axes((0, 0, 1, 1))
        self._placed.append((axes, self.depth, height))
        self.depth += height
        axes.set_xlim(span[0] - 0.5, span[1] - 0.5)
        axes.set(xticks=[], yticks=[], facecolor="none", autoscale_on=False)
        axes.spines[:].set_visible(False)
        axes.annotate(
            name,
            (0, 0.5),
            xycoords="axes fraction",
            xytext=(-0.53 * 72, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            size=SIZE + 1,
            color=INK,
        )
        return axes

    def write(self, title: str) -> None:
        axes = self.axes(0.28, (0, 1))
        axes.text(-0.5, 0.2, title, va="bottom", size=SIZE + 2, color=INK)

    def close(self) -> Figure:
        """The figure, as high as its contents."""
        self.figure.set_size_inches(self.width, self.depth)
        for axes, top, height in self._placed:
            bottom = 1 - (top + height) / self.depth
            axes.set_position(
                (self.left / self.width, bottom, self.inner / self.width, height / self.depth)
            )
        return self.figure


class _Boxes:
    """Motifs, their colours, and their labels in lanes, so that no label covers another."""

    def __init__(self, motifs: Iterable[Motif]) -> None:
        motifs = list(motifs)
        # In the caller's order, so that the figures of a series use the same colours.
        labels = list(dict.fromkeys(m.label for m in motifs))
        self.motifs = sorted(motifs, key=lambda m: (m.start, m.stop))
        self.colors = {
            m: m.color or MOTIF_COLORS[labels.index(m.label) % len(MOTIF_COLORS)]
            for m in self.motifs
        }

    def within(self, span: Span) -> list[Motif]:
        return [m for m in self.motifs if m.start < span[1] and m.stop > span[0]]

    def draw(
        self, axes: Axes, span: Span, alpha: float, edge: float = 0, zorder: float = 0
    ) -> None:
        for motif in self.within(span):
            color = self.colors[motif]
            # A box cut by the edge of the axes stays open there.
            start, stop = motif.start - 0.5, motif.stop - 0.5
            axes.axvspan(start, stop, fc=(color, alpha), ec=(color, 0.7), lw=edge, zorder=zorder)

    def header(self, span: Span, inches: float, unless_in: Span | None = None) -> float:
        """How many inches the labels take above axes that show `span`."""
        lanes = [lane for _, _, lane in self._lanes(span, inches, unless_in)]
        return LANE * (1 + max(lanes)) if lanes else 0.0

    def label(self, axes: Axes, span: Span, inches: float, unless_in: Span | None = None) -> None:
        for motif, x, lane in self._lanes(span, inches, unless_in):
            axes.annotate(
                motif.label,
                (x / inches, 1),
                xycoords="axes fraction",
                xytext=(0, 72 * LANE * lane + 2.5),
                textcoords="offset points",
                ha="center",
                size=SIZE,
                color=self.colors[motif],
                annotation_clip=False,
            )

    def _lanes(
        self, span: Span, inches: float, unless_in: Span | None
    ) -> list[tuple[Motif, float, int]]:
        """Each label's motif, the inches from the left to its middle, and its lane, 0 lowest."""
        scale = inches / (span[1] - span[0])
        placed: list[tuple[Motif, float, int]] = []
        ends: list[float] = []  # of each lane, so far
        left_out = self.within(unless_in) if unless_in else []
        for motif in self.within(span):
            if not motif.label or motif in left_out:
                continue
            half = _text_width(motif.label) / 2 + 0.04
            visible = max(motif.start, span[0]), min(motif.stop, span[1])
            middle = (sum(visible) / 2 - span[0]) * scale
            middle = max(half, min(inches - half, middle))
            lane = next((i for i, end in enumerate(ends) if end <= middle - half), len(ends))
            ends[lane : lane + 1] = [middle + half]
            placed.append((motif, middle, lane))
        return placed


def _draw_overview(
    sheet: _Sheet,
    names: Iterable[str],
    logos: Sequence[Tensor],
    whole: Span,
    shown: Span,
    boxes: _Boxes,
) -> None:
    """One strip per method over the whole sequence, and a wedge down to the part in letters."""
    sheet.skip(boxes.header(whole, sheet.inner, unless_in=shown))
    strips = []
    for name, logo in zip(names, logos):
        axes = sheet.axes(STRIP, whole, name)
        edges = torch.arange(whole[0], whole[1] + 1).double() - 0.5
        # The line keeps positions visible that are narrower than a pixel.
        axes.stairs(logo.sum(0).numpy(), edges.numpy(), fill=True, color=INK, lw=0.4)
        axes.axvspan(shown[0] - 0.5, shown[1] - 0.5, color=PALE, lw=0, zorder=-1)
        boxes.draw(axes, whole, alpha=0.45)
        axes.set_ylim(_limits(logo.sum(0, keepdim=True)))
        strips.append(axes)
        sheet.skip(0.04)
    boxes.label(strips[0], whole, sheet.inner, unless_in=shown)
    _number(strips[-1], whole, sheet.inner)

    opening = sheet.axes(TICKS + 0.2, whole)
    left, right = opening.get_xlim()
    corners = [(shown[0] - 0.5, 1), (shown[1] - 0.5, 1), (right, 0), (left, 0)]
    opening.fill(*zip(*corners), color=PALE, alpha=0.6, lw=0)
    opening.set(ylim=(0, 1), zorder=-1)
    sheet.skip(0.04)


def _draw_letters(axes: Axes, heights: Tensor, first: int, alphabet: str) -> None:
    """Put (A, L) letters on axes, small ones next to zero, negative ones below it, head down."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    axes.axhline(0, color=GREY, lw=0.6, zorder=1)
    order = heights.abs().argsort(0)
    stacked = heights.gather(0, order)
    up, down = stacked.clamp(min=0), stacked.clamp(max=0)
    ends = torch.where(stacked > 0, up.cumsum(0), down.cumsum(0))
    floors = torch.empty_like(heights).scatter_(0, order, ends - stacked)
    visible = heights.abs() > 0.002 * heights.abs().max()  # the rest is thinner than a pixel
    for letter, height, floor, seen in zip(alphabet, heights, floors, visible):
        at = seen.nonzero().squeeze(1)
        if not len(at):
            continue
        glyph = _glyph(letter)
        shape = torch.tensor(glyph.vertices)
        x = first + at[:, None] + 0.95 * (shape[:, 0] - 0.5)
        y = floor[at, None] + height[at, None] * shape[:, 1]
        path = Path(
            torch.stack((x, y), 2).reshape(-1, 2).numpy(),
            torch.tensor(glyph.codes).repeat(len(at)).numpy(),
        )
        color = LETTER_COLORS.get(letter.upper(), OTHER_LETTER)
        # add_patch would measure every curve of every letter, which takes longer than drawing.
        axes.add_artist(PathPatch(path, facecolor=color, lw=0, zorder=2))


def _draw_whiskers(axes: Axes, heights: Tensor, spread: Tensor, first: int) -> None:
    """A vertical line from one standard deviation below the height of a position to one above."""
    net = heights.sum(0)
    positions = torch.arange(first, first + len(net))
    low, high = (net - spread).tolist(), (net + spread).tolist()
    axes.vlines(positions.tolist(), low, high, color=INK, lw=0.7, zorder=3)


@cache
def _glyph(letter: str) -> Path:
    """The outline of a letter, stretched to fill the unit square."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D

    # DejaVu comes with matplotlib: the same logo on every machine.
    path = TextPath(
        (0, 0), letter, size=1, prop=FontProperties(family="DejaVu Sans", weight="bold")
    )
    box = path.get_extents()
    width = max(box.width, 0.3)  # a narrow letter, an I, is not stretched to a block
    fit = Affine2D().translate(-(box.x0 + box.x1) / 2, -box.y0).scale(1 / width, 1 / box.height)
    return path.transformed(fit.translate(0.5, 0))


@cache
def _text_width(text: str) -> float:
    """Inches that a label takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text:
        return 0.0
    path = TextPath((0, 0), text, size=SIZE + 1, prop=FontProperties())
    return path.get_extents().width / 72


def _number(axes: Axes, span: Span, inches: float) -> None:
    """Number the positions below axes, as many as have room."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    room = int(inches / (_text_width(f"{span[1]:,}") + 0.3))
    locator = MaxNLocator(min(11, room), steps=[1, 2, 5, 10], integer=True, min_n_ticks=1)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x:,.0f}".replace("-", "\N{MINUS SIGN}"))
    )
    axes.tick_params(axis="x", labelsize=SIZE, length=2.5, color=GREY, labelcolor=INK, pad=2)


def _scale(axes: Axes, limits: tuple[float, float]) -> None:
    """Give axes their limits and a short scale on the left."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_ylim(limits)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _short(y)))
    axes.tick_params(axis="y", labelsize=SIZE - 1, length=2.5, color=GREY, labelcolor=INK, pad=2)
    axes.spines["left"].set(visible=True, color=GREY, linewidth=0.6)


def _short(value: float) -> str:
    """A tick label that fits beside the name of a method."""
    if value == 0 or 1e-2 <= abs(value) < 1e4:
        text = f"{value:.4g}"
    else:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{float(mantissa):g}e{int(exponent)}"
    return text.replace("-", "\N{MINUS SIGN}")


def _limits(heights: Tensor, spread: Tensor | None = None) -> tuple[float, float]:
    """A range with a little air around the stacks of (A, L) letters, and their whiskers."""
    high = heights.clamp(min=0).sum(0).max().item()
    low = heights.clamp(max=0).sum(0).min().item()
    if spread is not None:
        net = heights.sum(0)
        high = max(high, (net + spread).max().item())
        low = min(low, (net - spread).min().item())
    air = 0.04 * (high - low) or 1.0
    return low - air, high + air


def _window(logos: Sequence[Tensor], window: Span | None, max_letters: int, whole: Span) -> Span:
    """The positions to draw in letters: those asked for, or those that matter most."""
    if window is not None:
        start, stop = window
        if not whole[0] <= start < stop <= whole[1]:
            raise ValueError(
                f"window: expected (start, stop) with {whole[0]} <= start < stop <= {whole[1]}, "
                f"got {window}"
            )
        return start, stop
    if max_letters < 1:
        raise ValueError(f"max_letters: expected 1 or more, got {max_letters}")
    if max_letters >= whole[1] - whole[0]:
        return whole
    shares = [logo.abs().sum(0) for logo in logos]
    total = torch.stack([share / share.sum().clamp(min=1e-300) for share in shares]).sum(0)
    # A bell, not a box, so that the largest attributions come to lie in the middle. The padding
    # lets its middle stand over every position, so that it also finds a peak at an end.
    bell = torch.hann_window(max_letters + 2, periodic=False, dtype=torch.float64)[1:-1]
    left = max_letters // 2
    padded = torch.nn.functional.pad(total, (left, max_letters - 1 - left))
    middle = int(padded.unfold(0, max_letters, 1).mv(bell).argmax())
    start = min(max(whole[0], whole[0] + middle - left), whole[1] - max_letters)
    return start, start + max_letters


def _logos(
    methods: Mapping[str, Tensor],
    sequence: Tensor | str | None,
    alphabet: str,
    names: tuple[str, str] = ("attribution", "attributions"),
) -> list[Tensor]:
    """The heights of letters, (A, L) in float64 on the CPU, of every method."""
    if not methods:
        raise ValueError("attributions: expected at least one method, got none")
    present = None if sequence is None else _one_hot(sequence, alphabet)
    logos: list[Tensor] = []
    for name, attribution in methods.items():
        what = f"{names[1]}[{name!r}]" if name else names[0]
        if not isinstance(attribution, Tensor):
            raise TypeError(f"{what}: expected a tensor, got {type(attribution).__name__}")
        heights = attribution.detach().cpu().double()
        if heights.dim() == 1 and present is None:
            raise ValueError(
                f"{what}: expected ({len(alphabet)}, L) without sequence, got shape "
                f"{tuple(heights.shape)}: give sequence, so that there are letters to draw"
            )
        if heights.dim() == 1:
            heights = heights.expand(len(alphabet), -1)
        if heights.dim() != 2 or heights.shape[0] != len(alphabet) or not heights.shape[1]:
            raise ValueError(
                f"{what}: expected one sequence, ({len(alphabet)}, L) or (L,), "
                f"got shape {tuple(attribution.shape)}"
            )
        if not heights.isfinite().all():
            raise ValueError(f"{what}: expected finite values, got NaN or infinity")
        if present is not None and heights.shape[1] != present.shape[1]:
            raise ValueError(
                f"{what}: expected the {present.shape[1]} positions of sequence, "
                f"got {heights.shape[1]}"
            )
        if logos and heights.shape != logos[0].shape:
            raise ValueError(
                f"{what}: expected {logos[0].shape[1]} positions as in the first method, since "
                f"methods share one axis, got {heights.shape[1]}"
            )
        logos.append(heights if present is None else heights * present)
    return logos


def _spreads(
    spread: Tensor | Mapping[str, Tensor] | None,
    methods: Mapping[str, Tensor],
    sequence: Tensor | str | None,
    alphabet: str,
) -> dict[str, Tensor]:
    """The standard deviation of the letter present at each position, (L,), by method."""
    if spread is None:
        return {}
    if sequence is None:
        raise ValueError("sequence: expected a sequence with spread, got None")
    if isinstance(spread, Tensor):
        if list(methods) != [""]:
            raise ValueError("spread: expected {method: spread} per method, got a tensor")
        spread = {"": spread}
    found = {}
    for name, deviation in spread.items():
        if name not in methods:
            raise ValueError(
                f"spread: expected the names of methods, {list(methods)}, got {name!r}"
            )
        (heights,) = _logos({name: deviation}, sequence, alphabet, ("spread", "spread"))
        if (heights < 0).any():
            raise ValueError("spread: expected 0 or more, got negative values")
        found[name] = heights.sum(0)
    return found


def _one_hot(sequence: Tensor | str, alphabet: str) -> Tensor:
    """(A, L), zero where a letter is not of the alphabet."""
    if isinstance(sequence, str):
        letters = torch.tensor([ord(letter) for letter in sequence.upper()])
        return (letters == torch.tensor([[ord(letter)] for letter in alphabet])).double()
    if sequence.dim() != 2 or sequence.shape[0] != len(alphabet):
        raise ValueError(
            f"sequence: expected a string or one-hot ({len(alphabet)}, L), "
            f"got shape {tuple(sequence.shape)}"
        )
    return sequence.detach().cpu().double()


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "logos are drawn with matplotlib: pip install 'shiftsmooth[plot]'"
        ) from error
