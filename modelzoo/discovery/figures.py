"""The figures of a discovery: spacings between motifs, and whether important units do well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from modelzoo.motifs import spacings
from modelzoo.motifs.syntax import arrangements
from shiftsmooth.plot import MOTIF_COLORS

if TYPE_CHECKING:
    from pandas import DataFrame


def spacing_figure(pairs: DataFrame) -> Figure:
    """Return how often each spacing occurs between two motifs, one colour per arrangement.

    Args:
        pairs: Rows of the table of `modelzoo.motifs.syntax` of one pair of motifs.
    """
    figure = Figure(figsize=(6.4, 2.2), layout="constrained")
    axes = figure.subplots()
    top = int(pairs["spacing"].max())
    found, below = spacings(pairs), np.zeros(top + 1)
    kinds = arrangements(pairs["first"].iloc[0], pairs["second"].iloc[0])
    for color, kind in zip(MOTIF_COLORS, kinds):
        if kind not in found:
            continue
        counts = [found[kind].get(spacing, 0) for spacing in range(top + 1)]
        axes.bar(range(top + 1), counts, 0.9, below, color=color, label=f"{kind}  ({sum(counts)})")
        below += counts
    axes.set(xlabel="bases between the two", ylabel="pairs", xlim=(-1, top + 1))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def rank_figure(ranked: Mapping[str, np.ndarray]) -> Figure:
    """Return whether the motifs of important units are the good ones: ExplaiNN's figure 3A.

    The line is the mean performance of the motifs of each rank; a dot is the rank of the best
    motif of one set of sequences.

    Args:
        ranked: By set, how well each motif does alone, the most important unit's first.
    """
    longest = max(map(len, ranked.values()))
    table = np.full((len(ranked), longest), np.nan)
    for row, values in zip(table, ranked.values()):
        row[: len(values)] = values
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.plot(np.arange(1, longest + 1), np.nanmean(table, 0), color="#2c5fb3", lw=1.5)
    for name, row in zip(ranked, table):
        best = int(np.nanargmax(row))
        dot = (best + 1, row[best])
        axes.plot(*dot, "o", color="#777777", ms=6)
        text = f"{name}: rank {best + 1}"
        axes.annotate(text, dot, xytext=(6, 2), textcoords="offset points", size=8)
    axes.set(xlabel="rank by unit importance", ylabel="AUPRC of the motif alone")
    axes.set(xlim=(0, longest + 1))
    axes.spines[["top", "right"]].set_visible(False)
    return figure
