"""Overlap: which sequences have a stretch of bases in common with others, on either strand.

Peaks of different factors often lie at the same place of the genome. A test peak that a model has
seen a good part of in training, under another name, says little about how the model generalises.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from modelzoo.datasets.peaks import Source, read_peaks

BASES = 40


def overlapping(codes: np.ndarray, sources: Iterable[Source], bases: int = BASES) -> np.ndarray:
    """Return which sequences share a stretch with a peak of any of the sources, (N,) bool.

    Args:
        codes: (N, L) codes as of `modelzoo.sequences.encode`.
        sources: Data sets or files of peaks, as `modelzoo.datasets.peaks.read_peaks` takes them.
        bases: The length of a stretch, 2 to 40.
    """
    stretches = Stretches(codes, bases)
    shared = np.zeros(len(codes), dtype=bool)
    for source in sources:
        shared |= stretches.shared_with(read_peaks(source))
    return shared


class Stretches:
    """All stretches of so many bases of some sequences, to look for in others.

    A stretch is two halves of 2 bits a base, as numbers. The number of a first half among all
    first halves, and the second half, are one number of 64 bits: equal stretches are equal numbers,
    and no others are.

    Args:
        codes: (N, L) codes as of `modelzoo.sequences.encode`. A stretch with an ambiguous base is
            none.
        bases: The length of a stretch, 2 to 40.
    """

    def __init__(self, codes: np.ndarray, bases: int = BASES) -> None:
        if not 2 <= bases <= 40:
            raise ValueError(f"bases: expected 2 to 40, got {bases}")
        self.count, self.bases = len(codes), bases
        first, second, known = _stretches(codes, bases)
        rows, first, second = known.nonzero()[0], first[known], second[known]
        self._first, number = np.unique(first, return_inverse=True)
        self._seen = np.zeros(_SLOTS, dtype=bool)
        self._seen[first % _SLOTS] = True
        keys = self._keys(number, second)
        order = keys.argsort()
        self._sorted, self._rows = keys[order], rows[order]

    def shared_with(self, others: np.ndarray) -> np.ndarray:
        """Return which of the N sequences have a stretch in common with any of (M, L'), (N,) bool.

        Args:
            others: Codes of other sequences, of any length.
        """
        keys = [
            self._known_keys(part) for part in np.split(others, range(_ROWS, len(others), _ROWS))
        ]
        shared = np.zeros(self.count, dtype=bool)
        found = np.sort(np.concatenate(keys))
        if len(found):
            place = np.searchsorted(found, self._sorted).clip(max=len(found) - 1)
            shared[self._rows[found[place] == self._sorted]] = True
        return shared

    def _known_keys(self, codes: np.ndarray) -> np.ndarray:
        """Return the keys of all stretches whose first half is among those of the sequences."""
        first, second, known = _stretches(codes, self.bases)
        maybe = self._seen[first % _SLOTS] & known
        first, second = first[maybe], second[maybe]
        place = np.searchsorted(self._first, first).clip(max=len(self._first) - 1)
        known = self._first[place] == first if len(self._first) else np.zeros(len(first), bool)
        return self._keys(place[known], second[known])

    def _keys(self, number: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Return keys, of the number of the first half among all first halves and the second."""
        return (number.astype(np.uint64) << np.uint64(2 * (self.bases - self.bases // 2))) | second


_SLOTS = 1 << 24  # of a table that tells at once that a first half is not there
_ROWS = 2048  # sequences at once, so that their stretches stay in the processor's cache


def _stretches(codes: np.ndarray, bases: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first half, second half and whether all bases are known, of every stretch.

    Of a stretch and its reverse complement the lesser one stands for both.
    """
    half = bases // 2
    starts = max(0, codes.shape[1] - bases + 1)
    first, last = _numbers(codes, half), _numbers(codes, bases - half)
    forward = first[:, :starts], last[:, half:]
    first, last = _numbers(codes, half, reverse=True), _numbers(codes, bases - half, reverse=True)
    backward = first[:, bases - half :], last[:, :starts]
    lesser = (backward[0] < forward[0]) | ((backward[0] == forward[0]) & (backward[1] < forward[1]))
    unknown = np.cumsum(np.pad(codes > 3, ((0, 0), (1, 0))), axis=1, dtype=np.int32)
    known = unknown[:, bases:] == unknown[:, :starts]
    return (
        np.where(lesser, backward[0], forward[0]),
        np.where(lesser, backward[1], forward[1]),
        known,
    )


def _numbers(codes: np.ndarray, width: int, reverse: bool = False) -> np.ndarray:
    """Return every stretch of `width` bases as a number, (N, L) -> (N, L - width + 1).

    Args:
        codes: (N, L); an unknown base counts as any.
        width: Bases of a stretch.
        reverse: Return the reverse complement of each stretch instead.
    """
    if width == 1:
        return ((3 - codes if reverse else codes) & 3).astype(np.uint64)
    half, count = width // 2, max(0, codes.shape[1] - width + 1)
    left = _numbers(codes, half, reverse)
    right = left if width == 2 * half else _numbers(codes, width - half, reverse)
    left, right = left[:, :count], right[:, half : half + count]
    high, low, bits = (right, left, 2 * half) if reverse else (left, right, 2 * (width - half))
    return (high << np.uint64(bits)) | low
