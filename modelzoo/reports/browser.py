"""Attributions to look through: in a genome browser where they have coordinates, else as logos.

The page holds numbers, from which the reader's browser draws letters: a drawing per peak would make
it ten times as large. A contribution is kept to a 127th of the largest beside it, a spread to a
31st; the exact numbers are in the run's files.
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
from modelzoo.tracks.hits import SEQLET, notable
from modelzoo.tracks.placed import averaged

if TYPE_CHECKING:
    from pandas import DataFrame

STEPS = {"contribution": 127, "spread": 31}  # from 0 to the largest; of a pixel or so each
BLOCK = 250  # positions whose numbers are in steps of one size

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
        steps, largest = _in_steps(one.contributions, STEPS["contribution"])
        packed = base64.b64encode(steps).decode()
        logos.append([decode(one.codes[None])[0], packed, largest, 1])
        drawing = f'<canvas role="img" aria-label="logo" data-logo="{number}"></canvas>'
        page.card(f"rank-{number + 1}", one.name, one.facts, drawing)
    content = {"unit": unit.split(",")[0], "logos": logos}
    page.embed(_data("logos", json.dumps(content)), script=(_HERE / "logos.js").read_text("utf-8"))


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
        hits: As of `modelzoo.tracks.hits.placed_hits`; of each peak, the seqlets and the notable
            motifs are shown.
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
    runs, numbers = _runs(shown, sizes)
    content = {
        "unit": unit,
        "total": total,
        "sizes": {one.interval.chrom: sizes[one.interval.chrom] for one in shown if one.interval},
        "peaks": peaks,
        "steps": STEPS,
        "block": BLOCK,
        "runs": runs,
        "hits": [] if hits is None else _hits(hits, shown),
    }
    told = f"{len(shown)} of {total} peaks are shown. Height of a letter: {unit}."
    if hits is not None:
        told += (
            " Hits: seqlets, and the motifs that contribute most per position, without overlaps."
        )
    page.paragraph(told)
    page.embed(
        _BROWSER.format(rows="\n".join(map(_row, shown)))
        + _data("igv", _gzipped(_IGV.read_bytes()))
        + _data("shown", _gzipped(json.dumps(content, separators=(",", ":")).encode()))
        + _data("numbers", _gzipped(numbers)),
        style=_STYLE,
        script=(_HERE / "browser.js").read_text("utf-8"),
    )


def _hits(hits: DataFrame, shown: Sequence[Shown]) -> list[list[Any]]:
    """Return the hits that are shown, each once."""
    import pandas

    parts = [hits[:0]]
    by_start = {chrom: rows.sort_values("start") for chrom, rows in hits.groupby("chrom")}
    for window in (one.interval for one in shown):
        if window is not None and window.chrom in by_start:
            rows = by_start[window.chrom]
            first, last = np.searchsorted(rows["start"], [window.start, window.end])
            inside = rows[first:last]
            parts += [notable(inside, window), inside[inside["name"] == SEQLET]]
    found = pandas.concat(parts)[["chrom", "start", "end", "name", "strand", "attribution"]]
    once = found.drop_duplicates().sort_values(["chrom", "start", "end", "name"])
    return json.loads(once.to_json(orient="values", double_precision=3))


def _runs(shown: Sequence[Shown], sizes: Mapping[str, int]) -> tuple[list[dict[str, Any]], bytes]:
    """Return what the browser draws, a stretch without gaps at a time, and its numbers in steps.

    For each name of `STEPS`, a stretch has the largest number of each `BLOCK` of its positions, if
    it has any: then as many bytes as it has letters follow those of the stretch before.
    """
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
    runs, numbers = [], bytearray()
    for (chrom, start), codes in found["codes"].items():
        letters = decode(codes.astype(np.uint8)[None])[0]
        run: dict[str, Any] = {"chrom": chrom, "start": start, "letters": letters}
        for name, count in STEPS.items():
            if (chrom, start) in found[name]:
                line, run[name] = found[name][chrom, start], []
                for block in np.split(line, range(BLOCK, len(line), BLOCK)):
                    steps, largest = _in_steps(block, count)
                    numbers += steps
                    run[name].append(largest)
        runs.append(run)
    return runs, bytes(numbers)


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


def _in_steps(values: np.ndarray, count: int) -> tuple[bytes, float]:
    """Return signed 8-bit numbers of steps, and what `count` of them stand for."""
    largest = float(np.abs(values).max(initial=0))
    steps = np.round(values * (count / largest if largest else 0)).astype(np.int8)
    return steps.tobytes(), float(f"{largest:.4g}")


def _gzipped(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def _data(name: str, text: str) -> str:
    """Return an element that holds data; `<` could end it."""
    escaped = text.replace("<", "\\u003c")
    return f'<script type="application/octet-stream" id="{name}">{escaped}</script>\n'


def _row(one: Shown) -> str:
    facts = " · ".join(f"{name} {value}" for name, value in one.facts.items())
    place = "" if one.name == str(one.interval) else f"{one.interval} "
    return (
        f"<li><button type=button><b>{html.escape(one.name)}</b>"
        f" <small>{html.escape(place + facts)}</small></button></li>"
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
<div id="browser" role="region" aria-label="genome browser with contributions as letters"></div>
<ol id="peaks">
{rows}
</ol>
"""
