"""A report as a folder: the page, and its tables, figures and numbers as files beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from modelzoo.files import write_atomically
from modelzoo.reports import figures
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Table

_DIGITS = 6  # more than any statement needs, fewer than rounding in another order can touch


class Report(Page):
    """A page whose tables and figures are also files in `tables/` and `figures/`.

    Args:
        folder: Folder of the report, created if missing.
        title: Heading of the page.
    """

    def __init__(self, folder: Path, title: str) -> None:
        super().__init__(title)
        self.folder = folder
        for name in ("tables", "figures"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def table(self, table: Table, *, folded: bool = False) -> None:
        """Add a table, and write it."""
        table.save(self.folder / "tables")
        super().table(table, folded=folded)

    def figure(self, figure: Figure, name: str, caption: str) -> None:
        """Add a figure, and write it."""
        figures.save(figure, self.folder / "figures", name)
        super().figure(figure, name, caption)

    def finish(self) -> Path:
        """Write `index.html`, and return its path."""
        return self.write(self.folder / "index.html")


def write_json(path: Path, value: Any) -> None:
    """Write a value, its numbers rounded so that another order of sums gives the same bytes."""
    write_atomically(path, (json.dumps(rounded(value), indent=1) + "\n").encode())


def rounded(value: Any) -> Any:
    """Return a value with its numbers rounded to six digits, lists and dictionaries within too."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(entry) for entry in value]
    return value
