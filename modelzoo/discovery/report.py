"""The page of a discovery, and its logos as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelzoo.discovery.figures import spacing_figure
from modelzoo.discovery.findings import Finding, Findings
from modelzoo.files import write_atomically
from modelzoo.reports.figures import svg
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Row, Table, linked, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

MATCHES = 5  # shown of a motif
PAIRS = 12  # of motifs, whose syntax is shown
FEWEST = 10  # pairs of instances that make a histogram


def write_report(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    found: Findings,
    figures: Mapping[str, Figure] | None = None,
) -> Path:
    """Write the page `index.html` and the logos of the motifs shown; return the page.

    Args:
        folder: An existing folder.
        title: The page's heading.
        facts: Names and values, below the heading.
        found: The motifs.
        figures: More figures, by caption, above the motifs.
    """
    page = Page(title)
    page.facts(facts)
    page.table(_summary(found))
    for index, (caption, figure) in enumerate((figures or {}).items()):
        page.figure(figure, f"figure-{index}", caption)
    page.heading("Motifs")
    (folder / "logos").mkdir(exist_ok=True)
    for finding in found.shown:
        name, logo = finding.motif.name, finding.logo()
        write_atomically(folder / "logos" / f"{name}.svg", svg(logo, name).encode())
        page.card(name, finding.title, {}, logo, _matches(finding))
    page.heading("Syntax")
    page.paragraph(
        "Bases between two instances in one sequence, seen from the strand on which the first motif"
        " reads forward: A> <B is A followed by B on the other strand."
    )
    _add_syntax(page, found.pairs, {f.motif.name: f.title for f in found.shown})
    return page.write(folder / "index.html")


def _summary(found: Findings) -> Table:
    rows = []
    for finding in found.shown:
        own = found.instances[found.instances["motif"] == finding.motif.name]
        best = finding.matches[0] if finding.matches else None
        rows.append(
            {
                "motif": finding.motif.name,
                "consensus": finding.motif.trimmed().consensus,
                "best match": f"{best.target.title} {best.orientation}" if best else "none",
                "q": f"{best.q_value:.1e}" if best else None,
                "sites": f"{finding.motif.sites:,}",
                "instances": f"{len(own):,}",
                "in sequences": f"{own['sequence'].nunique():,}",
                **finding.facts,
            }
        )
    return _table("summary", rows, ("motif", linked("motif")))


def _matches(finding: Finding) -> Table:
    rows = [
        {
            "match": match.target.title,
            "matrix": match.target.name,
            "strand": match.orientation,
            "q": f"{match.q_value:.1e}",
        }
        for match in finding.matches[:MATCHES]
    ]
    return _table(f"{finding.motif.name}-matches", rows)


def _table(name: str, rows: list[Row], *columns: tuple) -> Table:
    """Return a table of rows as they are, after some columns that are written otherwise."""
    keys = list(rows[0])[len(columns) :] if rows else []
    return Table(name, "", [*columns, *((key, plain(key)) for key in keys)], rows)


def _add_syntax(page: Page, pairs: DataFrame, titles: Mapping[str, str]) -> None:
    totals = pairs.groupby(["first", "second"])["count"].sum().sort_values(ascending=False)
    frequent = totals.index[totals >= FEWEST][:PAIRS]
    if not len(frequent):
        page.paragraph(f"No two motifs are in {FEWEST} sequences together.")
    with page.grid():
        for index, (first, second) in enumerate(frequent):
            rows = pairs[(pairs["first"] == first) & (pairs["second"] == second)]
            caption = f"{titles[first]} and {titles[second]}"
            page.figure(spacing_figure(rows), f"spacing-{index}", caption)
