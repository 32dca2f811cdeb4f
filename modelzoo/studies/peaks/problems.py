"""The sequences that attributions are measured on: peaks with motif hits, and planted motifs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from memelite import fimo

from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.sequences import columns
from modelzoo.studies.peaks.compared import MAX_SHIFTS
from modelzoo.workers import threads

# The motif of each factor's peaks: of the family most enriched in the training peaks against their
# shuffles (JASPAR 2020, FIMO), the member that is expressed in the cell line. ARID3A's peaks in
# HepG2 are FOXA sites and FOXM1's in GM12878 BATF sites; neither's own motif is enriched in them.
MOTIFS = {"ARID3A": "MA0047.3", "FOXM1": "MA1634.1", "GATA3": "MA0037.3"}
FLANK = max(MAX_SHIFTS)  # real bases on each side of a planted window
WINDOW = 101


@dataclass(frozen=True, eq=False)
class Problem:
    """The sequences that the attributions of a factor's models are measured on.

    Attributes:
        factor: The factor.
        peaks: Codes of real peaks. Shape (n, L).
        hits: True on the JASPAR hits of the factor's motif in them. Shape (n, L).
        planted: Codes of sequences with one planted motif, `FLANK` bases more on each side than
            the window. Shape (m, WINDOW + 2 * FLANK).
        truth: True on the planted motif. Same shape.
    """

    factor: str
    peaks: np.ndarray
    hits: np.ndarray
    planted: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, factor: str, peaks: np.ndarray, *, planted: int, seed: int) -> Problem:
        """Look for the factor's motif in its peaks, and plant it in a random background.

        Args:
            factor: One of `MOTIFS`.
            peaks: Codes of real peaks. Shape (n, L).
            planted: How many sequences to plant it in.
            seed: Of the planted sequences.
        """
        if factor not in MOTIFS:
            raise ValueError(f"factor: expected one of {', '.join(MOTIFS)}, got {factor!r}")
        simulation = Simulation.from_toml(
            f"""
            length = {WINDOW + 2 * FLANK}
            region = 61
            trim = 0
            [motifs.{factor}]
            matrix = "{MOTIFS[factor]}"
            [[positives]]
            share = 1
            motifs = ["{factor}"]
            [[negatives]]
            share = 1
            motifs = []
            """,
            name=f"planted {factor}",
        )
        batch = simulation.sample(planted, seed=seed, positives=planted)
        motif = simulation.motifs[0]
        return cls(factor, peaks, _hits(peaks, motif.name, motif.matrix), batch.codes, batch.mask())


def window(flanked: Any) -> Any:
    """Return what lies between the flanks of `Problem.planted` or `Problem.truth`."""
    return flanked[..., FLANK : FLANK + WINDOW]


def _hits(codes: np.ndarray, name: str, matrix: np.ndarray) -> np.ndarray:
    """True on the FIMO hits (p < 0.0001) of a motif, on either strand. Shape (n, L)."""
    mask = np.zeros(codes.shape, dtype=bool)
    with threads(torch.get_num_threads()):  # numba, inside, sets the number that torch uses too
        for hit in fimo({name: matrix}, columns(codes).numpy(), threshold=1e-4)[0].itertuples():
            mask[int(hit.sequence_name), int(hit.start) : int(hit.end)] = True
    return mask
