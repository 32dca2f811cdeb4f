"""Tables as tab-separated text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO


def write_tsv(file: IO[str], columns: Iterable[str], rows: Iterable[Iterable[str]]) -> int:
    """Write a table row by row; return how many rows there are besides the header.

    Args:
        file: Open for writing.
        columns: The header.
        rows: The cells of each row.
    """
    count = 0
    file.write("\t".join(columns) + "\n")
    for row in rows:
        file.write("\t".join(row) + "\n")
        count += 1
    return count
