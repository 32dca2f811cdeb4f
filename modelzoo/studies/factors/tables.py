"""The tables of the study of factors."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from modelzoo.reports.tables import Column, Row, Table, number, plain, with_interval
from modelzoo.studies.peaks.sets import LabelledSet

_DISJOINT: Column = (
    "disjoint, AUC (95 %)",
    with_interval("roc_auc_disjoint", "disjoint_low", "disjoint_high"),
)


def summarised(scores: Sequence[Row], unseen: Sequence[Row], growth: Sequence[Row]) -> list[str]:
    """Return what was found, in sentences.

    Args:
        scores: Every expert on its own factor.
        unseen: Every model on the unseen factors.
        growth: The mixtures over more and more experts; may be empty.
    """
    aucs = sorted((row["roc_auc"], row["expert"]) for row in scores)
    texts = [
        f"{len(aucs)} experts on their own factors, against shuffles: ROC AUC from "
        f"{aucs[0][0]:.3f} ({aucs[0][1]}) to {aucs[-1][0]:.3f} ({aucs[-1][1]})."
    ]
    if unseen:
        best = max(unseen, key=lambda row: row["roc_auc_disjoint"])
        texts.append(
            f"Best on six unseen factors, disjoint peaks: {best['model']}, mean ROC AUC "
            f"{best['roc_auc_disjoint']:.3f}."
        )
    if growth:
        counts = [row["experts"] for row in growth]
        few, many = (
            fmean(row["roc_auc_disjoint"] for row in growth if row["experts"] == count)
            for count in (min(counts), max(counts))
        )
        texts.append(
            f"Mixtures on the same peaks: {few:.3f} with {min(counts)} experts, {many:.3f} with "
            f"{max(counts)}."
        )
    return texts


def experts(rows: Sequence[Row]) -> Table:
    """Return every expert on the test set of its own factor."""
    return Table(
        "experts",
        "ROC AUC of experts on the test sets of their own factors",
        [
            ("expert", plain("expert")),
            ("trained against", plain("negatives")),
            ("against shuffles (95 %)", with_interval("roc_auc", "roc_auc_low", "roc_auc_high")),
            ("disjoint", number("roc_auc_disjoint")),
            ("disjoint peaks", plain("disjoint_peaks")),
            ("against others", number("roc_auc_others")),
            ("ECE before", number("ece_before")),
            ("ECE", number("ece")),
        ],
        rows,
    )


def unseen(rows: Sequence[Row], sets: Sequence[LabelledSet]) -> Table:
    """Return every model on the factors that none has seen."""
    counts = {data.name: int(data.labels[data.disjoint].sum()) for data in sets}
    return Table(
        "unseen",
        "Mean ROC AUC on six unseen factors, and on the disjoint peaks of each",
        [
            ("model", plain("model")),
            ("all peaks", number("roc_auc")),
            _DISJOINT,
            *((f"{name} ({n} peaks)", number(f"disjoint {name}")) for name, n in counts.items()),
        ],
        rows,
    )


def growth(rows: Sequence[Row]) -> Table:
    """Return the mixtures over more and more experts."""
    return Table(
        "growth",
        "Mixtures over random choices of experts, on six unseen factors",
        [
            ("experts", plain("experts")),
            ("which", plain("names")),
            ("validation", number("validation")),
            ("all peaks", number("roc_auc")),
            _DISJOINT,
        ],
        rows,
    )


def additions(rows: Sequence[Row]) -> Table:
    """Return what an added expert brings, and what its training costs."""
    return Table(
        "additions",
        "The paper's three experts and one more, on six unseen factors",
        [
            ("added", plain("added")),
            ("trained", plain("trained")),
            ("validation", number("validation")),
            ("all peaks", number("roc_auc")),
            _DISJOINT,
            ("processor seconds", number("seconds", 1)),
        ],
        rows,
    )


def readouts(rows: Sequence[Row]) -> Table:
    """Return what the embeddings of all experts hold, with a gate and without."""
    return Table(
        "readouts",
        "All DeepBind experts' embeddings, read by the gate or without one, on six unseen factors",
        [
            ("readout", plain("readout")),
            ("validation", number("validation")),
            ("all peaks", number("roc_auc")),
            _DISJOINT,
        ],
        rows,
    )
