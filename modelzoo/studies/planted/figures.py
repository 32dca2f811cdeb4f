"""The figures of the planted-motif study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from modelzoo.reports.figures import COLOURS, panels
from modelzoo.reports.tables import Row
from modelzoo.studies.planted.motifs import Q_VALUE
from modelzoo.studies.planted.tables import measured


def similarity_figure(results: Mapping[str, Any]) -> Figure:
    """Draw -log10 q of the motif nearest to each planted one; no bar where q is above 0.05."""
    found = {
        f"{title}: {motif}": {
            method: values["similarity"][motif]
            for method, values in results[f"motifs {name}"].items()
        }
        for name, title in measured(results, "motifs")
        for motif in next(iter(results[f"motifs {name}"].values()))["similarity"]
    }
    figure, drawn = panels(len(found), 2.7, 2.6, sharey=True)
    for axes, (title, values) in zip(drawn, found.items()):
        sure = [value if value >= -np.log10(Q_VALUE) else 0 for value in values.values()]
        axes.barh(range(len(values)), sure, color=COLOURS[: len(values)])
        axes.set(title=title, xlabel="-log10 q", ylim=(len(values) - 0.4, -0.6))
        axes.set_yticks(range(len(values)), list(values))
    return figure


def spacing_figure(found: Mapping[str, Any]) -> Figure:
    """Draw how far apart the halves of a motif lie."""
    figure, (axes,) = panels(1, 6.5, 2.8)
    for spacing in found["allowed"]:
        axes.axvspan(spacing - 0.5, spacing + 0.5, color="#bbbbbb", alpha=0.4, lw=0)
    below = np.zeros(31)
    for colour, (arrangement, counts) in zip(COLOURS, found["spacings"].items()):
        heights = np.array([counts.get(str(s), 0) for s in range(31)])
        axes.bar(range(31), heights, bottom=below, color=colour, label=arrangement, width=0.8)
        below += heights
    axes.set(xlabel="bases between the halves", ylabel="pairs of instances", xlim=(-0.6, 30.6))
    if found["spacings"]:
        axes.legend()
    return figure


def instance_figure(results: Mapping[str, Any]) -> Figure:
    """Draw how many of the first k instances are right."""
    sets = measured(results, "instances")
    figure, drawn = panels(len(sets), 3.1, 2.9, columns=2)
    for axes, (name, title) in zip(drawn, sets):
        found = results[f"instances {name}"]
        axes.plot([0, found["planted"]], [0, found["planted"]], color="#999999", lw=0.8, ls=":")
        for colour, (method, right) in zip(COLOURS, found["right"].items()):
            axes.plot(range(len(right) + 1), [0, *right], color=colour, label=method)
        axes.set(
            title=title, xlabel="first k instances, the surest first", ylabel="right among them"
        )
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def gc_figure(rows: Sequence[Row]) -> Figure:
    """Draw the accuracy against the G+C content of the background."""
    figure, (axes,) = panels(1, 5.0, 3.0)
    x = [100 * row["gc"] for row in rows]
    axes.plot(
        x, [100 * row["best"] for row in rows], color="#999999", ls=":", label="best possible"
    )
    for colour, kind in zip(COLOURS, ("ARGMINN", "CNN", "ExplaiNN")):
        axes.plot(x, [100 * row[kind] for row in rows], color=colour, marker="o", ms=3, label=kind)
    axes.set(xlabel="G+C of the background, %", ylabel="accuracy, %")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
