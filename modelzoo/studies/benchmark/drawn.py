"""Labelled sequences with the truth about each position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FLANK = 8  # real bases on either side of what a model sees: how far its window can move


@dataclass(frozen=True, eq=False)
class Drawn:
    """Labelled sequences with the truth about each position.

    Attributes:
        codes: Bases as of `modelzoo.sequences.encode`, (n, length + 2 * FLANK).
        labels: 1 for positives, (n,).
        truth: True where the label is decided, same shape as the codes.
        decoys: True on a motif that means nothing, same shape.
    """

    codes: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    decoys: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    @staticmethod
    def window(flanked: np.ndarray) -> np.ndarray:
        """Return what a model sees of an array with flanks, as a copy."""
        return np.ascontiguousarray(flanked[:, FLANK:-FLANK])

    def rows(self, kept: np.ndarray) -> Drawn:
        """Return some of the sequences."""
        parts = (self.codes, self.labels, self.truth, self.decoys)
        return Drawn(*(part[kept] for part in parts))
