"""Filters to start an ExplaiNN from: JASPAR's motifs, resized, without redundancy, both strands.

Redundancy is removed by farthest-point sampling: from the motif that resembles the others least, on
to the one that resembles those already taken least, by Tomtom (Novakovsky et al. 2023,
"Plug-and-play").
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from modelzoo.motifs import Motif, tomtom
from modelzoo.motifs import jaspar as profiles

BACKGROUND = 0.25


def jaspar_filters(
    count: int, width: int = 19, database: Sequence[Motif] | None = None
) -> tuple[Tensor, tuple[str, ...]]:
    """Return 2 * count filters (2 * count, 4, width) and the names of their motifs.

    A filter is the probabilities less 0.25; the second half are the reverse complements of the
    first, in the same order.

    Args:
        count: How many motifs.
        width: Width of the filters, in positions.
        database: Where the motifs are from; JASPAR's vertebrates by default.
    """
    database = profiles() if database is None else database
    chosen = [database[i] for i in farthest(dissimilarity(database), count)]
    forward = np.stack([resized(motif.matrix, width) for motif in chosen]) - BACKGROUND
    both = np.concatenate([forward, forward[:, ::-1, ::-1]])
    names = [motif.title for motif in chosen]
    strands = (*names, *(f"{name} (reverse)" for name in names))
    return torch.from_numpy(both).float(), strands


def resized(matrix: np.ndarray, width: int) -> np.ndarray:
    """Return a matrix (4, w) as one of (4, width).

    A narrower one is put in the middle of columns that say nothing; of a wider one the most
    informative stretch is kept.
    """
    spare = width - matrix.shape[1]
    if spare >= 0:
        left = spare // 2
        return np.pad(matrix, ((0, 0), (left, spare - left)), constant_values=BACKGROUND)
    bits = (matrix * np.log2(np.maximum(matrix, 1e-9) / BACKGROUND)).sum(axis=0)
    start = int(np.convolve(bits, np.ones(width), "valid").argmax())
    return matrix[:, start : start + width]


def dissimilarity(motifs: Sequence[Motif]) -> np.ndarray:
    """Return how little motifs resemble each other, (n, n): the mean of both ways' log p-values.

    0 is most unlike; the more alike, the lower.
    """
    logs = np.log10(tomtom(motifs, motifs).p_values.clip(1e-30, 1))
    return (logs + logs.T) / 2


def farthest(distances: np.ndarray, count: int) -> list[int]:
    """Return `count` points, each the farthest from those before it; ties to the first.

    Args:
        distances: Symmetric, (n, n). The first point is the one that is farthest from the others
            on average.
        count: How many, up to n.
    """
    if not 1 <= count <= len(distances):
        raise ValueError(f"count: expected 1 to {len(distances)}, got {count}")
    others = distances.sum(axis=1) - np.diag(distances)
    chosen = [int(others.argmax())]
    nearest = distances[chosen[0]].copy()
    while len(chosen) < count:
        nearest[chosen] = -np.inf
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return chosen
