"""The page of every report: text, tables, figures and cards, in one file that opens anywhere.

A page needs no network and no other file. It follows the reader's light or dark theme and fits a
phone. Warnings, the summary and the contents stand at its top, the command that made it at its
foot, whenever they are added.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from matplotlib.figure import Figure

from modelzoo.files import write_atomically
from modelzoo.reports.figures import described, inline
from modelzoo.reports.tables import Table

QUICK_RUN = "Quick run: models hardly trained; do not cite."
FEWEST_CONTENTS = 3  # headings of level 2 that make a list of contents worth its room


class Page:
    """A page, added to from top to bottom.

    Args:
        title: Its heading.

    Example:
        >>> from modelzoo.reports.page import Page
        >>> page = Page("Attributions")
        >>> page.facts({"model": "deepbind-gata3", "N": "5"})
        >>> page.write(Path("index.html"))  # doctest: +SKIP
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._warnings: list[str] = []
        self._summary: list[str] = []
        self._headings: list[tuple[int, str, int]] = []  # level, text, where in the parts
        self._parts: list[str] = []
        self._command = ""
        self._styles = [THEME, _STYLE]
        self._has_cards = False

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading, which the contents list."""
        self._headings.append((level, text, len(self._parts)))
        name = f"section-{len(self._headings)}"
        self._parts.append(f'<h{level} id="{name}">{html.escape(text)}</h{level}>')

    def warning(self, text: str) -> None:
        """Add a box to the top that says how this page must not be read."""
        self._warnings.append(f'<p class="warning" role="note">{html.escape(text)}</p>')

    def summary(self, sentences: Sequence[str]) -> None:
        """Add sentences to the top that say what was found."""
        self._summary += sentences

    def made_by(self, command: str) -> None:
        """Say at the foot which command makes this page."""
        self._command = command

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def items(self, texts: Sequence[str]) -> None:
        """Add a list."""
        entries = "".join(f"<li>{html.escape(text)}</li>" for text in texts)
        self._parts.append(f"<ul>{entries}</ul>")

    def facts(self, facts: Mapping[str, str]) -> None:
        """Add names and values, side by side where there is room."""
        self._parts.append(_facts(facts))

    def table(self, table: Table, *, folded: bool = False) -> None:
        """Add a table; a folded one shows its caption, and opens when that is clicked."""
        text = table.to_html() + _download(table)
        if folded:
            summary = html.escape(table.caption)
            text = f"<details><summary>{summary}</summary>{text}</details>"
        self._parts.append(text)

    def figure(self, figure: Figure, name: str, caption: str) -> None:
        """Add a figure.

        Args:
            figure: What to draw.
            name: Its id, not given to anything else on the page.
            caption: Written below it.
        """
        drawing = inline(figure, name, described(figure))
        self._parts.append(
            f'<figure id="{html.escape(name)}">{_scrolled(drawing)}'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def embed(self, markup: str, *, style: str = "", script: str = "") -> None:
        """Add HTML as it is, with its own style and with a script that runs once all is there."""
        self._parts.append(markup)
        self._styles.append(style)
        if script:
            self._parts.append(f'<script type="module">\n{script}</script>')

    @contextmanager
    def grid(self) -> Iterator[None]:
        """Put what is added within into columns, as many as the screen has room for."""
        self._parts.append('<div class="grid">')
        yield
        self._parts.append("</div>")

    def card(
        self,
        name: str,
        title: str,
        facts: Mapping[str, str],
        figure: Figure | str,
        table: Table | None = None,
    ) -> None:
        """Add one of many things of a kind. A box above the first finds cards by their text.

        Args:
            name: Its id, not given to anything else on the page.
            title: Its heading.
            facts: Names and values, below the heading.
            figure: Such as its logo; or HTML that draws it.
            table: Beside the figure where there is room.
        """
        if not self._has_cards:
            self._parts.append(_SEARCH)
        self._has_cards = True
        drawing = figure if isinstance(figure, str) else inline(figure, name, f"Logo: {title}")
        self._parts.append(
            f'<article id="{html.escape(name)}"><h3>{html.escape(title)}</h3>{_facts(facts)}'
            f'<div class="pair">{_scrolled(drawing)}{table.to_html() if table else ""}</div>'
            "</article>"
        )

    def to_html(self) -> str:
        """Return the whole page."""
        script = _SCRIPT if self._has_cards else ""
        begin = self._headings[0][2] if self._headings else len(self._parts)
        parts = [*self._warnings, _summarised(self._summary), *self._parts[:begin]]
        parts += [_contents([heading[:2] for heading in self._headings]), *self._parts[begin:]]
        if self._command:
            parts.append(f"<footer>Made by <code>{html.escape(self._command)}</code></footer>")
        return _PAGE.format(
            title=html.escape(self.title),
            style="".join(self._styles),
            body="\n".join(filter(None, parts)),
            script=script,
        )

    def write(self, path: Path) -> Path:
        """Write the page, and return its path. The file is whole or it is not there."""
        write_atomically(path, self.to_html().encode())
        return path


def _facts(facts: Mapping[str, str]) -> str:
    pairs = (
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd></div>"
        for name, value in facts.items()
    )
    return f"<dl>{''.join(pairs)}</dl>" if facts else ""


def _scrolled(drawing: str) -> str:
    return f'<div class="scroll" tabindex="0">{drawing}</div>'


def _summarised(sentences: Sequence[str]) -> str:
    entries = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="summary" aria-label="Summary">{entries}</ul>' if entries else ""


def _contents(headings: Sequence[tuple[int, str]]) -> str:
    """Return links to the headings of level 2 and 3, if there are enough to need them."""
    if sum(level == 2 for level, _ in headings) < FEWEST_CONTENTS:
        return ""
    links = "".join(
        f'<li class="level-{level}"><a href="#section-{number}">{html.escape(text)}</a></li>'
        for number, (level, text) in enumerate(headings, start=1)
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def _download(table: Table) -> str:
    """Return a link that saves the rows of a table, all that is known of them, as CSV."""
    if not table.rows:
        return ""
    name = html.escape(f"{table.name}.csv")
    data = quote(table.to_csv())
    return (
        f'<p class="download"><a download="{name}" href="data:text/csv;charset=utf-8,{data}">'
        f"Download {name}</a></p>"
    )


# The colours of every page, on light and on dark.
THEME = """\
:root { color-scheme: light dark; --ink: #1a1a1b; --paper: #fff; --soft: #f5f5f7; --line: #dcdce1;
  --dim: #5c5c63; --link: #0b62a8; --warn: #8a4b00; --warn-paper: #fff4e0; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e9; --paper: #17181a; --soft: #202125; --line: #3a3b40; --dim: #a2a2aa;
    --link: #7cb8ee; --warn: #ffc370; --warn-paper: #33260f; }
}
"""

_STYLE = """\
@media (prefers-color-scheme: dark) { svg { filter: brightness(1.25); } }
* { box-sizing: border-box; }
body { color: var(--ink); background: var(--paper); font: 16px/1.55 system-ui, sans-serif;
  max-width: 72rem; margin: 0 auto; padding: 1rem clamp(1rem, 4vw, 2rem) 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 3rem 0 .8rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.8rem 0 .5rem; overflow-wrap: anywhere; }
p, li { max-width: 46rem; }
ul { padding-left: 1.2rem; } li { margin: .3rem 0; }
a { color: var(--link); }
.summary { background: var(--soft); border-radius: .4rem; padding: .7rem 1rem .7rem 2rem; }
nav ul { list-style: none; padding: 0; columns: 15rem auto; font-size: .9rem; }
nav li { margin: 0; break-inside: avoid; } nav .level-3 { padding-left: 1rem; }
nav a { text-decoration: none; }
.download { font-size: .8rem; margin: -.5rem 0 1.2rem; }
footer { margin-top: 3rem; font-size: .9rem; color: var(--dim); overflow-wrap: anywhere; }
.warning { color: var(--warn); background: var(--warn-paper); border-left: 4px solid;
  padding: .6rem .9rem; border-radius: .3rem; font-weight: 600; }
dl { display: flex; flex-wrap: wrap; gap: .2rem 1.6rem; margin: .5rem 0 1rem; font-size: .9rem; }
dl div { display: flex; gap: .45rem; min-width: 0; }
dt { color: var(--dim); } dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums;
  margin: .8rem 0; }
caption { text-align: left; padding: .4rem 0; font-weight: 600;
  position: sticky; left: 0; max-width: min(46rem, 100vw - 2rem); }
th, td { padding: .25rem 1rem .25rem .4rem; text-align: left; white-space: nowrap; }
thead th { color: var(--dim); font-weight: 600; border-bottom: 1px solid var(--dim); }
tbody tr { background: var(--paper); } tbody tr:nth-child(even) { background: var(--soft); }
@media (min-width: 40em) {
  td:first-child { position: sticky; left: 0; background: inherit; }
}
figure { margin: 1.4rem 0; min-width: 0; }
figcaption { font-size: .9rem; color: var(--dim); max-width: 46rem; margin-top: .3rem; }
svg { display: block; height: auto; fill: currentColor; }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; max-width: 46rem; }
details caption { display: none; }
input { font: inherit; color: inherit; background: var(--soft); border: 1px solid var(--line);
  border-radius: .4rem; width: 100%; padding: .5rem .7rem; margin: .5rem 0; }
article { border-top: 1px solid var(--line); padding: .2rem 0 .8rem; scroll-margin-top: 1rem; }
article:target { border-top: 2px solid var(--link); }
article h3 { margin: .8rem 0 .2rem; }
.pair { display: flex; flex-wrap: wrap; gap: 0 2rem; align-items: flex-start; }
.grid { display: grid; gap: 0 2rem;
  grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)); }
"""

_SEARCH = (
    '<input type="search" placeholder="Show only those with&nbsp;…" aria-label="filter">'
    '<p role="status"></p>'
)

_SCRIPT = """
<script>
const cards = [...document.querySelectorAll("article")].map(card => [card, [
  ...card.querySelectorAll("h3, dl, td")].map(part => part.textContent).join(" ").toLowerCase()]);
document.querySelector("input").addEventListener("input", event => {
  const wanted = event.target.value.toLowerCase();
  for (const [card, text] of cards) card.hidden = !text.includes(wanted);
  document.querySelector("[role=status]").textContent = cards.every(([card]) => card.hidden)
    ? `None of the ${cards.length} on this page matches "${event.target.value}".` : "";
});
</script>"""

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}{script}
</body>
</html>
"""
