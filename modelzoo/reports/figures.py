"""What all figures of reports share: colours, style, panels, and how a figure becomes a file."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart by colour-blind readers as well, without yellow and black.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C564B")
INK = "#1a1a1b"  # in pages the ink follows the reader's theme: see `inline`
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "svg.fonttype": "none",
    "savefig.dpi": 160,
}
# What `shiftsmooth.plot` and matplotlib write with when nobody tells them otherwise.
_INKS = re.compile(f"{INK}|#333333|#000000")
_PALE = "#e9e9e9"
_UNUSED = re.compile(r'<metadata>.*?</metadata>\s*|(?<=<g) id="[^"]*"', re.DOTALL)


def panels(
    count: int, width: float, height: float, *, columns: int = 3, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels in rows of up to `columns`, and the panels."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width * columns + 0.6 * sharey, height * rows))
    grid = figure.subplots(rows, columns, squeeze=False, sharey=sharey).ravel().tolist()
    for unused in grid[count:]:
        unused.remove()
    return figure, grid[:count]


def colours(count: int) -> list[str]:
    """Return so many colours, from the start again after the last."""
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write a figure as `name.svg` and `name.png`, on white, the same bytes in every run.

    Args:
        figure: What to write.
        folder: An existing folder.
        name: Name of the files without ending.
    """
    (folder / f"{name}.svg").write_text(svg(figure, name), encoding="utf-8")
    with matplotlib.rc_context(STYLE):
        figure.savefig(folder / f"{name}.png", metadata={"Software": None})


def svg(figure: Figure, name: str, *, transparent: bool = False) -> str:
    """Return a figure as the text of an SVG file, the same in every run.

    Args:
        figure: What to draw.
        name: Makes the ids in the file unique within a page.
        transparent: Leave the background out.
    """
    text = io.StringIO()
    # After a file is written, matplotlib would give a layout of this style to a figure without one.
    settings = {**STYLE, "figure.constrained_layout.use": False, "svg.hashsalt": name}
    with matplotlib.rc_context(settings):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=transparent)
    return text.getvalue()


def described(figure: Figure) -> str:
    """Return what a figure shows, in words, from the titles and the labels of its axes."""
    axes = [one for one in figure.axes if one.axison]
    whole = figure.get_supylabel(), figure.get_supxlabel()
    labels = [whole, *((one.get_ylabel(), one.get_xlabel()) for one in axes)]
    drawn = [" against ".join(filter(None, pair)) for pair in labels]
    said = ["; ".join(dict.fromkeys(filter(None, drawn)))]
    panels = list(dict.fromkeys(filter(None, (one.get_title() for one in axes))))
    said.append(f"panels: {', '.join(panels)}" if len(panels) > 1 else "".join(panels))
    return ". ".join(filter(None, said)) or "drawing"


def inline(figure: Figure, name: str, alt: str) -> str:
    """Return a figure as an SVG element for a page: transparent, in the page's text colour.

    Args:
        figure: What to draw.
        name: Makes the ids in the element unique within the page.
        alt: What it shows, for those who do not see it.
    """
    text = svg(figure, name, transparent=True)
    text = _UNUSED.sub("", text[text.index("<svg") :])
    text = _INKS.sub("currentColor", text).replace(_PALE, "var(--line)")
    pixels = round(96 * figure.get_size_inches()[0])
    # On a phone a wide figure scrolls sideways: smaller than that, nobody could read it.
    size = f'style="width: {pixels}px; max-width: 100%; min-width: min({pixels}px, 34rem)"'
    said = f'{size} role="img" aria-label="{html.escape(" ".join(alt.split()))}"'
    head = re.compile(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"')
    return head.sub(lambda found: f"<svg {found[1]}{said}", text, count=1)
