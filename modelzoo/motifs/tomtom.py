"""Motifs compared with those of a database, by memelite's Tomtom."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from modelzoo.motifs.jaspar import jaspar
from modelzoo.motifs.motif import Motif


@dataclass(frozen=True, eq=False)
class Match:
    """A motif of the database that resembles a query.

    Attributes:
        target: The motif of the database.
        p_value: Of the best alignment, over both strands.
        q_value: The smallest false discovery rate at which it counts, among all of the database.
        orientation: `+`, or `-` where the reverse complement of the target fits the query.
        offset: Where the query starts, in positions of the target so oriented.
        overlap: How many positions the two share.
    """

    target: Motif
    p_value: float
    q_value: float
    orientation: str
    offset: int
    overlap: int

    @property
    def oriented(self) -> Motif:
        """The target as it fits the query."""
        return self.target if self.orientation == "+" else self.target.reverse_complement()


class Comparison(NamedTuple):
    """Queries against targets, each array (queries, targets)."""

    p_values: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray
    overlaps: np.ndarray
    reversed: np.ndarray


def tomtom(queries: Sequence[Motif], targets: Sequence[Motif]) -> Comparison:
    """How well each query aligns with each target, on either strand, by Tomtom's p-values.

    Args:
        queries: The motifs to compare.
        targets: With what; Tomtom's p-values depend on them, and fewer than 25 say little.
    """
    import torch
    from memelite import tomtom as compare

    threads = torch.get_num_threads()  # which memelite, through numba, sets for torch as well
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=RuntimeWarning)
            return Comparison(
                *compare([motif.matrix for motif in queries], [motif.matrix for motif in targets])
            )
    finally:
        torch.set_num_threads(threads)


def annotate(
    motifs: Sequence[Motif], database: Sequence[Motif] | None = None, *, q_value: float = 0.05
) -> list[list[Match]]:
    """The motifs of the database that each motif resembles, the best first.

    The q-value of a match is Benjamini and Hochberg's, over one query against the whole database.
    Flanks that say nothing are not compared, and a motif that says nothing nowhere has no match:
    to Tomtom one flat column is as good as another, so that flat motifs, which a training leaves
    behind, would resemble the flat columns of long motifs with p-values below 1e-10.

    Args:
        motifs: The queries.
        database: Of motifs with names; JASPAR's vertebrates by default.
        q_value: Matches above it are left out.
    """
    from scipy.stats import false_discovery_control

    database = jaspar() if database is None else database
    said = [row for row, motif in enumerate(motifs) if motif.informative.any()]
    matches: list[list[Match]] = [[] for _ in motifs]
    if not said:
        return matches
    found = tomtom([motifs[row].trimmed() for row in said], database)
    # Rounding takes p-values a hair out of [0, 1].
    q_values = false_discovery_control(found.p_values.clip(0, 1), axis=1)
    for index, row in enumerate(said):
        flank = int(motifs[row].informative.argmax())
        for column in np.lexsort((-found.scores[index], found.p_values[index])):
            if q_values[index, column] > q_value:
                break
            matches[row].append(
                Match(
                    target=database[column],
                    p_value=float(found.p_values[index, column]),
                    q_value=float(q_values[index, column]),
                    orientation="-" if found.reversed[index, column] else "+",
                    offset=int(found.offsets[index, column]) - flank,
                    overlap=int(found.overlaps[index, column]),
                )
            )
    return matches


def label(matches: Sequence[Match]) -> str:
    """The name of the best match, or nothing.

    Args:
        matches: Those of one motif.
    """
    return matches[0].target.title if matches else ""
