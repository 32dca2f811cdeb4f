"""Tables that are written once and read as CSV, Markdown, LaTeX and HTML."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Format = Callable[[Row], str]
Column = tuple[str, Format]

MISSING = "–"
_LATEX = str.maketrans(
    {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "–": "--", "±": r"$\pm$", "−": "$-$"}
)


class Html(str):
    """The text of a cell that is HTML already."""


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Attributes:
        name: Name of the files.
        caption: A sentence that says what the table shows; may be empty.
        columns: Heading of each column, and the function that writes its cells.
        rows: What the cells are written from.
        latex: Write a LaTeX file as well.
    """

    name: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    latex: bool = False

    @property
    def headings(self) -> list[str]:
        """The headings."""
        return [heading for heading, _ in self.columns]

    def cells(self) -> list[list[str]]:
        """Return the text of every cell, row by row."""
        return [[text(row) for _, text in self.columns] for row in self.rows]

    def to_csv(self) -> str:
        """Return everything known about each row, in full precision."""
        return to_csv(self.rows)

    def to_markdown(self) -> str:
        """Return a pipe table below its caption."""
        return f"{self.caption}\n\n{to_markdown(self.headings, self.cells())}".lstrip("\n")

    def to_latex(self) -> str:
        """Return a `table` for the `booktabs` package."""
        head, *body = (
            " & ".join(cell.translate(_LATEX) for cell in line) + r" \\"
            for line in (self.headings, *self.cells())
        )
        return "\n".join(
            [
                r"\begin{table}",
                rf"\caption{{{self.caption.translate(_LATEX)}}}",
                rf"\begin{{tabular}}{{{'l' * len(self.columns)}}}",
                r"\toprule",
                head,
                r"\midrule",
                *body,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def to_html(self) -> str:
        """Return a `table` in a frame that scrolls sideways where the screen is narrow."""
        head = "".join(f"<th>{_escaped(heading)}</th>" for heading in self.headings)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in line) + "</tr>"
            for line in self.cells()
        )
        caption = f"<caption>{_escaped(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div class="scroll" tabindex="0"><table id="table-{_escaped(self.name)}">{caption}'
            f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
        )

    def save(self, folder: Path) -> None:
        """Write `.csv` and `.md`, and `.tex` if asked for.

        Args:
            folder: An existing folder.
        """
        texts = {"csv": self.to_csv(), "md": self.to_markdown()}
        if self.latex:
            texts["tex"] = self.to_latex()
        for ending, text in texts.items():
            (folder / f"{self.name}.{ending}").write_text(text, encoding="utf-8")


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV, with a column for every key that any of them has."""
    text = io.StringIO()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, keys, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def to_markdown(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Return a pipe table of cells."""
    every = [headings, ["---"] * len(headings), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in every)


def plain(key: str) -> Format:
    """Return a format: the value as it is."""
    return lambda row: MISSING if row[key] is None else str(row[key])


def linked(key: str) -> Format:
    """Return a format: the value, as a link to the card or figure of that name on the page."""

    def text(row: Row) -> str:
        name = _escaped(str(row[key]))
        return Html(f'<a href="#{name}">{name}</a>')

    return text


def number(key: str, digits: int = 3, *, sign: bool = False) -> Format:
    """Return a format: a number with so many decimals.

    Args:
        key: Key of the number.
        digits: Decimals.
        sign: Show a plus as well.
    """
    return lambda row: _number(row.get(key), digits, sign)


def with_interval(key: str, low: str, high: str, digits: int = 3, *, sign: bool = False) -> Format:
    """Return a format: a number with its interval in brackets.

    Args:
        key: Key of the number.
        low: Key of the interval's lower end.
        high: Key of its upper end.
        digits: Decimals.
        sign: Show a plus as well.
    """

    def text(row: Row) -> str:
        if row.get(key) is None:
            return MISSING
        ends = (_number(row[end], digits, sign) for end in (low, high))
        return f"{_number(row[key], digits, sign)} ({', '.join(ends)})"

    return text


def probability(key: str) -> Format:
    """Return a format: a p value with three decimals, as a power of ten where it is smaller.

    Far in a tail the normal approximation says nothing of how small a value is.
    """

    def text(row: Row) -> str:
        value = row.get(key)
        if value is None:
            return MISSING
        if value < 1e-99:
            return "< 1e-99"
        return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"

    return text


def _number(value: Any, digits: int, sign: bool) -> str:
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "−")


def _escaped(text: str) -> str:
    return text if isinstance(text, Html) else html.escape(text)
