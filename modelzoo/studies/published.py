"""The tables that the papers published, in `published/`."""

from __future__ import annotations

import csv
from functools import cache
from importlib import resources


@cache
def published(name: str) -> list[dict[str, str]]:
    """Return the rows of one of the tables.

    Args:
        name: Name of the file without `.csv`.
    """
    file = resources.files("modelzoo.studies") / "published" / f"{name}.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
