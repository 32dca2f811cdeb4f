"""Parquet: tables with typed columns and with what they are of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelzoo.files import replacing


@contextmanager
def parquet_writer(
    path: Path, schema: Any, about: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """Open a `pyarrow.parquet.ParquetWriter`, whose file is at `path` once it is whole.

    Args:
        path: The file.
        schema: A `pyarrow.Schema`.
        about: What the table is of, such as model and version; kept as the schema's metadata.
    """
    from pyarrow import parquet

    schema = schema.with_metadata({key: str(value) for key, value in (about or {}).items()})
    with (
        replacing(path) as part,
        parquet.ParquetWriter(part, schema, compression="zstd") as writer,
    ):
        yield writer


def write_parquet(
    columns: Mapping[str, Sequence[Any]], path: Path, about: Mapping[str, Any] | None = None
) -> None:
    """Write a table.

    Args:
        columns: Arrays or lists of one length, by name.
        path: The file.
        about: See `parquet_writer`.
    """
    import pyarrow

    table = pyarrow.table(dict(columns))
    with parquet_writer(path, table.schema, about) as writer:
        writer.write_table(table)
