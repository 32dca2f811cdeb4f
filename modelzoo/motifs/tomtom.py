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
        p_value: P-value of the best alignment, over both strands.
        q_value: The smallest false discovery rate, over the whole database, that includes it.
        orientation: `+`, or `-` where the reverse complement of the target fits the query.
        offset: Where the query starts, in positions of the oriented target.
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
        """The target, turned as it fits the query."""
        return self.target if self.orientation == "+" else self.target.reverse_complement()


class Comparison(NamedTuple):
    """Queries against targets, each array (queries, targets)."""

    p_values: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray
    overlaps: np.ndarray
    reversed: np.ndarray


def tomtom(queries: Sequence[Motif], targets: Sequence[Motif]) -> Comparison:
    """Return how well each query aligns with each target, on either strand.

    Args:
        queries: The motifs to compare.
        targets: The motifs to compare with. Tomtom's p-values depend on them; fewer than 25 give
            unreliable ones.
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
    """Return the matches of each motif in the database, the best first.

    The q-value of a match is Benjamini and Hochberg's, over one query against the whole database.
    Uninformative flanks are not compared, and a motif without an informative position has no match:
    Tomtom takes one flat column to be as good as another, so flat motifs, which training leaves
    behind, would match the flat columns of long motifs with p-values below 1e-10.

    Args:
        motifs: The queries.
        database: Motifs with titles; JASPAR's vertebrates by default.
        q_value: Matches above it are left out.
    """
    from scipy.stats import false_discovery_control

    database = jaspar() if database is None else database
    informative = [row for row, motif in enumerate(motifs) if motif.informative.any()]
    matches: list[list[Match]] = [[] for _ in motifs]
    if not informative:
        return matches
    found = tomtom([motifs[row].trimmed() for row in informative], database)
    # Rounding can put p-values slightly outside [0, 1].
    q_values = false_discovery_control(found.p_values.clip(0, 1), axis=1)
    for index, row in enumerate(informative):
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
    """Return the title of a motif's best match, or an empty string.

    Args:
        matches: The matches of one motif, the best first.
    """
    return matches[0].target.title if matches else ""
