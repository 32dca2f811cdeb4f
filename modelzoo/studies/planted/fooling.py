"""Sequences made from a network's own filters to fool it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from modelzoo.datasets.planted.simulation import Scanner, SimulatedSet, Simulation

BEAM = 2048  # words that are searched for one without a match


def without_motifs(
    weight: Tensor, simulation: Simulation, n: int, *, seed: int
) -> np.ndarray | None:
    """Return sequences that excite filters and hold no motif: negatives. Shape (n, length).

    Each filter's most activating word that matches no motif, strung together at random.

    Args:
        weight: The filters, (filters, 4, width).
        simulation: Whose motifs must not match.
        n: How many.
        seed: Of the order.

    Returns:
        None where no filter has such a word, or none may follow another.
    """
    return _strung(extreme_words(weight, simulation), simulation, n, seed)


def amid_dullness(weight: Tensor, simulation: Simulation, n: int, *, seed: int) -> SimulatedSet:
    """Return positives whose background excites the filters as little as can be.

    Args:
        weight: The filters, (filters, 4, width).
        simulation: What to plant.
        n: How many.
        seed: Of motifs and order.
    """
    batch = simulation.sample(n, seed=seed, positives=n)
    background = _strung(extreme_words(-weight, simulation), simulation, n, seed)
    if background is None:
        return batch
    return replace(batch, codes=np.where(batch.mask(), batch.codes, background))


def extreme_words(weight: Tensor, simulation: Simulation) -> list[np.ndarray]:
    """Return each filter's most activating word that holds no match; some have none.

    A filter's response is a sum over positions, so the best words are found position by position,
    keeping the best `BEAM` beginnings.
    """
    scanner = Scanner(simulation.motifs, simulation.score, simulation.threshold)
    nobody = np.zeros((BEAM, 1), dtype=int)
    words = []
    for letters in weight.detach().double().numpy():
        if not letters.any():
            continue
        codes, scores = np.empty((1, 0), dtype=np.uint8), np.zeros(1)
        for column in letters.T:
            scores = (scores[:, None] + column).ravel()
            longer = np.tile(np.arange(4, dtype=np.uint8), len(codes))[:, None]
            codes = np.concatenate([codes.repeat(4, axis=0), longer], axis=1)
            best = np.argsort(-scores, kind="stable")[:BEAM]
            codes, scores = codes[best], scores[best]
        matched = scanner.spurious(codes, nobody[: len(codes)], nobody[: len(codes)])
        clean = np.flatnonzero(~matched)
        if len(clean):
            words.append(codes[clean[0]])
    return words


def _strung(
    words: Sequence[np.ndarray], simulation: Simulation, n: int, seed: int
) -> np.ndarray | None:
    """Sequences of the words in random order, without a match at any junction.

    Which word may follow which is known from pairs, for no motif is longer than a word by two.
    """
    if not words:
        return None
    k, width = len(words), len(words[0])
    listed = np.stack(words)
    pairs = np.concatenate([listed.repeat(k, axis=0), np.tile(listed, (k, 1))], axis=1)
    nobody = np.zeros((k * k, 1), dtype=int)
    scanner = Scanner(simulation.motifs, simulation.score, simulation.threshold)
    follows = ~scanner.spurious(pairs, nobody, nobody).reshape(k, k)
    while (ends := follows.any(axis=0) & ~follows.any(axis=1)).any():
        follows[:, ends] = False
    if not follows.any():
        return None
    rng = np.random.default_rng(seed)
    chosen = [rng.choice(np.flatnonzero(follows.any(axis=1)), n)]
    for _ in range(-(-simulation.length // width) - 1):
        chosen.append(np.array([rng.choice(np.flatnonzero(follows[last])) for last in chosen[-1]]))
    return listed[np.stack(chosen, axis=1)].reshape(n, -1)[:, : simulation.length]
