"""The motifs that a share of the sequences carries, and how they lie to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arrangement:
    """Motifs in a row, and the share of the sequences that carry them.

    Attributes:
        share: The fraction of the positives (or negatives) with this arrangement.
        motifs: Indices into `Simulation.motifs`, in order; empty for plain background.
        spacings: The numbers of bases allowed between one motif and the next, equally likely.
        rigid: Whether the arrangement is turned to the other strand as a whole. Otherwise each
            motif has a strand of its own, and their order is random.
    """

    share: float
    motifs: tuple[int, ...]
    spacings: tuple[int, ...] = ()
    rigid: bool = True
