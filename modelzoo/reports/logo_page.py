"""One HTML page of logos to look through: self-contained, light and dark, no network."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Entry(NamedTuple):
    """A logo and what is said of it."""

    title: str
    facts: Mapping[str, str]
    figure: Figure


_PAGE = Template("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 75rem; margin: auto; padding: 1rem; }
  input { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem .6rem; }
  figure { margin: 1.5rem 0; }
  figcaption b { overflow-wrap: anywhere; }
  div { overflow-x: auto; background: white; border-radius: .4rem; }
  img { display: block; width: 100%; min-width: 40rem; }
  small { opacity: .75; }
</style>
<h1>$title</h1>
<p>$facts</p>
<input type="search" placeholder="Show only names with&nbsp;…" aria-label="filter by name">
$figures
<script>
  document.querySelector("input").addEventListener("input", event => {
    const wanted = event.target.value.toLowerCase();
    for (const figure of document.querySelectorAll("figure"))
      figure.hidden = !figure.querySelector("b").textContent.toLowerCase().includes(wanted);
  });
</script>
</html>
""")

_FIGURE = Template("""\
<figure>
  <figcaption><b>$title</b> <small>$facts</small></figcaption>
  <div><img alt="logo of $title" src="data:image/svg+xml;base64,$image"></div>
</figure>
""")


def write_page(path: Path, title: str, facts: Mapping[str, str], entries: Iterable[Entry]) -> None:
    """Writes the page; there is no page until it is whole.

    Args:
        path: The HTML file.
        title: Its heading.
        facts: Names and values, below the heading.
        entries: The logos, in their order.
    """
    figures = "".join(
        _FIGURE.substitute(
            title=escape(entry.title), facts=_facts(entry.facts), image=_svg(entry.figure)
        )
        for entry in entries
    )
    page = _PAGE.substitute(title=escape(title), facts=_facts(facts), figures=figures)
    partial = path.with_suffix(".partial")
    partial.write_text(page, encoding="utf-8")
    partial.replace(path)


def _facts(facts: Mapping[str, str]) -> str:
    return " · ".join(f"{escape(name)} {escape(value)}" for name, value in facts.items())


def _svg(figure: Figure) -> str:
    buffer = BytesIO()
    figure.savefig(buffer, format="svg")
    return base64.b64encode(buffer.getvalue()).decode()
