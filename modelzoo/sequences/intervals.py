"""Intervals of a genome, and the files that list them: BED, narrowPeak, broadPeak and tables."""

from __future__ import annotations

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from modelzoo.sequences.text import at, lines, whole

Center = Literal["summit", "middle"]

BED = ("bed", "narrowpeak", "broadpeak")  # endings of files without a header
TABLES = {"tsv": "\t", "csv": ","}  # endings of files with one, and their delimiters

_BED_FIELDS = ("chrom", "start", "end", "name", "score", "strand")
_NARROW_PEAK = 10  # columns; the last is the summit's distance from the start, -1 for none
_NUMBERS = ("start", "end", "summit")


class Interval(NamedTuple):
    """Positions `start` to `end` of a chromosome, counted from 0, `end` not included.

    Attributes:
        strand: `+`, `-`, or `.` where there is none.
        name: Empty where the file gives none.
        summit: The position of the peak's summit on the chromosome, if the file knows it.
    """

    chrom: str
    start: int
    end: int
    strand: str = "."
    name: str = ""
    summit: int | None = None

    def __str__(self) -> str:
        """Return `chrom:start-end`."""
        return f"{self.chrom}:{self.start}-{self.end}"

    @property
    def width(self) -> int:
        """The number of positions."""
        return self.end - self.start

    @property
    def label(self) -> str:
        """The name, or `chrom:start-end` where there is none."""
        return self.name or str(self)

    def window(self, width: int, center: Center | None = None) -> Interval:
        """Return the window of `width` positions around the interval's center.

        It may reach beyond the chromosome.

        Args:
            width: At least 1.
            center: `"summit"`, `"middle"`, or None for the summit where there is one.
        """
        if width < 1:
            raise ValueError(f"width: expected at least 1, got {width}")
        if center == "summit" and self.summit is None:
            raise ValueError(f"center: expected a summit, got none for {self}")
        if self.summit is None or center == "middle":
            middle = (self.start + self.end) // 2
        else:
            middle = self.summit
        start = middle - width // 2
        return self._replace(start=start, end=start + width)


class Regions:
    """Intervals to keep away from, such as a blacklist.

    Args:
        intervals: In any order; they may overlap.
    """

    def __init__(self, intervals: Iterable[Interval]) -> None:
        listed: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for interval in intervals:
            listed[interval.chrom].append((interval.start, interval.end))
        self._starts: dict[str, list[int]] = {}
        self._ends: dict[str, list[int]] = {}  # the furthest end of all that start up to there
        for chrom, pairs in listed.items():
            pairs.sort()
            self._starts[chrom] = [start for start, _ in pairs]
            furthest = 0
            self._ends[chrom] = [furthest := max(furthest, end) for _, end in pairs]

    def overlap(self, interval: Interval) -> bool:
        """Return whether one of them shares a position with an interval."""
        index = bisect_right(self._starts.get(interval.chrom, []), interval.end - 1)
        return index > 0 and self._ends[interval.chrom][index - 1] > interval.start


def holds_intervals(path: str | Path) -> bool:
    """Return whether a file's name is one of a list of intervals."""
    return ending(path) in (*BED, *TABLES)


def ending(path: str | Path) -> str:
    """Return the end of a file's name, in lower case, without `.gz`."""
    return Path(path).name.lower().removesuffix(".gz").rpartition(".")[2]


def read_intervals(path: str | Path) -> Iterator[Interval]:
    """Yield the intervals of a file.

    Raises:
        ValueError: A line is malformed; the message names file, line and cause.
    """
    rows, parse = interval_rows(path)
    for line, text in rows:
        try:
            yield parse(whole(text))
        except ValueError as error:
            raise at(path, line, error) from None


def interval_rows(
    path: str | Path,
) -> tuple[Iterator[tuple[int, str]], Callable[[str], Interval]]:
    """Return (number of the line, text) of each interval of a file, and what reads such a text.

    Args:
        path: `.bed`, `.narrowPeak` and `.broadPeak` are read as BED, where ten columns are a
            narrowPeak's; `.tsv` and `.csv` need a header with chrom, start, end, and
            may have strand, name, summit (a position on the chromosome). Each also as `.gz`.
            Positions count from 0 and the end is not included.
    """
    suffix = ending(path)
    if suffix not in TABLES:
        return ((line, text) for line, text in lines(path) if not _is_comment(text)), _of_bed
    delimiter = TABLES[suffix]
    rows = ((line, text) for line, text in lines(path) if text.strip())
    line, header = next(rows, (1, ""))
    fields = next(csv.reader([header.removeprefix("#")], delimiter=delimiter))
    if missing := [name for name in ("chrom", "start", "end") if name not in fields]:
        cause = f"expected a header with chrom, start, end, got one without {', '.join(missing)}"
        raise at(path, line, cause)

    def of_table(text: str) -> Interval:
        values = next(csv.reader([text], delimiter=delimiter))
        if len(values) != len(fields):
            raise ValueError(f"expected {len(fields)} columns, got {len(values)}")
        return _interval(dict(zip(fields, values)))

    return rows, of_table


def _is_comment(text: str) -> bool:
    """Return whether a line of a BED file holds no interval.

    A chromosome may be called `track`: such a line has start and end, one for a browser has none.
    """
    first, *columns = text.split(maxsplit=3) or [""]
    placed = text.count("\t") > 1 or (len(columns) > 1 and all(map(_is_number, columns[:2])))
    header = first in ("track", "browser") and not placed
    return not first or first.startswith("#") or header


def _of_bed(text: str) -> Interval:
    fields: Sequence[str] = text.split("\t") if "\t" in text else text.split()
    if len(fields) < 3:
        raise ValueError(f"expected chrom, start, end, got {len(fields)} column(s)")
    values = dict(zip(_BED_FIELDS, fields))
    if len(fields) != _NARROW_PEAK or fields[9] == "-1":
        return _interval(values)
    if not _is_number(fields[9]):
        raise ValueError(f"expected the summit's distance from the start, got {fields[9]!r}")
    interval = _interval(values)
    return _checked(interval._replace(summit=interval.start + int(fields[9])))


def _interval(values: dict[str, str]) -> Interval:
    given = [values[name] for name in _NUMBERS if values.get(name, "") not in ("", ".")]
    if not all(map(_is_number, given)) or len(given) < 2:
        raise ValueError(f"expected integers, got {', '.join(map(repr, given))}")
    strand = values.get("strand") or "."
    if strand not in ("+", "-", "."):
        raise ValueError(f"expected the strand to be +, - or ., got {strand!r}")
    name = values.get("name", "")
    return _checked(
        Interval(
            values["chrom"],
            int(values["start"]),
            int(values["end"]),
            strand,
            "" if name == "." else name,
            int(given[2]) if len(given) > 2 else None,
        )
    )


def _checked(interval: Interval) -> Interval:
    summit = interval.summit
    if summit is not None and not interval.start <= summit < interval.end:
        raise ValueError(f"expected the summit inside {interval}, got {summit}")
    return interval


def _is_number(text: str) -> bool:
    """Return whether a text is an integer as files write it; Python also takes `1_0`."""
    return text.removeprefix("-").isdecimal() and text.isascii()
