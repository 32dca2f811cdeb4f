"""Syntax: in which order, on which strands and how far apart motifs lie in sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame


def syntax(instances: DataFrame, names: Sequence[str], *, max_spacing: int = 100) -> DataFrame:
    """Return how often pairs of instances have each arrangement and spacing, as a table.

    Its columns are first, second, arrangement, spacing (bases between the two) and count. A pair
    lies in one sequence and is read on the strand on which the first motif reads forward, so an
    arrangement is one of `A> B>`, `A> <B`, `B> A>` and `<B A>`; two instances of one motif are
    `A> A>`, `A> <A` or `<A A>`. Instances that overlap are no pair.

    Args:
        instances: The table that `find_instances` returns.
        names: The motifs of the pairs. The one named earlier is the first of a pair.
        max_spacing: Pairs further apart are left out.
    """
    rows = instances[instances["motif"].isin(list(names))]
    ranks = {name: rank for rank, name in enumerate(names)}
    rows = rows.assign(rank=rows["motif"].map(ranks), row=range(len(rows)))
    pairs = rows.merge(rows, on="sequence", suffixes=("", "_b"))
    pairs = pairs[
        (pairs["rank"] < pairs["rank_b"])
        | ((pairs["rank"] == pairs["rank_b"]) & (pairs["row"] < pairs["row_b"]))
    ]
    after = pairs["start_b"] - pairs["stop"]
    before = pairs["start"] - pairs["stop_b"]
    pairs = pairs.assign(spacing=np.maximum(after, before))
    pairs = pairs[(pairs["spacing"] >= 0) & (pairs["spacing"] <= max_spacing)]
    forward = pairs["strand"] == "+"
    follows = (pairs["start_b"] > pairs["start"]) == forward
    along = pairs["strand"] == pairs["strand_b"]
    kind = np.select([along & follows, follows, along], [0, 1, 2], 3)
    pairs["arrangement"] = [
        arrangements(first, second)[index]
        for first, second, index in zip(pairs["motif"], pairs["motif_b"], kind)
    ]
    keys = ["motif", "motif_b", "arrangement", "spacing"]
    counts = pairs.groupby(keys, as_index=False, sort=True).size()
    return counts.rename(columns={"motif": "first", "motif_b": "second", "size": "count"})


def arrangements(first: str, second: str) -> tuple[str, str, str, str]:
    """Return the four arrangements of two motifs, the first of which reads forward."""
    a, b = first, second
    return f"{a}> {b}>", f"{a}> <{b}", f"{b}> {a}>", f"<{b} {a}>"


def spacings(pairs: DataFrame) -> dict[str, dict[int, int]]:
    """Return how often each spacing occurs, by arrangement, from rows of the table of `syntax`."""
    counts: dict[str, dict[int, int]] = {}
    for kind, spacing, count in pairs[["arrangement", "spacing", "count"]].to_numpy():
        counts.setdefault(kind, {})[int(spacing)] = int(count)
    return counts
