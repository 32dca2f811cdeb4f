"""Results put back where they lie in the genome: on the forward strand, overlaps averaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from modelzoo.sequences import Interval

TILE = 1024  # positions; results leave in tiles of one width, because writers take arrays
GROUP = 1 << 20  # positions of windows that are in memory at once, or a few more


def forward(interval: Interval, values: np.ndarray) -> np.ndarray:
    """Return what was computed along a window as it lies on the forward strand.

    Args:
        interval: The window; only the minus strand is turned.
        values: Shape (L,), or (4, L) with the letters A, C, G, T, which are complemented too.
    """
    return values[(slice(None, None, -1),) * values.ndim] if interval.strand == "-" else values


def columns(intervals: Sequence[Interval]) -> dict[str, list[Any]]:
    """Return the columns `chrom`, `start`, `end`, `strand` and `name` of a table of intervals."""
    return {
        "chrom": [interval.chrom for interval in intervals],
        "start": [interval.start for interval in intervals],
        "end": [interval.end for interval in intervals],
        "strand": [interval.strand for interval in intervals],
        "name": [interval.label for interval in intervals],
    }


def averaged(
    intervals: Sequence[Interval], values: Any, sizes: Mapping[str, int]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield chromosome, starts (k,) and values (k, TILE) of tiles that hold results, in order.

    A position in several windows gets the mean over them; a position in none is NaN. What lies
    beyond a chromosome is left out. Tiles start at multiples of their width and none comes twice.

    Args:
        intervals: The windows, in any order.
        values: A row per window, (n, L), as read on the window's strand; an array or a dataset.
        sizes: The length of each chromosome; its order is that of the result.

    Raises:
        ValueError: A chromosome has no size, or a row is not as long as its window.
    """
    ranks = {chrom: rank for rank, chrom in enumerate(sizes)}
    if missing := sorted({interval.chrom for interval in intervals} - sizes.keys()):
        raise ValueError(f"sizes: expected one of every chromosome, got none of {missing[0]!r}")
    order = sorted(range(len(intervals)), key=lambda i: (ranks[intervals[i].chrom], intervals[i]))
    for group in _groups(order, intervals):
        chrom = intervals[group[0]].chrom
        spans = [_clipped(intervals[row], sizes[chrom]) for row in group]
        held = [np.arange(a // TILE, -(-b // TILE)) for a, b in spans if a < b]
        numbers = np.unique(np.concatenate([np.empty(0, int), *held]))
        sums = np.zeros(len(numbers) * TILE)
        counts = np.zeros(len(numbers) * TILE, int)
        for row, (start, end) in zip(group, spans):
            interval = intervals[row]
            line = forward(interval, np.asarray(values[row]))
            if line.shape != (interval.width,):
                expected = f"expected {interval.width} per row of {interval}"
                raise ValueError(f"values: {expected}, got shape {line.shape}")
            if start < end:
                first = int(np.searchsorted(numbers, start // TILE)) * TILE + start % TILE
                place = slice(first, first + end - start)
                sums[place] += line[start - interval.start : end - interval.start]
                counts[place] += 1
        means = np.where(counts, sums / np.maximum(counts, 1), np.nan)
        yield chrom, numbers * TILE, means.reshape(-1, TILE).astype(np.float32)


def _groups(order: Sequence[int], intervals: Sequence[Interval]) -> Iterator[list[int]]:
    """Yield rows of one chromosome that share no tile with those of the next group."""
    group: list[int] = []
    furthest = 0
    for row in order:
        interval = intervals[row]
        if group:
            apart = max(interval.start, 0) // TILE > (furthest - 1) // TILE
            full = len(group) * interval.width >= GROUP
            if interval.chrom != intervals[group[0]].chrom or (full and apart):
                yield group
                group, furthest = [], 0
        group.append(row)
        furthest = max(furthest, interval.end)
    if group:
        yield group


def _clipped(interval: Interval, size: int) -> tuple[int, int]:
    return max(interval.start, 0), min(interval.end, size)
