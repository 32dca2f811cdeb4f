"""Random backgrounds, free of matches that nobody planted."""

from __future__ import annotations

import numpy as np

from modelzoo.datasets.planted.scanner import Scanner

_CHUNK = 4096  # sequences scanned at once, so that their codes stay in the processor's cache
_DRAWS_PER_SEQUENCE = 500  # stop with an error where fewer than one background in 500 is clean


def background(shape: tuple[int, int], gc: float, rng: np.random.Generator) -> np.ndarray:
    """Return independent random bases as uint8 codes of a shape.

    Args:
        shape: (n, length).
        gc: The expected fraction of G and C.
        rng: The source of randomness.
    """
    either = rng.integers(0, 2, shape, dtype=np.uint8)
    if gc == 0.5:
        return rng.integers(0, 2, shape, dtype=np.uint8) * np.uint8(2) + either
    strong = rng.random(shape, dtype=np.float32) < gc
    return np.where(strong, either + np.uint8(1), either * np.uint8(3))


def clean(
    codes: np.ndarray,
    planted: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    scanner: Scanner,
    gc: float,
    rng: np.random.Generator,
) -> None:
    """Draw the background again, in place, wherever it makes a match that nobody planted.

    Args:
        codes: (n, length).
        planted: True on the positions of planted instances, which stay, (n, length).
        starts: The starts of the planted instances, (n, slots).
        stops: Their ends; an empty slot has start = stop, (n, slots).
        scanner: Finds the matches.
        gc: The expected fraction of G and C.
        rng: The source of randomness.

    Raises:
        ValueError: Hardly any background is free of matches.
    """
    length = codes.shape[1]
    dirty = np.arange(len(codes))
    budget = _DRAWS_PER_SEQUENCE * max(len(codes), 20)
    while True:
        found = [
            rows[scanner.spurious(codes[rows], starts[rows], stops[rows])]
            for rows in np.array_split(dirty, -(-len(dirty) // _CHUNK))
        ]
        dirty = np.concatenate(found)
        if not len(dirty):
            return
        budget -= len(dirty)
        if budget < 0:
            raise ValueError(
                f"threshold: hardly any background of {length} bp with G+C {gc:.2f} is free of"
                f" matches above {scanner.threshold}; expected longer or more informative motifs, a"
                " higher threshold or a shorter sequence"
            )
        fresh = background((len(dirty), length), gc, rng)
        codes[dirty] = np.where(planted[dirty], codes[dirty], fresh)
