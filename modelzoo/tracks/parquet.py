"""Parquet: tables with typed columns and with what they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelzoo.files import replacing


def write_parquet(
    columns: Mapping[str, Sequence[Any]], path: Path, about: Mapping[str, Any] | None = None
) -> None:
    """Write a table.

    Args:
        columns: Arrays or lists of one length, by name.
        path: The file.
        about: What the table is of, such as model and version; kept as the schema's metadata.
    """
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table(dict(columns))
    if about:
        table = table.replace_schema_metadata({key: str(value) for key, value in about.items()})
    with replacing(path) as part:
        parquet.write_table(table, part, compression="zstd")
