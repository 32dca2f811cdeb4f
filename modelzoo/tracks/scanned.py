"""The registry of the formats that the tracks of a scan are written in.

To add a format, write a function of a `Scanned` and of its files' paths with `@register`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from modelzoo.sequences import Interval
from modelzoo.tracks.bigwig import write_bedgraph, write_bigwig
from modelzoo.tracks.parquet import parquet_writer
from modelzoo.tracks.whole_h5 import whole_h5

TRACKS = ("predictions", "attributions")


class Rows(Protocol):
    """The values of each stretch, read when they are asked for."""

    def __getitem__(self, number: int) -> np.ndarray:
        """Return predictions and attributions of a stretch, (2, bases), NaN where there is none."""


@dataclass(frozen=True)
class Scanned:
    """The tracks of a scan.

    Attributes:
        intervals: Stretches of the genome, in its order; no base is in two of them.
        values: Of each stretch.
        sizes: The length of every chromosome.
        about: What the tracks are of, such as model and step.
    """

    intervals: Sequence[Interval]
    values: Rows
    sizes: Mapping[str, int]
    about: Mapping[str, Any]

    def __iter__(self) -> Iterator[tuple[Interval, np.ndarray]]:
        """Yield stretches with their values."""
        return ((one, self.values[row]) for row, one in enumerate(self.intervals))


class Format(NamedTuple):
    """How the tracks of a scan are written.

    Attributes:
        files: The names of the files: one for each track, or one for both.
        write: Writes them, given a path for each.
    """

    files: tuple[str, ...]
    write: Callable[..., None]

    def paths(self, folder: Path) -> list[Path]:
        """Return the paths of the files in a folder."""
        return [folder / name for name in self.files]


FORMATS: dict[str, Format] = {}


def register(name: str, *files: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that puts a format into `FORMATS`.

    Args:
        name: Of the format.
        files: See `Format`.
    """

    def decorate(write: Callable[..., None]) -> Callable[..., None]:
        FORMATS[name] = Format(files, write)
        return write

    return decorate


def chosen(formats: Sequence[str]) -> list[Format]:
    """Return the formats of these names, each once.

    Raises:
        ValueError: There is no format of a name, or no name.
    """
    known = ", ".join(FORMATS)
    if not formats:
        raise ValueError(f"formats: expected some of {known}, got none")
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f"formats: expected some of {known}, got {name!r}")
    return [FORMATS[name] for name in dict.fromkeys(formats)]


@register("bigwig", *(f"{track}.bw" for track in TRACKS))
def _bigwig(scanned: Scanned, *paths: Path) -> None:
    for row, path in enumerate(paths):
        write_bigwig(scanned.intervals, _Track(scanned.values, row), scanned.sizes, path)


@register("bedgraph", *(f"{track}.bedGraph" for track in TRACKS))
def _bedgraph(scanned: Scanned, *paths: Path) -> None:
    for row, path in enumerate(paths):
        write_bedgraph(scanned.intervals, _Track(scanned.values, row), scanned.sizes, path)


@register("hdf5", "tracks.h5")
def _hdf5(scanned: Scanned, path: Path) -> None:
    """Write `/chr1/predictions` and the like: (bases of the chromosome,) float32, NaN elsewhere."""
    with whole_h5(path) as file:
        file.attrs.update(scanned.about)
        for interval, values in scanned:
            for track, line in zip(TRACKS, values):
                data = file.require_dataset(
                    f"{interval.chrom}/{track}",
                    (scanned.sizes[interval.chrom],),
                    "f4",
                    fillvalue=np.nan,
                    chunks=True,
                    compression="gzip",
                    shuffle=True,
                )
                data[interval.start : interval.end] = line


@register("parquet", "tracks.parquet")
def _parquet(scanned: Scanned, path: Path) -> None:
    """Write a row per base that has a number in one of the tracks."""
    import pyarrow

    schema = pyarrow.schema(
        [
            ("chrom", pyarrow.dictionary(pyarrow.int32(), pyarrow.string())),
            ("start", pyarrow.int64()),
            *((track, pyarrow.float32()) for track in TRACKS),
        ]
    )
    chroms = pyarrow.array(list(scanned.sizes), pyarrow.string())
    ranks = {chrom: rank for rank, chrom in enumerate(scanned.sizes)}
    with parquet_writer(path, schema, scanned.about) as writer:
        for interval, values in scanned:
            held = np.flatnonzero(~np.isnan(values).all(0))
            numbers = np.full(len(held), ranks[interval.chrom], np.int32)
            columns = [
                pyarrow.DictionaryArray.from_arrays(numbers, chroms),
                pyarrow.array(interval.start + held),
                *(pyarrow.array(line[held], from_pandas=True) for line in values),
            ]
            writer.write_table(pyarrow.Table.from_arrays(columns, schema=schema))


@dataclass(frozen=True)
class _Track:
    """One of the tracks."""

    values: Rows
    row: int

    def __getitem__(self, number: int) -> np.ndarray:
        return self.values[number][self.row]
