"""Attributions to look through: in a genome browser where they have coordinates, else as logos.

The page holds numbers, from which the reader's browser draws letters: a drawing per peak would make
it ten times as large. A number is kept to a 127th of the largest beside it; the exact ones are in
the run's files.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modelzoo.reports.page import Page
from modelzoo.sequences import Interval, decode
from modelzoo.tracks.placed import averaged

if TYPE_CHECKING:
    from pandas import DataFrame

_HERE = Path(__file__).parent
# the npm package igv 3.8.10: dist/igv.min.js, with its licence (MIT) beside it
_IGV = _HERE / "igv" / "igv.min.js"


@dataclass(frozen=True)
class Shown:
    """A sequence with its attributions.

    Attributes:
        name: Its heading.
        facts: Names and values, below it.
        codes: The letters, (L,), as of `modelzoo.sequences.encode`.
        contributions: What the letters present contribute, (L,).
        spread: How much that differs between shifts, (L,); None where it is not known.
        interval: Where it was read from a genome.
    """

    name: str
    facts: Mapping[str, str]
    codes: np.ndarray
    contributions: np.ndarray
    spread: np.ndarray | None = None
    interval: Interval | None = None


def add_logos(page: Page, shown: Sequence[Shown], *, unit: str, total: int) -> None:
    """Add a logo per sequence, drawn when it comes into view.

    Args:
        page: To add to.
        shown: In the order of the page.
        unit: Of the contributions.
        total: How many sequences there are, also those that are not shown.
    """
    page.paragraph(
        f"{len(shown)} of {total} sequences are shown. Height of a letter: {unit}. Positions are"
        " counted from 1."
    )
    logos = []
    for number, one in enumerate(shown):
        packed, largest = _packed(one.contributions)
        logos.append([decode(one.codes[None])[0], packed, largest, 1])
        drawing = f'<canvas data-logo="{number}"></canvas>'
        page.card(f"rank-{number + 1}", one.name, one.facts, drawing)
    page.embed(_data("logos", json.dumps(logos)), script=(_HERE / "logos.js").read_text("utf-8"))


def add_browser(
    page: Page,
    shown: Sequence[Shown],
    sizes: Mapping[str, int],
    *,
    unit: str,
    total: int,
    hits: DataFrame | None = None,
) -> None:
    """Add a genome browser (igv.js) with the contributions as letters, and a list of the peaks.

    Args:
        page: To add to.
        shown: At least one; all have intervals. Where they overlap, the mean is shown.
        sizes: The length of every chromosome.
        unit: Of the contributions.
        total: How many peaks there are, also those that are not shown.
        hits: As of `modelzoo.tracks.hits.placed_hits`.
    """
    peaks = [
        {
            "chrom": one.interval.chrom,
            "start": max(one.interval.start, 0),
            "end": one.interval.end,
            "name": one.name,
            "strand": one.interval.strand,
        }
        for one in shown
        if one.interval is not None
    ]
    columns = ["chrom", "start", "end", "name", "strand", "attribution"]
    content = {
        "unit": unit,
        "total": total,
        "sizes": {one.interval.chrom: sizes[one.interval.chrom] for one in shown if one.interval},
        "peaks": peaks,
        "runs": _runs(shown, sizes),
        "hits": [] if hits is None else json.loads(hits[columns].to_json(orient="values")),
    }
    page.paragraph(f"{len(shown)} of {total} peaks are shown. Height of a letter: {unit}.")
    page.embed(
        _BROWSER.format(rows="\n".join(map(_row, shown)))
        + _data("igv", _gzipped(_IGV.read_text("utf-8")))
        + _data("shown", _gzipped(json.dumps(content, separators=(",", ":")))),
        style=_STYLE,
        script=(_HERE / "browser.js").read_text("utf-8"),
    )


def _runs(shown: Sequence[Shown], sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return what the browser draws, a stretch without gaps at a time."""
    values: dict[str, dict[Interval, Any]] = {
        "codes": {one.interval: _codes(one) for one in shown if one.interval},
        "contribution": {one.interval: one.contributions for one in shown if one.interval},
        "spread": {
            one.interval: one.spread for one in shown if one.interval and one.spread is not None
        },
    }
    found = {
        name: _stretches(list(rows), list(rows.values()), sizes) for name, rows in values.items()
    }
    runs = []
    for (chrom, start), codes in found["codes"].items():
        run = {"chrom": chrom, "start": start, "letters": decode(codes.astype(np.uint8)[None])[0]}
        for name in ("contribution", "spread"):
            if (chrom, start) in found[name]:
                run[name], run[f"{name}_largest"] = _packed(found[name][chrom, start])
        runs.append(run)
    return runs


def _codes(one: Shown) -> np.ndarray:
    """Return codes whose reverse is the other strand, as `averaged` turns them without letters."""
    turned = one.interval is not None and one.interval.strand == "-"
    known = one.codes < 4
    return np.where(known, 3 - one.codes, one.codes) if turned else one.codes


def _stretches(
    intervals: Sequence[Interval], values: Sequence[Any], sizes: Mapping[str, int]
) -> dict[tuple[str, int], np.ndarray]:
    """Return the averages of stretches without gaps, by chromosome and start."""
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for chrom, starts, tiles in averaged(intervals, values, sizes):
        positions = starts[:, None] + np.arange(tiles.shape[1])
        held = ~np.isnan(tiles)
        parts.setdefault(chrom, []).append((positions[held], tiles[held]))
    stretches = {}
    for chrom, pieces in parts.items():
        positions, numbers = (np.concatenate(column) for column in zip(*pieces))
        cuts = np.flatnonzero(np.diff(positions) != 1) + 1
        for place, part in zip(np.split(positions, cuts), np.split(numbers, cuts)):
            if len(place):
                stretches[chrom, int(place[0])] = part
    return stretches


def _packed(values: np.ndarray) -> tuple[str, float]:
    """Return 8-bit numbers as text, and what 127 of them stands for."""
    largest = float(np.abs(values).max(initial=0))
    steps = np.round(values * (127 / largest if largest else 0)).astype(np.int8)
    return base64.b64encode(steps.tobytes()).decode(), float(f"{largest:.6g}")


def _gzipped(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _data(name: str, text: str) -> str:
    """Return an element that holds data; `<` could end it."""
    escaped = text.replace("<", "\\u003c")
    return f'<script type="application/octet-stream" id="{name}">{escaped}</script>\n'


def _row(one: Shown) -> str:
    facts = " · ".join(f"{name} {value}" for name, value in one.facts.items())
    place = html.escape(str(one.interval))
    return (
        f"<li><button type=button><b>{html.escape(one.name)}</b> <small>{place}"
        f" {html.escape(facts)}</small></button></li>"
    )


_STYLE = """
#browser { background: #fff; color: #000; border-radius: .4rem; min-height: 20rem;
  overflow: auto hidden; }
#browser svg { filter: none; display: inline; }
.jump { display: flex; gap: .5rem; align-items: center; }
.jump button, #peaks button { font: inherit; color: inherit; background: var(--soft);
  border: 1px solid var(--line); border-radius: .4rem; padding: .35rem .7rem; cursor: pointer; }
#peaks { list-style: none; padding: 0; max-height: 20rem; overflow: auto; }
#peaks li { max-width: none; }
#peaks button { width: 100%; text-align: left; overflow-wrap: anywhere; }
#peaks button[aria-current] { border-color: var(--link); }
"""

_BROWSER = """
<div class="jump">
<button type="button" id="previous" aria-label="previous peak">←</button>
<button type="button" id="next" aria-label="next peak">→</button>
<input type="search" id="find" placeholder="Find a peak by name or place" aria-label="find a peak">
</div>
<p id="found" role="status"></p>
<div id="browser"></div>
<ol id="peaks">
{rows}
</ol>
"""
