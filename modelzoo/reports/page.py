"""The page of a report: headings, text, tables and figures, in one file that opens anywhere."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from modelzoo.files import write_atomically
from modelzoo.reports.tables import Table
from modelzoo.studies.peaks import figures

_DIGITS = 6  # more than any statement needs, fewer than rounding in another order can touch


@dataclass
class Page:
    """What a report consists of, in order; tables and figures are files as well.

    Attributes:
        folder: Of the report, made if need be.
        parts: HTML.
    """

    folder: Path
    parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("tables", "figures"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading."""
        self.parts.append(f"<h{level}>{html.escape(text)}</h{level}>")

    def paragraph(self, text: str) -> None:
        """Add a paragraph."""
        self.parts.append(f"<p>{html.escape(text)}</p>")

    def items(self, texts: Sequence[str]) -> None:
        """Add a list."""
        self.parts.append("<ul>" + "".join(f"<li>{html.escape(t)}</li>" for t in texts) + "</ul>")

    def table(self, table: Table, *, folded: bool = False) -> None:
        """Add a table, and write it; folded, it opens when asked to."""
        table.save(self.folder / "tables")
        text = table.html()
        if folded:
            summary = html.escape(table.caption)
            text = f"<details><summary>{summary}</summary>{text}</details>"
        self.parts.append(text)

    def figure(self, figure: Figure, name: str, caption: str) -> None:
        """Add a figure, and write it."""
        figures.save(figure, self.folder / "figures", name)
        drawing = figures.inline(figure, name)
        text = html.escape(caption)
        self.parts.append(
            f'<figure id="{name}"><div class="scroll" tabindex="0">{drawing}</div>'
            f"<figcaption>{text}</figcaption></figure>"
        )

    def write(self, title: str) -> Path:
        """Write `index.html` and return its path."""
        text = _TEMPLATE.replace("<!-- title -->", html.escape(title))
        index = self.folder / "index.html"
        write_atomically(index, text.replace("<!-- report -->", "\n".join(self.parts)).encode())
        return index


def write_json(path: Path, value: Any) -> None:
    """Write a value, its numbers rounded so that another order of sums gives the same bytes."""
    write_atomically(path, (json.dumps(_rounded(value), indent=1) + "\n").encode())


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value


_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title><!-- title --></title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #1a1a1b; --paper: #fff; --line: #d8d8dc; --soft: #f4f4f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e9; --paper: #17181a; --line: #3a3b40; --soft: #222327; }
}
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif;
  max-width: 66rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
p, li { max-width: 44rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .4rem 0; font-weight: 600; }
th, td { padding: .2rem .7rem .2rem 0; text-align: left; white-space: nowrap; }
thead th { border-bottom: 1px solid var(--ink); position: sticky; top: 0; }
tbody tr:nth-child(even) { background: var(--soft); }
figure { margin: 1.2rem 0; } figcaption { font-size: .9rem; }
svg { display: block; height: auto; font-family: system-ui, sans-serif; }
details { margin: 1rem 0; } summary { cursor: pointer; font-weight: 600; }
</style>
</head>
<body>
<h1><!-- title --></h1>
<!-- report -->
</body>
</html>
"""
