"""What was found, as a folder: motifs, matches, instances and syntax as tables, logos, a page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
import torch

from modelzoo.files import write_atomically
from modelzoo.motifs.files import write_matches, write_matrices, write_meme, write_table
from modelzoo.motifs.motif import Motif
from modelzoo.motifs.syntax import arrangements
from modelzoo.motifs.tomtom import Match, label
from shiftsmooth.plot import MOTIF_COLORS, plot_logos

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MATCHES = 5  # shown of a motif
PAIRS = 12  # of motifs, whose syntax is shown
FEWEST = 10  # pairs of instances that make a histogram


@dataclass(frozen=True, eq=False)
class Finding:
    """A motif and what is known of it.

    Attributes:
        motif: The motif.
        matches: Its resemblances, the best first.
        facts: More columns for the page, by name; findings shown together have the same.
    """

    motif: Motif
    matches: Sequence[Match]
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, and that of the best match."""
        found = label(self.matches)
        return f"{self.motif.name} · {found}-like" if found else self.motif.name

    def logo(self) -> Figure:
        """The motif in bits, above its best match where there is one, aligned."""
        logos, first = {self.motif.name: _heights(self.motif)}, 1
        if self.matches:
            best = self.matches[0]
            left = min(0, best.offset)
            right = max(best.offset + self.motif.width, best.target.width)
            name = f"{best.target.title} {best.orientation}"
            logos = {
                self.motif.name: _placed(self.motif, best.offset - left, right - left),
                name if name != self.motif.name else f"{name} ": _placed(
                    best.oriented, -left, right - left
                ),
            }
            first = 1 + left - best.offset
        width = next(iter(logos.values())).shape[1]
        return plot_logos(
            logos, max_letters=width, first=first, sharey=True, width=1.8 + 0.28 * max(width, 14)
        )


def write_report(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    findings: Sequence[Finding],
    *,
    shown: Sequence[Finding] | None = None,
    instances: DataFrame,
    names: Sequence[str],
    pairs: DataFrame,
    figures: Mapping[str, Figure] | None = None,
) -> Path:
    """Writes all there is to know of motifs into a folder; returns the page, `index.html`.

    The folder then holds `motifs.meme` and `motifs.tsv` (the matrices), `matches.tsv` (as of
    Tomtom), `instances.tsv`, `syntax.tsv`, `logos/` and the page.

    Args:
        folder: There already.
        title: The page's heading.
        facts: Names and values, below the heading.
        findings: All motifs, in their order.
        shown: Those on the page; all by default.
        instances: As of :func:`modelzoo.motifs.find_instances`.
        names: What the sequences are called that the instances are in.
        pairs: As of :func:`modelzoo.motifs.syntax`.
        figures: More of them, by caption, above the motifs.
    """
    shown = findings if shown is None else shown
    motifs = [finding.motif for finding in findings]
    write_meme(folder / "motifs.meme", motifs)
    write_matrices(folder / "motifs.tsv", motifs)
    write_matches(folder / "matches.tsv", motifs, [finding.matches for finding in findings])
    placed = instances.assign(sequence=[names[row] for row in instances["sequence"]])
    for name, table in (("instances.tsv", placed), ("syntax.tsv", pairs)):
        write_table(folder / name, list(table.columns), table.itertuples(index=False))
    (folder / "logos").mkdir(exist_ok=True)
    cards = []
    for finding in shown:
        drawn = svg(finding.logo())
        write_atomically(folder / "logos" / f"{finding.motif.name}.svg", drawn)
        cards.append(_card(finding, drawn))
    page = _PAGE.substitute(
        title=escape(title),
        facts=" · ".join(f"{escape(name)} {escape(value)}" for name, value in facts.items()),
        summary=_summary(shown, instances),
        figures="".join(_figure(caption, svg(f)) for caption, f in (figures or {}).items()),
        cards="".join(cards),
        syntax=_syntax(pairs, {f.motif.name: f.title for f in shown}),
    )
    path = folder / "index.html"
    write_atomically(path, page.encode())
    return path


def spacing_figure(pairs: DataFrame) -> Figure:
    """How often each spacing occurs between two motifs, a colour an arrangement.

    Args:
        pairs: Rows of :func:`modelzoo.motifs.syntax` of one pair of motifs.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(6.4, 2.2), layout="constrained")
    axes = figure.subplots()
    top = int(pairs["spacing"].max())
    floor = np.zeros(top + 1)
    first, second = pairs["first"].iloc[0], pairs["second"].iloc[0]
    for color, kind in zip(MOTIF_COLORS, arrangements(first, second)):
        rows = pairs[pairs["arrangement"] == kind]
        if rows.empty:
            continue
        counts = np.bincount(rows["spacing"], rows["count"], minlength=top + 1)
        name = f"{kind}  ({int(counts.sum())})"
        axes.bar(range(top + 1), counts, 0.9, floor, color=color, label=name)
        floor += counts
    axes.set(xlabel="bases between the two", ylabel="pairs", xlim=(-1, top + 1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def rank_figure(ranked: Mapping[str, np.ndarray]) -> Figure:
    """Are the important units' motifs the good ones? The ExplaiNN paper's figure 3A.

    The line is the mean performance of the motifs of each rank; a dot is the rank of the best
    motif of one set of sequences.

    Args:
        ranked: By set, how well each motif does alone (:func:`modelzoo.motifs.performances`), the
            most important unit's first.
    """
    from matplotlib.figure import Figure

    longest = max(map(len, ranked.values()))
    table = np.full((len(ranked), longest), np.nan)
    for row, values in zip(table, ranked.values()):
        row[: len(values)] = values
    ranks = np.arange(1, longest + 1)
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(ranks, np.nanmean(table, 0), color="#2c5fb3", lw=1.5)
    for name, row in zip(ranked, table):
        best = int(np.nanargmax(row))
        axes.plot(best + 1, row[best], "o", color="#777777", ms=6)
        axes.annotate(
            f"{name}: rank {best + 1}",
            (best + 1, row[best]),
            xytext=(6, 2),
            textcoords="offset points",
            size=8,
        )
    axes.set(xlabel="rank by unit importance", ylabel="AUPRC of the motif alone")
    axes.set(xlim=(0, longest + 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def svg(figure: Figure) -> bytes:
    """A figure as SVG, the same bytes in every run."""
    from matplotlib import rc_context

    buffer = BytesIO()
    with rc_context({"svg.hashsalt": "shiftsmooth"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _heights(motif: Motif) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(motif.matrix * motif.bits))


def _placed(motif: Motif, left: int, width: int) -> torch.Tensor:
    """The heights of a motif's letters with room around them. Shape (4, width)."""
    return torch.nn.functional.pad(_heights(motif), (left, width - left - motif.width))


def _summary(findings: Sequence[Finding], instances: DataFrame) -> str:
    head = ["motif", "consensus", "best match", "q", "sites", "instances", "in sequences"]
    more = list(findings[0].facts) if findings else []
    rows = []
    for finding in findings:
        own = instances[instances["motif"] == finding.motif.name]
        best = finding.matches[0] if finding.matches else None
        match = f"{best.target.title} {best.orientation}" if best else "none"
        name = escape(finding.motif.name)
        cells = [
            f'<a href="#{name}">{name}</a>',
            f"<code>{finding.motif.trimmed().consensus}</code>",
            escape(match),
            f"{best.q_value:.1e}" if best else "",
            f"{finding.motif.sites:,}",
            f"{len(own):,}",
            f"{own['sequence'].nunique():,}",
            *(escape(value) for value in finding.facts.values()),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    header = "".join(f"<th>{escape(name)}</th>" for name in [*head, *more])
    return f"<tr>{header}</tr>{''.join(rows)}"


def _card(finding: Finding, drawn: bytes) -> str:
    rows = "".join(
        f"<tr><td>{escape(m.target.title)}</td><td>{escape(m.target.name)}</td>"
        f"<td>{m.orientation}</td><td>{m.q_value:.1e}</td></tr>"
        for m in finding.matches[:MATCHES]
    )
    table = (
        f"<table><tr><th>match</th><th>matrix</th><th>strand</th><th>q</th></tr>{rows}</table>"
        if rows
        else "<p>It resembles no motif of the database.</p>"
    )
    return (
        f'<article id="{escape(finding.motif.name)}"><h3>{escape(finding.title)}</h3>'
        f'<div class="pair">{_figure(f"logo of {finding.title}", drawn, caption_shown=False)}'
        f'<div class="scroll">{table}</div></div></article>\n'
    )


def _syntax(pairs: DataFrame, titles: Mapping[str, str]) -> str:
    totals = pairs.groupby(["first", "second"])["count"].sum().sort_values(ascending=False)
    drawn = []
    for first, second in totals.index[totals >= FEWEST][:PAIRS]:
        rows = pairs[(pairs["first"] == first) & (pairs["second"] == second)]
        caption = f"{titles.get(first, first)} and {titles.get(second, second)}"
        drawn.append(_figure(caption, svg(spacing_figure(rows))))
    return "".join(drawn) or f"<p>No two motifs are in {FEWEST} sequences together.</p>"


def _figure(caption: str, drawn: bytes, *, caption_shown: bool = True) -> str:
    image = base64.b64encode(drawn).decode()
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption_shown else ""
    return (
        f'<figure>{below}<div class="scroll"><img alt="{escape(caption)}"'
        f' src="data:image/svg+xml;base64,{image}"></div></figure>\n'
    )


_PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif;
          --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { max-width: 75rem; margin: auto; padding: 1rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: .25rem .75rem .25rem 0; white-space: nowrap;
           border-bottom: 1px solid var(--line); }
  th { font-weight: 600; font-size: .85rem; opacity: .75; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem .6rem; }
  article { border-top: 1px solid var(--line); padding-top: .25rem; }
  h3 { margin: .5rem 0; overflow-wrap: anywhere; }
  figure { margin: 0 0 1rem; min-width: 0; }
  figcaption { margin: .75rem 0 .25rem; overflow-wrap: anywhere; }
  figure .scroll { background: white; border-radius: .4rem; width: fit-content; max-width: 100%; }
  img { display: block; max-width: 100%; height: auto; }
  .pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
  .grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr));
          gap: 0 2rem; }
</style>
<h1>$title</h1>
<p>$facts</p>
<div class="scroll"><table>$summary</table></div>
$figures
<h2>Motifs</h2>
<input type="search" placeholder="Show only motifs with&nbsp;…" aria-label="filter by name">
$cards
<h2>Syntax</h2>
<p>Bases between two instances in one sequence, seen from the strand on which the first motif
reads forward: <code>A&gt; &lt;B</code> is A followed by B on the other strand.</p>
<div class="grid">$syntax</div>
<script>
  document.querySelector("input").addEventListener("input", event => {
    const wanted = event.target.value.toLowerCase();
    for (const card of document.querySelectorAll("article"))
      card.hidden = !card.textContent.toLowerCase().includes(wanted);
  });
</script>
</html>
""")
