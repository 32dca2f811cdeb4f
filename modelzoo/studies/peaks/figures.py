"""The figures of the report, drawn from its rows.

Every function returns a matplotlib figure. The same rows give the same figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from modelzoo.reports.figures import COLOURS, INK, STYLE, colours, panels
from modelzoo.reports.tables import Row
from modelzoo.studies.peaks.compared import COMPARED
from modelzoo.studies.peaks.measures import METRICS
from modelzoo.studies.peaks.scores import Performance
from shiftsmooth.plot import draw_logo


def roc_curves(performance: Performance, kind: str) -> Figure:
    """Draw ROC curves of all models, a panel for each data set (the paper's Figs. 4 and 7).

    Args:
        performance: The scores to draw.
        kind: The data sets to draw, `"in distribution"` or `"out of distribution"`.
    """
    sets = _sets(performance, kind)
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(sets), 2.7, 2.9)
        for axes, name in zip(drawn, sets):
            axes.plot([0, 1], [0, 1], color="#999999", lw=0.8, ls=":")
            for colour, model in zip(colours(len(performance.models)), performance.models):
                row = _row(performance.scores, set=name, model=model)
                false, true = performance.curves[name, model]
                label = f"{model}  {row['roc_auc']:.3f}"
                axes.plot(false, true, color=colour, lw=1.3, label=label)
            axes.set(title=name, xlim=(0, 1), ylim=(0, 1), aspect="equal")
            axes.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
            axes.set(xlabel="false positive rate", ylabel="true positive rate")
            axes.legend(
                loc="upper center", bbox_to_anchor=(0.5, -0.24), fontsize=7.5, handlelength=1.2
            )
    return figure


def auc_bars(performance: Performance, kind: str) -> Figure:
    """Draw the mean AUC over the resamples with its standard deviation (the paper's Figs. 5 and 8).

    A mark on a bar is the figure that the paper published.

    Args:
        performance: The scores to draw.
        kind: The data sets to draw.
    """
    sets, models = _sets(performance, kind), performance.models
    width = 0.8 / len(models)
    with matplotlib.rc_context(STYLE):
        size = (max(6.5, 0.5 + 0.24 * (len(models) + 1) * len(sets)), 3.4)
        figure = Figure(figsize=size)
        axes = figure.subplots()
        published = False
        for m, (colour, model) in enumerate(zip(colours(len(models)), models)):
            rows = [_row(performance.scores, set=name, model=model) for name in sets]
            x = np.arange(len(sets)) + (m - (len(models) - 1) / 2) * width
            axes.bar(
                x,
                [row["roc_auc_mean"] for row in rows],
                width * 0.92,
                yerr=[row["roc_auc_sd"] for row in rows],
                color=colour,
                label=model,
                error_kw={"lw": 0.9, "capsize": 1.5, "ecolor": INK},
            )
            theirs = [row["paper_roc_auc"] or np.nan for row in rows]
            if np.isfinite(theirs).any():
                label = None if published else "published in the paper"
                axes.scatter(x, theirs, marker="D", s=13, fc="white", ec=INK, lw=0.8, label=label)
                published = True
        axes.axhline(0.5, color="#999999", lw=0.8, ls=":")
        lowest = min(row["roc_auc_mean"] - row["roc_auc_sd"] for row in performance.scores)
        axes.set(xlabel="data set", ylabel="ROC AUC, mean ± s.d.", ylim=(min(0.4, lowest), 1))
        axes.set_xticks(range(len(sets)), sets)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def auc_intervals(performance: Performance, kind: str) -> Figure:
    """Draw 95 % confidence intervals of the AUCs as boxes (the paper's Figs. 6 and 9).

    Args:
        performance: The scores to draw.
        kind: The data sets to draw.
    """
    sets, models = _sets(performance, kind), performance.models
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(sets), 2.9, 0.8 + 0.24 * len(models), sharey=True)
        for axes, name in zip(drawn, sets):
            for m, (colour, model) in enumerate(zip(colours(len(models)), models)):
                row = _row(performance.scores, set=name, model=model)
                low, high = row["roc_auc_low"], row["roc_auc_high"]
                box = Rectangle((low, m - 0.32), high - low, 0.64, fc=colour, ec=colour, alpha=0.45)
                axes.add_patch(box)
                axes.plot([row["roc_auc_mean"]] * 2, [m - 0.32, m + 0.32], color=colour, lw=1.8)
            axes.set_yticks(range(len(models)), models)
            axes.set(title=name, ylim=(len(models) - 0.5, -0.5), xlabel="ROC AUC, 95 % interval")
            axes.margins(x=0.12)
            axes.grid(axis="x", lw=0.4, color="#999999", alpha=0.5)
    return figure


def gate_weights(performance: Performance) -> Figure:
    """Draw the mean gate weights of each expert on peaks and on their shuffles.

    Args:
        performance: The weights to draw; at least one of its models is a mixture.
    """
    mixtures = sorted({row["model"] for row in performance.gates})
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(mixtures), 1.6 + 0.62 * len(performance.sets), 3.2, columns=1)
        for axes, mixture in zip(drawn, mixtures):
            rows = [row for row in performance.gates if row["model"] == mixture]
            experts = list(dict.fromkeys(row["expert"] for row in rows))
            for shift, (what, alpha) in zip((-0.2, 0.2), (("peaks", 1.0), ("shuffles", 0.45))):
                bottom = np.zeros(len(performance.sets))
                for colour, expert in zip(COLOURS, experts):
                    weights = np.array(
                        [
                            _row(rows, set=name, expert=expert, **{"class": what})["weight"]
                            for name in performance.sets
                        ]
                    )
                    axes.bar(
                        np.arange(len(weights)) + shift,
                        weights,
                        0.36,
                        bottom,
                        color=colour,
                        alpha=alpha,
                        label=f"{expert}, {what}",
                    )
                    bottom += weights
            axes.set_xticks(range(len(performance.sets)), performance.sets)
            axes.set(xlabel="data set", ylabel="mean gate weight", ylim=(0, 1), title=mixture)
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
    return figure


def attribution_scores(rows: Sequence[Row], metrics: Mapping[str, str]) -> Figure:
    """Draw the scores of each attribution method, a panel for each metric, with 95 % intervals.

    Filled marks are with the simplex correction, open ones without it.

    Args:
        rows: Rows with `metric`, `method`, `model_class`, `corrected`, `mean`, `low` and `high`.
        metrics: The metrics to draw and the titles of their panels.
    """
    methods = list(dict.fromkeys(row["method"] for row in rows))
    classes = list(dict.fromkeys(row["model_class"] for row in rows))
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(metrics), 2.5, 1.0 + 0.23 * len(methods), sharey=True)
        for axes, (metric, title) in zip(drawn, metrics.items()):
            for row in (row for row in rows if row["metric"] == metric and row["mean"] is not None):
                colour = COLOURS[classes.index(row["model_class"])]
                step = 0.1 if row["corrected"] else -0.1
                step += 0.22 * (classes.index(row["model_class"]) - (len(classes) - 1) / 2)
                y = methods.index(row["method"]) + step
                axes.plot([row["low"], row["high"]], [y, y], color=colour, lw=0.9)
                face = colour if row["corrected"] else "white"
                axes.plot(row["mean"], y, "o", ms=3.4, mfc=face, mec=colour, mew=0.8)
            axes.set_yticks(range(len(methods)), methods)
            axes.set(title=title, xlabel="mean, 95 % interval", ylim=(len(methods) - 0.5, -0.5))
            axes.grid(lw=0.4, color="#999999", alpha=0.4)
        for colour, name in zip(COLOURS, classes):
            drawn[0].plot([], [], "o", ms=4, color=colour, label=f"{name}, simplex correction")
            drawn[0].plot([], [], "o", ms=4, mfc="white", mec=colour, label=f"{name}, without")
        figure.legend(
            *drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(classes)
        )
    return figure


def by_max_shift(rows: Sequence[Row], metrics: Mapping[str, str]) -> Figure:
    """Draw how ShiftSmooth's scores change with N; N = 0 is the gradient.

    Args:
        rows: Rows with `metric`, `max_shift`, `model_class`, `corrected`, `mean`, `low`, `high`.
        metrics: The metrics to draw and the titles of their panels.
    """
    classes = list(dict.fromkeys(row["model_class"] for row in rows))
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(metrics), 2.5, 2.5)
        for axes, (metric, title) in zip(drawn, metrics.items()):
            for colour, name in zip(COLOURS, classes):
                for corrected in (True, False):
                    chosen = [
                        row
                        for row in rows
                        if (row["metric"], row["model_class"], row["corrected"])
                        == (metric, name, corrected)
                        and row["mean"] is not None
                    ]
                    chosen.sort(key=lambda row: row["max_shift"])
                    x = [row["max_shift"] for row in chosen]
                    label = f"{name}, {'simplex correction' if corrected else 'without'}"
                    axes.plot(
                        x,
                        [row["mean"] for row in chosen],
                        "o-" if corrected else "o--",
                        ms=3,
                        lw=1.1,
                        color=colour,
                        mfc=colour if corrected else "white",
                        label=label,
                    )
                    if corrected:
                        low, high = ([row[end] for row in chosen] for end in ("low", "high"))
                        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
            axes.set(title=title, xlabel="N, positions", ylabel="mean")
            axes.set_xticks(sorted({row["max_shift"] for row in rows}))
            axes.grid(lw=0.4, color="#999999", alpha=0.4)
        figure.legend(
            *drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(classes)
        )
    return figure


def forest(rows: Sequence[Row]) -> Figure:
    """Draw differences between methods, a panel for each metric, with 95 % intervals.

    Filled marks are those whose corrected p value is below 0.05.

    Args:
        rows: Rows with `metric`, `model_class`, `method`, `against`, `difference`, `low`, `high`
            and `p_holm`.
    """
    pairs = list(dict.fromkeys((row["method"], row["against"]) for row in rows))
    names = [f"{COMPARED[a].title} − {COMPARED[b].title}" for a, b in pairs]
    classes = list(dict.fromkeys(row["model_class"] for row in rows))
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    with matplotlib.rc_context(STYLE):
        figure, drawn = panels(len(metrics), 2.2, 1.2 + 0.2 * len(pairs), columns=4, sharey=True)
        figure.set_figwidth(figure.get_figwidth() + 2.5)  # for the names
        for axes, metric in zip(drawn, metrics):
            axes.axvline(0, color=INK, lw=0.6)
            for row in rows:
                if row["metric"] != metric or row["difference"] is None:
                    continue
                colour = COLOURS[classes.index(row["model_class"])]
                step = 0.26 * (classes.index(row["model_class"]) - (len(classes) - 1) / 2)
                y = pairs.index((row["method"], row["against"])) + step
                axes.plot([row["low"], row["high"]], [y, y], color=colour, lw=0.9)
                face = colour if row["p_holm"] < 0.05 else "white"
                axes.plot(row["difference"], y, "o", ms=3.4, mfc=face, mec=colour, mew=0.8)
            axes.set_yticks(range(len(pairs)), names)
            title = METRICS[metric].replace(", ", ",\n")
            axes.set(title=title, xlabel="difference", ylim=(len(pairs) - 0.5, -0.5))
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.grid(axis="x", lw=0.4, color="#999999", alpha=0.4)
        for colour, name in zip(COLOURS, classes):
            drawn[0].plot([], [], "o", ms=4, color=colour, label=name)
        figure.legend(
            *drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(classes)
        )
    return figure


def attribution_track(
    sequence: str,
    importance: np.ndarray,
    boxes: Iterable[tuple[int, int, str]] = (),
    title: str = "",
) -> Figure:
    """Draw the importance of every base, as letters (the paper's Figs. 11-14, 16-19).

    Args:
        sequence: The bases.
        importance: Their importance. Shape (len(sequence),).
        boxes: Stretches to frame, as (start, stop, colour).
        title: Written above.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(10, 2.1))
        axes = figure.subplots()
        draw_logo(axes, torch.from_numpy(importance), sequence)
        low, high = min(0.0, importance.min()), max(0.0, importance.max())
        margin = 0.06 * ((high - low) or 1.0)
        for start, stop, colour in boxes:
            corner, height = (start - 0.5, low - margin), high - low + 2 * margin
            axes.add_patch(Rectangle(corner, stop - start, height, fill=False, ec=colour, lw=1.4))
        axes.axhline(0, color=INK, lw=0.6)
        axes.set(xlim=(-0.7, len(sequence) - 0.3), ylim=(low - 2 * margin, high + 2 * margin))
        axes.set(xlabel="position, bases", ylabel="importance, logit", title=title)
    return figure


def _sets(performance: Performance, kind: str) -> list[str]:
    return list(dict.fromkeys(row["set"] for row in performance.scores if row["kind"] == kind))


def _row(rows: Iterable[Row], **where: Any) -> Row:
    return next(row for row in rows if all(row[key] == value for key, value in where.items()))
