"""The tables of the planted-motif study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelzoo.reports.tables import Row, Table, number, plain
from modelzoo.studies.planted.motifs import Q_VALUE
from modelzoo.studies.planted.settings import SETS
from modelzoo.studies.published import published


def measured(results: Mapping[str, Any], measure: str) -> list[tuple[str, str]]:
    """Return name and title of the sets on which something was measured."""
    return [(name, title) for name, title in SETS.items() if f"{measure} {name}" in results]


def accuracy_rows(results: Mapping[str, Any]) -> list[Row]:
    """Return one row per set and kind of network: mean, spread, best possible, published."""
    table = {row["model"]: row for row in published("argminn_table_s1")}
    theirs = {"ARGMINN": "ARGMINN", "CNN": "Traditional CNN"}
    rows = []
    for name, title in measured(results, "accuracy"):
        found = results[f"accuracy {name}"]
        for kind in dict.fromkeys(m["kind"] for m in found["models"]):
            mine = [m for m in found["models"] if m["kind"] == kind]
            values = [100 * m["accuracy"] for m in mine]
            chosen = max(mine, key=lambda m: m["validation_auc"])
            paper = table[theirs[kind]][title] if kind in theirs else None
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


def summarised(rows: Sequence[Row]) -> list[str]:
    """Return the accuracies of each set, as sentences.

    Args:
        rows: As of `accuracy_rows`.
    """
    texts = []
    for title in dict.fromkeys(row["set"] for row in rows):
        own = [row for row in rows if row["set"] == title]
        told = ", ".join(f"{row['kind']} {row['mean']:.1f} %" for row in own)
        texts.append(f"Mean accuracy on {title}: {told}; best possible {own[0]['best']:.1f} %.")
    return texts


def accuracy_table(rows: Sequence[Row]) -> Table:
    """Return the accuracies with the published ones."""
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


def gain_table(rows: Sequence[Row]) -> Table:
    """Return what ARGMINN gains over the plain CNN."""
    gains = []
    for title in dict.fromkeys(row["set"] for row in rows):
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


def similarity_table(results: Mapping[str, Any]) -> Table:
    """Return how near the motifs found are to the planted ones."""
    rows: list[Row] = [
        {
            "set": title,
            "method": method,
            "motifs": len(found["motifs"]),
            "matching": found["matching"],
            **found["similarity"],
        }
        for name, title in measured(results, "motifs")
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


def instance_table(results: Mapping[str, Any]) -> Table:
    """Return how many of the first instances are right."""
    rows = []
    for name, title in measured(results, "instances"):
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


def adversarial_table(found: Sequence[Row]) -> Table:
    """Return the accuracies on sequences made to fool."""
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
