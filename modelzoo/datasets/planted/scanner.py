"""Matches of motifs in sequences: the score of a window, and the matches that nobody planted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from modelzoo.motifs import Motif

Score = Literal["log-odds", "mean-probability"]

_SEED_BASES = 8  # a window is looked up by its first 8 bases: 4 ** 8 codes fit 16 bits


def match_scores(
    codes: np.ndarray,
    motif: Motif,
    score: Score = "log-odds",
    *,
    reverse_complement: bool = False,
) -> np.ndarray:
    """Return how well a motif matches at every position, (n, length - width + 1).

    - `"log-odds"`: the log-odds of the bases seen against a uniform background, as a fraction of
      the largest that the motif can reach. 1 is the consensus, for any motif. The probabilities
      are floored at 0.01, so that a base never seen in a small matrix is unlikely, not impossible.
    - `"mean-probability"`: the mean probability of the bases seen. The consensus of a weak motif
      stays well below 1: at a threshold of 0.9 such a motif is never found, hence never removed
      (0.86 for SPI1, 0.88 for GATA1, 0.81 for TAL1).

    Args:
        codes: Sequences as codes 0-3, (n, length).
        motif: The motif to look for.
        score: Which of the two scores.
        reverse_complement: Look for the motif on the other strand.
    """
    weights = _weights(motif.reverse_complement() if reverse_complement else motif, score)
    windows = np.lib.stride_tricks.sliding_window_view(codes, motif.width, axis=1)
    return weights[windows, np.arange(motif.width)].sum(axis=-1)


class Scanner:
    """Finds matches that nobody planted.

    A window can score above the threshold only if its first eight bases allow it, so one look in a
    table of all 8-mers discards nearly every window, and only the rest are scored in full.

    Args:
        motifs: The motifs to look for, on both strands.
        score: How a window is scored, see `match_scores`.
        threshold: The score above which a window is a match.
    """

    def __init__(self, motifs: Sequence[Motif], score: Score, threshold: float) -> None:
        self.threshold = threshold
        self.weights = [
            _weights(strand, score)
            for motif in motifs
            for strand in (motif, motif.reverse_complement())
        ]
        self.possible = np.zeros(4**_SEED_BASES, dtype=bool)
        for weights in self.weights:
            head, tail = weights[:, :_SEED_BASES], weights[:, _SEED_BASES:]
            best = np.zeros(1)
            for column in head.T:
                best = (best[:, None] + column).ravel()
            best = best + tail.max(axis=0).sum()
            # The slack keeps windows that only rounding puts below the threshold.
            self.possible |= np.repeat(best > threshold - 1e-9, 4**_SEED_BASES // len(best))

    def spurious(self, codes: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """Return which sequences hold a match that is not wholly inside a planted instance, (n,).

        A window inside an instance is exempt whatever motif it matches: redrawing the background
        cannot change it (a palindrome, for one, matches on both strands).

        Args:
            codes: (n, length).
            starts: The starts of the planted instances, (n, slots).
            stops: Their ends; an empty slot has start = stop, (n, slots).
        """
        rows, positions = np.nonzero(self.possible[_seeds(codes)])
        spurious = np.zeros(len(codes), dtype=bool)
        for weights in self.weights:
            width = weights.shape[1]
            fits = positions <= codes.shape[1] - width
            row, start = rows[fits], positions[fits]
            windows = codes[row[:, None], start[:, None] + np.arange(width)]
            hit = weights[windows, np.arange(width)].sum(axis=1) > self.threshold
            row, start = row[hit], start[hit, None]
            planted = (start >= starts[row]) & (start + width <= stops[row])
            spurious[row[~planted.any(axis=1)]] = True
        return spurious


def _seeds(codes: np.ndarray) -> np.ndarray:
    """Return the 8-mer at every position as a uint16, As added at the end, (n, length)."""
    padded = np.pad(codes, ((0, 0), (0, _SEED_BASES - 1)))
    pairs = padded[:, :-1] * np.uint8(4) + padded[:, 1:]
    fours = pairs[:, :-2] * np.uint8(16) + pairs[:, 2:]
    return fours[:, :-4].astype(np.uint16) * np.uint16(256) + fours[:, 4:]


def _weights(motif: Motif, score: Score) -> np.ndarray:
    """Return what each base adds to the match score, (4, width)."""
    if score == "mean-probability":
        return motif.matrix / motif.width
    odds = np.log2(np.maximum(motif.matrix, 0.01) / 0.25)
    return odds / odds.max(axis=0).sum()
