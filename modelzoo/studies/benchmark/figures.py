"""The figures of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from modelzoo.reports.figures import COLOURS, panels
from modelzoo.reports.tables import Row
from modelzoo.studies.benchmark.measures import METRICS
from modelzoo.studies.benchmark.methods import COMPARED, ISM, PLAIN, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.summaries import ALL, JUDGED, Q_VALUE, SHOWN

_MARKERS = "osD^v<>Pp*hX8"


def gain_figure(rows: Sequence[Row], method: str = SHIFTED) -> Figure:
    """Draw what a method adds to the gradient, by model; no bar where q is above 0.05."""
    metrics = [m for m in SHOWN if any(r["metric"] == m for r in rows)]
    figure, drawn = panels(len(metrics), 2.4, 2.7, columns=4, sharey=True)
    for axes, metric in zip(drawn, metrics):
        own = [r for r in rows if r["metric"] == metric and r["method"] == method]
        for place, row in enumerate(own):
            if row["q"] <= Q_VALUE:
                axes.barh(place, row["difference"], color=COLOURS[0], alpha=0.5)
                axes.plot([row["low"], row["high"]], [place, place], color=COLOURS[0], lw=1.5)
            else:
                axes.plot(0, place, marker="|", color="#999999")
        names = ["all" if r["model"] == ALL else MODELS[r["model"]].title for r in own]
        axes.set_yticks(range(len(own)), names)
        axes.set(title=METRICS[metric], ylim=(len(own) - 0.4, -0.6), xlabel="difference")
        axes.axvline(0, color="#999999", lw=0.8)
    return figure


def budget_figure(rows: Sequence[Row]) -> Figure:
    """Draw the quality of every method, corrected where it can be, against its evaluations.

    Left out is what would hide the rest: Grad-CAM, and the agreement of mutagenesis with itself.
    """
    shown = {row["method"]: row for row in rows}  # the corrected row is the later one
    shown.pop("input-x-gradient", None)  # at the letters present it is the gradient
    shown.pop("grad-cam", None)
    line = [m for m in shown if m == PLAIN or m.removeprefix("shiftsmooth-").isdecimal()]
    figure, drawn = panels(len(JUDGED), 2.9, 3.9)
    for axes, metric in zip(drawn, JUDGED):
        path = [(shown[m]["evaluations"], shown[m][metric]) for m in line]
        axes.plot(*zip(*path), color=COLOURS[0], lw=1, marker="o", ms=4, label="ShiftSmooth, by N")
        for method, place in zip(line, path):
            number = COMPARED[method].method.parameters.get("max_shift", 0)
            axes.annotate(str(number), place, (0, 4), textcoords="offset points", fontsize=7)
        for i, (method, row) in enumerate((m, r) for m, r in shown.items() if m not in line):
            itself = (method, metric) == (ISM, "faithfulness")
            place = (row["evaluations"], None if itself else row[metric])
            axes.plot(*([v] for v in place), **_mark(i + 1), label=row["title"])
        axes.set_xscale("log")
        axes.set(title=METRICS[metric], xlabel="model evaluations of a sequence")
        axes.margins(x=0.1, y=0.1)
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def predicted_figure(rows: Sequence[Row]) -> Figure:
    """Draw the gain of stability that the audit predicts against the measured one, by model."""
    figure, drawn = panels(2, 3.2, 3.9)
    for axes, (predicted, label) in zip(
        drawn, (("by_share", "by the varying share"), ("by_windows", "by single windows"))
    ):
        most = max([*(max(row[predicted], row["stability"]) for row in rows), 0.01]) * 1.1
        axes.plot([0, most], [0, most], color="#999999", lw=0.8, ls=":")
        for i, row in enumerate(rows):
            axes.plot([row[predicted]], [row["stability"]], **_mark(i), label=row["title"])
        axes.set(xlabel=f"predicted {label}", ylabel="measured", title="gain of stability")
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _mark(number: int) -> dict[str, Any]:
    colour, marker = COLOURS[number % len(COLOURS)], _MARKERS[number % len(_MARKERS)]
    return {"color": colour, "marker": marker, "ls": "", "ms": 5, "alpha": 0.8}
