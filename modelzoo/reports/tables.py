"""Tables that are written once and read as CSV, Markdown, LaTeX and HTML."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelzoo.studies.peaks.scores import Row

Format = Callable[[Row], str]

MISSING = "–"
_LATEX = str.maketrans(
    {"_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "–": "--", "±": r"$\pm$", "−": "$-$"}
)


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        name: Name of the files.
        caption: What it shows, in a sentence.
        columns: Heading and text of each column.
        rows: What the texts are made from.
    """

    name: str
    caption: str
    columns: Sequence[tuple[str, Format]]
    rows: Sequence[Row]

    @property
    def headings(self) -> list[str]:
        """The headings."""
        return [heading for heading, _ in self.columns]

    def cells(self) -> list[list[str]]:
        """The text of every cell, row by row."""
        return [[text(row) for _, text in self.columns] for row in self.rows]

    def csv(self) -> str:
        """Everything known about each row, in full precision."""
        keys = list(dict.fromkeys(key for row in self.rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return text.getvalue()

    def markdown(self) -> str:
        """A pipe table with its caption."""
        lines = [self.headings, ["---"] * len(self.columns), *self.cells()]
        body = "\n".join("| " + " | ".join(line) + " |" for line in lines)
        return f"{self.caption}\n\n{body}\n"

    def latex(self) -> str:
        """A `table` for the `booktabs` package."""
        lines = [" & ".join(c.translate(_LATEX) for c in line) + r" \\" for line in self.cells()]
        head = " & ".join(c.translate(_LATEX) for c in self.headings) + r" \\"
        return "\n".join(
            [
                r"\begin{table}",
                rf"\caption{{{self.caption.translate(_LATEX)}}}",
                rf"\begin{{tabular}}{{{'l' * len(self.columns)}}}",
                r"\toprule",
                head,
                r"\midrule",
                *lines,
                r"\bottomrule",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )

    def html(self) -> str:
        """A `table` in a frame that scrolls sideways where the screen is narrow."""
        head = "".join(f"<th>{html.escape(h)}</th>" for h in self.headings)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in line) + "</tr>"
            for line in self.cells()
        )
        caption = html.escape(self.caption)
        return (
            f'<div class="scroll" tabindex="0"><table id="{self.name}"><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
        )

    def save(self, folder: Path) -> None:
        """Write `.csv`, `.md` and `.tex`.

        Args:
            folder: An existing folder.
        """
        for ending, text in (("csv", self.csv()), ("md", self.markdown()), ("tex", self.latex())):
            (folder / f"{self.name}.{ending}").write_text(text, encoding="utf-8")


def plain(key: str) -> Format:
    """The value as it is.

    Args:
        key: Which one.
    """
    return lambda row: MISSING if row[key] is None else str(row[key])


def number(key: str, digits: int = 3, *, sign: bool = False) -> Format:
    """A number with so many decimals.

    Args:
        key: Which one.
        digits: Decimals.
        sign: Show a plus as well.
    """
    return lambda row: _text(row.get(key), digits, sign)


def with_interval(key: str, low: str, high: str, digits: int = 3, *, sign: bool = False) -> Format:
    """A number with its interval.

    Args:
        key: The number.
        low: Lower end.
        high: Upper end.
        digits: Decimals.
        sign: Show a plus as well.
    """

    def text(row: Row) -> str:
        if row.get(key) is None:
            return MISSING
        ends = (_text(row[end], digits, sign) for end in (low, high))
        return f"{_text(row[key], digits, sign)} ({', '.join(ends)})"

    return text


def probability(key: str) -> Format:
    """A p value: three decimals, a power of ten where it is smaller.

    Args:
        key: Which one.
    """

    def text(row: Row) -> str:
        value = row.get(key)
        if value is None:
            return MISSING
        return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"

    return text


def _text(value: Any, digits: int, sign: bool) -> str:
    if value is None:
        return MISSING
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return text.replace("-", "−")
