"""The page of a discovery, and its logos as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from modelzoo.discovery.figures import spacing_figure
from modelzoo.discovery.findings import Q_VALUE, Finding, Findings
from modelzoo.files import write_atomically
from modelzoo.motifs import Match
from modelzoo.motifs.jaspar import GROUP, RELEASE
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
    command: str,
    figures: Mapping[str, Figure] | None = None,
) -> Path:
    """Write the page `index.html` and the logos of the motifs shown; return the page.

    Args:
        folder: An existing folder.
        title: The page's heading.
        facts: Names and values, below the heading.
        found: The motifs.
        command: The command line that makes it.
        figures: More figures, by caption, above the motifs.
    """
    page = Page(title)
    page.summary(_summarised(found))
    page.made_by(command)
    page.facts(facts)
    page.heading("Overview")
    page.table(_overview(found))
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


def database_options(release: str, group: str | None) -> str:
    """Return the options of a command line that name the database, where they are no defaults."""
    told = "" if release == RELEASE else f" --release {release}"
    return told if group == GROUP else f"{told} --group {group or 'all'}"


def _summarised(found: Findings) -> list[str]:
    named = sum(bool(finding.matches) for finding in found.shown)
    count = len(found.shown)
    texts = [
        f"{count} motifs are shown; {named} of them match a motif of JASPAR (q up to {Q_VALUE})."
    ]
    if len(found.instances):
        most = found.instances["motif"].value_counts(sort=True).index[0]
        own = found.instances[found.instances["motif"] == most]
        title = next(f.title for f in found.shown if f.motif.name == most)
        texts.append(
            f"The most frequent, {title}, has {len(own):,} instances in "
            f"{own['sequence'].nunique():,} of {len(found.names):,} sequences."
        )
    return texts


def _overview(found: Findings) -> Table:
    rows = []
    for finding in found.shown:
        own = found.instances[found.instances["motif"] == finding.motif.name]
        best = finding.matches[0] if finding.matches else None
        rows.append(
            {
                "motif": finding.motif.name,
                "consensus": finding.motif.trimmed().consensus,
                "best match": _named(best) if best else _nearest(finding),
                "q": _q(best or finding.nearest),
                "sites": f"{finding.motif.sites:,}",
                "instances": f"{len(own):,}",
                "in sequences": f"{own['sequence'].nunique():,}",
                **finding.facts,
            }
        )
    return _table("summary", rows, ("motif", linked("motif")))


def _named(match: Match) -> str:
    return f"{match.target.title} {match.orientation}"


def _nearest(finding: Finding) -> str:
    return f"none; nearest {_named(finding.nearest)}" if finding.nearest else "none"


def _q(match: Match | None) -> str | None:
    return f"{match.q_value:.2g}" if match else None


def _matches(finding: Finding) -> Table:
    shown = finding.matches[:MATCHES] or [match for match in [finding.nearest] if match]
    rows = [
        {
            "match" if finding.matches else "nearest, not significant": match.target.title,
            "matrix": match.target.name,
            "strand": match.orientation,
            "q": _q(match),
        }
        for match in shown
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
