"""Filters to start an ExplaiNN from: motifs of JASPAR that differ, of one width, on both strands.

Motifs are chosen by farthest-point sampling. The first is the motif that is least like the others,
and each further one is the motif that is least like those already chosen. Tomtom's p-values measure
the likeness (Novakovsky et al. 2023, "Plug-and-play").
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
        count: The number of motifs.
        width: Width of the filters, in positions.
        database: The motifs to choose from; JASPAR's vertebrates by default.
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

    A narrower matrix is put in the middle of uninformative columns. Of a wider matrix, the most
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
    """Return how unlike motifs are, (n, n): their log p-value, the mean of comparing either way.

    0 is most unlike. The more alike two motifs are, the lower the number.
    """
    logs = np.log10(tomtom(motifs, motifs).p_values.clip(1e-30, 1))
    return (logs + logs.T) / 2


def farthest(distances: np.ndarray, count: int) -> list[int]:
    """Return `count` points, each the farthest from those before it; ties to the first.

    Args:
        distances: Symmetric, (n, n). The first point is the one that is farthest from the others
            on average.
        count: The number of points, up to n.
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
