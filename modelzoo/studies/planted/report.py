"""The report of `evaluate argminn`: tables and figures from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from modelzoo.reports.figures import COLOURS, STYLE, panels
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Row, Table, number, plain
from modelzoo.studies.peaks import scores
from modelzoo.studies.planted.measures import Q_VALUE

SETS = {"spi1": "SPI1", "tal-gata": "TAL/GATA", "e2f6": "E2F6", "rest": "REST"}

ABOUT_ACCURACY = (
    "Accuracy on new sequences: mean and standard deviation over initialisations, and of the one "
    "with the best validation AUC. The best possible is to decide by the likelihood ratio of the "
    "generator itself. The paper's figures are of other matrices, trimming and match score, so "
    "the columns to compare are the gains over the CNN and the distances from the best."
)
ABOUT_MOTIFS = (
    "-log10 of Tomtom's q-value, among JASPAR 2020's vertebrates and the planted motifs, for the "
    "motif that is nearest to each planted one: of the filters' motifs, and of TF-MoDISco's motifs "
    "from attributions of the plain CNN."
)
ABOUT_SYNTAX = (
    "Instances are read off one forward pass: attention of at least 0.9 by one head of one layer, "
    "and an activation of at least the filter's mean."
)
ABOUT_INSTANCES = (
    "Each method ranks stretches of the same positives. A stretch is right if it overlaps with a "
    "planted instance; of stretches that overlap each other the surest counts."
)
ABOUT_ADVERSARIAL = (
    "For each network, words that excite its filters most and match no motif, strung together, "
    "take the place of negatives; or words that excite them least surround the motifs of "
    "positives. The other half of the sequences is as usual. The paper's CNN fell from 88 % to 55 "
    "and 48 %. A network all of whose words match a motif has no exciting negatives."
)


def show(page: Page, results: Mapping[str, Any]) -> None:
    """Add everything to a page.

    Args:
        page: The page.
        results: What was measured, by measurement and set, such as `"accuracy spi1"`.
    """
    with matplotlib.rc_context(STYLE):
        page.heading("How well motifs can be told")
        page.paragraph(ABOUT_ACCURACY)
        rows = accuracy_rows(results)
        page.table(_accuracy_table(rows))
        page.table(_gain_table(rows))
        page.heading("Motifs")
        page.paragraph(ABOUT_MOTIFS)
        page.figure(_similarity_figure(results), "similarity", "Similarity to each planted motif.")
        page.table(_similarity_table(results), folded=True)
        page.heading("Syntax")
        page.paragraph(ABOUT_SYNTAX)
        caption = (
            "Bases between the halves of REST that ARGMINN attended to; grey: the planted ones."
        )
        page.figure(_spacing_figure(results["syntax rest"]), "spacing", caption)
        page.heading("Instances")
        page.paragraph(ABOUT_INSTANCES)
        page.figure(_instance_figure(results), "instances", "How many of the first k are right.")
        page.table(_instance_table(results))
        page.heading("Other backgrounds")
        caption = "Accuracy on REST against the G+C content of the background; trained at 50 %."
        page.figure(_gc_figure(results["gc rest"]), "gc", caption)
        page.heading("Sequences made to fool")
        page.paragraph(ABOUT_ADVERSARIAL)
        page.table(_adversarial_table(results["adversarial spi1"]))


def accuracy_rows(results: Mapping[str, Any]) -> list[Row]:
    """A row a set and kind of network: mean and spread, the best there is, the paper's."""
    published = {row["model"]: row for row in scores.published("argminn_table_s1")}
    theirs = {"ARGMINN": "ARGMINN", "CNN": "Traditional CNN"}
    rows = []
    for name, title in SETS.items():
        found = results[f"accuracy {name}"]
        for kind in dict.fromkeys(m["kind"] for m in found["models"]):
            mine = [m for m in found["models"] if m["kind"] == kind]
            values = [100 * m["accuracy"] for m in mine]
            chosen = max(mine, key=lambda m: m["validation_auc"])
            paper = published[theirs[kind]][title] if kind in theirs else None
            rows.append(
                {
                    "set": title,
                    "kind": kind,
                    "mean": float(np.mean(values)),
                    "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
                    "chosen": 100 * chosen["accuracy"],
                    "initialisations": len(values),
                    "best": 100 * found["best"],
                    "from_best": float(np.mean(values)) - 100 * found["best"],
                    "paper": None if paper is None else float(paper),
                }
            )
    return rows


def _accuracy_table(rows: Sequence[Row]) -> Table:
    return Table(
        "accuracy",
        "Test accuracy, %",
        [
            ("set", plain("set")),
            ("network", plain("kind")),
            ("mean", number("mean", 1)),
            ("s.d.", number("sd", 1)),
            ("chosen", number("chosen", 1)),
            ("best possible", number("best", 1)),
            ("from the best", number("from_best", 1, sign=True)),
            ("paper", number("paper", 1)),
        ],
        rows,
        latex=True,
    )


def _gain_table(rows: Sequence[Row]) -> Table:
    gains = []
    for title in SETS.values():
        by_kind = {row["kind"]: row for row in rows if row["set"] == title}
        ours, theirs = (by_kind["ARGMINN"][key] - by_kind["CNN"][key] for key in ("mean", "paper"))
        chosen = by_kind["ARGMINN"]["chosen"] - by_kind["CNN"]["chosen"]
        gains.append({"set": title, "gain": ours, "chosen": chosen, "paper": theirs})
    return Table(
        "gains",
        "ARGMINN minus the plain CNN, points of accuracy",
        [
            ("set", plain("set")),
            ("of the means", number("gain", 1, sign=True)),
            ("of the initialisations that validation chooses", number("chosen", 1, sign=True)),
            ("paper", number("paper", 1, sign=True)),
        ],
        gains,
    )


def _similarity_table(results: Mapping[str, Any]) -> Table:
    rows: list[Row] = [
        {
            "set": title,
            "method": method,
            "motifs": len(found["motifs"]),
            "matching": found["matching"],
            **found["similarity"],
        }
        for name, title in SETS.items()
        for method, found in results[f"motifs {name}"].items()
    ]
    shown = ("set", "method", "motifs", "matching")

    def nearest(row: Row) -> str:
        return ", ".join(f"{key} {row[key]:.1f}" for key in row if key not in shown)

    return Table(
        "similarity",
        f"Motifs found, those that match a planted one (q at most {Q_VALUE}), and -log10 q of the"
        " nearest to each planted one",
        [*((key, plain(key)) for key in shown), ("-log10 q", nearest)],
        rows,
    )


def _instance_table(results: Mapping[str, Any]) -> Table:
    rows = []
    for name, title in SETS.items():
        found = results[f"instances {name}"]
        for method, right in found["right"].items():
            row: Row = {"set": title, "method": method, "called": len(right)}
            for k in (50, 100, 200):
                row[f"top {k}"] = right[k - 1] / k if len(right) >= k else None
            rows.append(row)
    tops = [(f"top {k}", number(f"top {k}", 2)) for k in (50, 100, 200)]
    return Table(
        "instances",
        "The fraction of the first k instances that overlap with a planted one",
        [("set", plain("set")), ("method", plain("method")), ("called", plain("called")), *tops],
        rows,
    )


def _adversarial_table(found: Sequence[Row]) -> Table:
    rows = []
    for kind in dict.fromkeys(row["kind"] for row in found):
        mine = [row for row in found if row["kind"] == kind]
        row: Row = {"kind": kind}
        for key in ("ordinary", "exciting", "dull"):
            values = [100 * one[key] for one in mine if one[key] is not None]
            row[key] = float(np.mean(values)) if values else None
        possible = sum(one["exciting"] is not None for one in mine)
        row["possible"] = f"{possible} of {len(mine)}"
        rows.append(row)
    return Table(
        "adversarial",
        "Accuracy on SPI1, %, mean over initialisations",
        [
            ("network", plain("kind")),
            ("ordinary sequences", number("ordinary", 1)),
            ("exciting negatives", number("exciting", 1)),
            ("could be made for", plain("possible")),
            ("positives amid dullness", number("dull", 1)),
        ],
        rows,
    )


def _similarity_figure(results: Mapping[str, Any]) -> Figure:
    found = {
        f"{title}: {motif}": {
            method: values["similarity"][motif]
            for method, values in results[f"motifs {name}"].items()
        }
        for name, title in SETS.items()
        for motif in next(iter(results[f"motifs {name}"].values()))["similarity"]
    }
    figure, drawn = panels(len(found), 2.7, 2.6, sharey=True)
    for axes, (title, values) in zip(drawn, found.items()):
        axes.barh(range(len(values)), list(values.values()), color=COLOURS[: len(values)])
        axes.set(title=title, xlabel="-log10 q", ylim=(len(values) - 0.4, -0.6))
        axes.set_yticks(range(len(values)), list(values))
    return figure


def _spacing_figure(found: Mapping[str, Any]) -> Figure:
    figure, (axes,) = panels(1, 6.5, 2.8)
    for spacing in found["allowed"]:
        axes.axvspan(spacing - 0.5, spacing + 0.5, color="#bbbbbb", alpha=0.4, lw=0)
    below = np.zeros(31)
    for colour, (arrangement, counts) in zip(COLOURS, found["spacings"].items()):
        heights = np.array([counts.get(str(s), 0) for s in range(31)])
        axes.bar(range(31), heights, bottom=below, color=colour, label=arrangement, width=0.8)
        below += heights
    axes.set(xlabel="bases between", ylabel="pairs", xlim=(-0.6, 30.6))
    if found["spacings"]:
        axes.legend()
    return figure


def _instance_figure(results: Mapping[str, Any]) -> Figure:
    figure, drawn = panels(len(SETS), 3.1, 2.9, columns=2)
    for axes, (name, title) in zip(drawn, SETS.items()):
        found = results[f"instances {name}"]
        axes.plot([0, found["planted"]], [0, found["planted"]], color="#999999", lw=0.8, ls=":")
        for colour, (method, right) in zip(COLOURS, found["right"].items()):
            axes.plot(range(len(right) + 1), [0, *right], color=colour, label=method)
        axes.set(title=title, xlabel="k", ylabel="right among the first k")
    figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _gc_figure(rows: Sequence[Row]) -> Figure:
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
