"""The figures of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from modelzoo.reports.figures import COLOURS, panels
from modelzoo.reports.tables import Row
from modelzoo.studies.benchmark.measures import METRICS
from modelzoo.studies.benchmark.methods import COMPARED, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.summaries import ALL, JUDGED, Q_VALUE, SHOWN

_SHORT = {
    "gradient": "gradient",
    "grad-cam": "Grad-CAM",
    "smoothgrad": "SmoothGrad",
    "random-letters-10": "letters, 10 %",
    "random-letters-25": "letters, 25 %",
    "integrated-gradients": "IG",
    "expected-gradients": "expected gradients",
    "deep-lift-shap": "DeepLiftShap",
    "shiftsmooth-strands": "N=5, both strands",
    "shiftsmooth-certain": "N=5, certain",
    "shiftsmooth-ig": "N=2 over IG",
    "ism": "mutagenesis",
}


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
    """Draw the quality of every method, corrected where it can be, against its evaluations."""
    shown = {row["method"]: row for row in rows}  # the corrected row is the later one
    shown.pop("input-x-gradient", None)  # at the letters present it is the gradient
    line = [m for m in shown if m == "gradient" or m.removeprefix("shiftsmooth-").isdecimal()]
    figure, drawn = panels(len(JUDGED), 2.9, 3.1)
    for axes, metric in zip(drawn, JUDGED):
        path = [(shown[m]["evaluations"], shown[m][metric]) for m in line]
        axes.plot(*zip(*path), color=COLOURS[0], lw=1, marker="o", ms=4)
        for method, row in shown.items():
            if row[metric] is None:
                continue
            place = (row["evaluations"], row[metric])
            if method not in line:
                axes.plot(*place, "o", color=COLOURS[1], ms=4)
            name = _SHORT.get(method) or COMPARED[method].method.title.replace("ShiftSmooth ", "")
            axes.annotate(name, place, (3, 3), textcoords="offset points", fontsize=6)
        axes.set_xscale("log")
        axes.set(title=METRICS[metric], xlabel="model evaluations of a sequence")
        axes.margins(x=0.3, y=0.1)
    return figure


def predicted_figure(rows: Sequence[Row]) -> Figure:
    """Draw the gain of stability that the audit predicts against the measured one, by model."""
    figure, drawn = panels(2, 3.2, 3.1)
    for axes, (predicted, label) in zip(
        drawn, (("by_share", "by the varying share"), ("by_windows", "by single windows"))
    ):
        points = [(row[predicted], row["stability"]) for row in rows]
        most = max([*map(max, points), 0.01]) * 1.15
        axes.plot([0, most], [0, most], color="#999999", lw=0.8, ls=":")
        for row, point in zip(rows, points):
            axes.plot(*point, "o", color=COLOURS[0], ms=4)
            axes.annotate(row["title"], point, (3, 3), textcoords="offset points", fontsize=6)
        axes.set(xlabel=f"predicted {label}", ylabel="measured", title="gain of stability")
    return figure
