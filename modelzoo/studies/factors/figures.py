"""The figures of the study of factors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from modelzoo.reports.figures import COLOURS, INK, STYLE, panels
from modelzoo.reports.tables import Row


def specificity(rows: Sequence[Row], title: str) -> Figure:
    """Draw each expert (a row) on each factor's peaks (a column), as a map of AUCs.

    Args:
        rows: As `Judged.specificity`, of experts of one kind.
        title: Of the figure.
    """
    names = list(dict.fromkeys(row["own"] for row in rows))
    sets = list(dict.fromkeys([*names, *(row["set"] for row in rows)]))
    values = np.full((len(names), len(sets)), np.nan)
    for row in rows:
        values[names.index(row["own"]), sets.index(row["set"])] = row["roc_auc"]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(1.8 + 0.5 * len(sets), 1.6 + 0.36 * len(names)))
        axes = figure.subplots()
        drawn = axes.imshow(values, vmin=0.5, vmax=1, cmap="Blues", aspect="auto")
        for (y, x), value in np.ndenumerate(values):
            if np.isfinite(value):
                ink = "white" if value > 0.8 else INK
                axes.text(x, y, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=7.5)
        axes.set_xticks(range(len(sets)), sets, rotation=60, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="peaks of; on the diagonal: shuffles", ylabel="expert of", title=title)
        figure.colorbar(drawn, label="ROC AUC of its own peaks")
    return figure


def reliability(curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw the fraction of peaks against the calibrated probability, a panel for each expert."""
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(curves), 1.9, 1.9, columns=5)
        for axes, (name, (expected, observed)) in zip(drawn, curves.items()):
            axes.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls=":")
            axes.plot(expected, observed, color=COLOURS[0], marker="o", ms=3, lw=1.2)
            axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            axes.set_title(name, fontsize=7.5)
        figure.supxlabel("calibrated probability", fontsize=9)
        figure.supylabel("fraction of peaks", fontsize=9)
    return figure


def growth(rows: Sequence[Row]) -> Figure:
    """Draw the mean AUC on unseen factors against the number of experts.

    Args:
        rows: As the table of the curve: a row for each choice of experts.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.2, 3.4))
        axes = figure.subplots()
        for colour, key, label in (
            (COLOURS[0], "roc_auc_disjoint", "disjoint peaks"),
            (COLOURS[1], "roc_auc", "all peaks"),
        ):
            counts = sorted({row["experts"] for row in rows})
            means = [np.mean([r[key] for r in rows if r["experts"] == n]) for n in counts]
            axes.scatter([r["experts"] for r in rows], [r[key] for r in rows], s=10, color=colour)
            axes.plot(counts, means, color=colour, lw=1.3, label=label)
        for row in rows:
            ends = [row["disjoint_low"], row["disjoint_high"]]
            axes.plot([row["experts"]] * 2, ends, color=COLOURS[0], lw=0.7, alpha=0.5)
        axes.set(xlabel="experts in the mixture", ylabel="mean ROC AUC, six unseen factors")
        axes.legend()
    return figure
