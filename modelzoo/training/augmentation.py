"""Augmentation: the sequences of an epoch, changed a little at random before a model sees them.

| kind | what is done to every sequence |
|---|---|
| `"none"` | nothing |
| `"shifts"` | it is rolled by -10 to 10 bases: peaks come without their real flanks |
| `"mutations"` | each of its letters becomes another with a probability of 5 % |
| `"both"` | both |
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelzoo.sequences.encoding import AMBIGUOUS

KINDS = ("none", "shifts", "mutations", "both")
MAX_SHIFT = 10
MUTATED = 0.05
_STREAM = 2**31  # apart from the order and the negatives, which follow from the same seed


def augmented(codes: np.ndarray, kind: str, seed: Sequence[int]) -> np.ndarray:
    """Return changed sequences, (N, L) -> (N, L); those given stay as they are.

    Args:
        codes: Codes as made by `modelzoo.sequences.encode`. N stays N.
        kind: One of `KINDS`.
        seed: Decides what changes; several integers, such as a seed and an epoch, are one seed.
    """
    rng = np.random.default_rng((*seed, _STREAM))
    if kind in ("shifts", "both"):
        shifts = rng.integers(-MAX_SHIFT, MAX_SHIFT + 1, (len(codes), 1))
        codes = np.take_along_axis(codes, (np.arange(codes.shape[1]) - shifts) % codes.shape[1], 1)
    if kind in ("mutations", "both"):
        chosen = (rng.random(codes.shape) < MUTATED) & (codes < AMBIGUOUS)
        others = (codes + rng.integers(1, 4, codes.shape, dtype=codes.dtype)) % 4
        codes = np.where(chosen, others, codes)
    return codes
