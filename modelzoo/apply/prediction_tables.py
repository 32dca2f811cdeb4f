"""Predictions as Parquet and AnnData, written while they are made."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from modelzoo.apply.predict import Prediction, Predictions
from modelzoo.tracks.anndata import write_anndata
from modelzoo.tracks.parquet import parquet_writer

ROWS = 1 << 14  # of a row group: as many predictions are in memory
_TYPES = {"id": "string", "chrom": "string", "start": "int64", "end": "int64", "strand": "string"}

Write = Callable[[Sequence[Prediction]], None]


def saving(
    made: Predictions,
    found: Iterable[Prediction],
    path: Path,
    formats: Sequence[str],
    about: Mapping[str, str],
) -> Generator[Prediction, None, None]:
    """Yield predictions; once all are taken, they are in tables beside their TSV file too.

    Args:
        made: Names the columns and tasks.
        found: The predictions.
        path: The TSV file; only its ending is changed.
        formats: `"parquet"` and `"h5ad"`.
        about: What the predictions are of.
    """
    found = iter(found)
    with ExitStack() as stack:
        writes = [
            stack.enter_context(_TABLES[name](made, path.with_suffix(f".{name}"), about))
            for name in formats
        ]
        while block := list(islice(found, ROWS)):
            for write in writes:
                write(block)
            yield from block


@contextmanager
def _parquet(made: Predictions, path: Path, about: Mapping[str, str]) -> Iterator[Write]:
    import pyarrow

    schema = pyarrow.schema([(name, _TYPES.get(name, "float")) for name in made.columns])

    def write(block: Sequence[Prediction]) -> None:
        columns = list(zip(*map(_row, block)))
        writer.write_table(pyarrow.table(columns, schema=schema))

    with parquet_writer(path, schema, about) as writer:
        yield write


@contextmanager
def _anndata(made: Predictions, path: Path, about: Mapping[str, str]) -> Iterator[Write]:
    """Keep all rows: AnnData is written from memory."""
    peaks: dict[str, list[Any]] = {name: [] for name in made.columns if name in _TYPES}
    outputs = [np.empty((0, len(made.tasks)), np.float32)]

    def write(block: Sequence[Prediction]) -> None:
        for column, values in zip(peaks.values(), zip(*map(_row, block))):
            column += values
        outputs.append(np.array([one.logits for one in block], np.float32))

    yield write
    write_anndata(peaks, np.concatenate(outputs), made.tasks, path, about)


def _row(one: Prediction) -> list[Any]:
    """Return the values of its columns."""
    return [one.name, *(one.interval or ())[:4], *one.numbers]


_TABLES = {"parquet": _parquet, "h5ad": _anndata}
