"""Hits in genome coordinates: BED6 for a browser, and a table with everything that is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelzoo.files import replacing
from modelzoo.sequences import Interval

if TYPE_CHECKING:
    from pandas import DataFrame

SEQLET = "seqlet"  # in the place of a motif's name
NOTABLE = 8  # motifs of a window, at most
LEAST = 0.25  # of the largest contribution per position: motifs below are not notable
COLUMNS = ["chrom", "start", "end", "name", "attribution", "strand", "p_value", "windows"]
_PLACE = ["chrom", "start", "end", "name", "strand"]
_OTHER_STRAND = {"+": "-", "-": "+", ".": "."}


def placed(hits: DataFrame, intervals: Sequence[Interval]) -> DataFrame:
    """Return where hits lie in the genome: chrom, start, end, name and strand, a row per hit.

    Args:
        hits: With the columns sequence (the row of its window), start and stop, and where known
            motif and strand, all as read on the window's strand.
        intervals: The windows.
    """
    import pandas

    windows = [intervals[row] for row in hits["sequence"]]
    turned = np.array([window.strand == "-" for window in windows], bool)
    left = np.array([window.start for window in windows], int)
    right = np.array([window.end for window in windows], int)
    start, stop = hits["start"].to_numpy(int), hits["stop"].to_numpy(int)
    strands = hits["strand"] if "strand" in hits else ["."] * len(hits)
    return pandas.DataFrame(
        {
            "chrom": [window.chrom for window in windows],
            "start": np.maximum(np.where(turned, right - stop, left + start), 0),
            "end": np.where(turned, right - start, left + stop),
            "name": hits["motif"].to_numpy() if "motif" in hits else SEQLET,
            "strand": [_OTHER_STRAND[s] if turn else s for s, turn in zip(strands, turned)],
        }
    )


def placed_hits(hits: DataFrame, intervals: Sequence[Interval]) -> DataFrame:
    """Return hits where they lie in the genome, each once, with the columns `COLUMNS`.

    A hit that several windows hold has the mean of their attributions and the lowest p-value;
    `windows` counts them.

    Args:
        hits: As for `placed`, with attribution and p_value.
        intervals: The windows.
    """
    table = placed(hits, intervals).assign(
        attribution=hits["attribution"].to_numpy(float), p_value=hits["p_value"].to_numpy(float)
    )
    merged = table.groupby(_PLACE, as_index=False, sort=True).agg(
        attribution=("attribution", "mean"),
        p_value=("p_value", "min"),
        windows=("p_value", "size"),
    )
    return merged[COLUMNS]


def notable(hits: DataFrame, window: Interval) -> DataFrame:
    """Return the motifs of a window that matter, the one with most per position first.

    A sum would favour wide motifs. Of those that overlap, the one with more stays.

    Args:
        hits: As of `placed_hits`.
        window: Only what lies within counts.
    """
    inside = (hits["chrom"] == window.chrom) & (hits["name"] != SEQLET)
    inside &= (hits["start"] >= window.start) & (hits["end"] <= window.end)
    found = hits[inside]
    size = (found["attribution"] / (found["end"] - found["start"])).abs()
    ranked = found.assign(size=size).sort_values(
        ["size", "p_value"], ascending=[False, True], kind="stable"
    )
    ranked = ranked[ranked["size"] >= LEAST * size.max()]
    kept: list[tuple[int, int]] = []
    chosen = []
    for row, (start, end) in enumerate(zip(ranked["start"], ranked["end"])):
        if len(kept) < NOTABLE and all(end <= a or b <= start for a, b in kept):
            kept.append((start, end))
            chosen.append(row)
    return ranked.iloc[chosen].drop(columns="size")


def write_hits(hits: DataFrame, path: Path) -> Path:
    """Write the table as TSV, and beside it as BED6; return the BED file's path.

    The score of BED is the attribution's size.

    Args:
        hits: As of `placed_hits`.
        path: The TSV file.
    """
    with replacing(path) as part:
        hits.to_csv(part, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    return write_bed(hits.assign(score=hits["attribution"].abs()), path.with_suffix(".bed"))


def write_bed(placed: DataFrame, path: Path) -> Path:
    """Write BED6, in the order of the genome; return its path.

    Args:
        placed: With chrom, start, end, name, strand, and a score, which is scaled so that the
            largest is 1000.
        path: The file.
    """
    largest = max(placed["score"].max(), np.finfo(float).tiny) if len(placed) else 1
    score = (1000 * placed["score"].astype(float) / largest).round().astype(int)
    table = placed.assign(score=score).sort_values(["chrom", "start", "end", "name"])
    with replacing(path) as part:
        table[["chrom", "start", "end", "name", "score", "strand"]].to_csv(
            part, sep="\t", index=False, header=False, lineterminator="\n"
        )
    return path
