"""Motifs of filters: the sequences that activate a filter, aligned and counted.

A filter's motif counts every window, in correctly predicted sequences, whose activation reaches
half of the filter's maximum there (Novakovsky et al. 2023, Methods).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.motifs.motif import Motif
from modelzoo.sequences import columns, in_batches

BATCH = 256  # sequences at once; changes time and memory, never a result


@torch.no_grad()
def filter_motifs(
    activations: Callable[[Tensor], Tensor],
    codes: np.ndarray,
    width: int,
    *,
    first: int = 0,
    fraction: float = 0.5,
    name: str = "unit",
    batch_size: int = BATCH,
) -> list[Motif | None]:
    """Return the motif of each filter; None for a filter that nothing activates.

    The sequences are read twice, in batches: for the maxima, then for the counts. Windows that
    stick out of the sequence, or hold an ambiguous letter, do not count.

    Args:
        activations: Takes one-hot sequences (B, 4, L), gives the filters' activations
            (B, filters, positions), such as `explainn.activations`.
        codes: The sequences as made by `modelzoo.sequences.encode`, (n, L), best those of
            `correctly_predicted`.
        width: Width of the filters.
        first: Where the window of the first position starts: -p for a convolution padded by p.
        fraction: The fraction of a filter's maximum that a window must reach.
        name: The filters become `unit-0`, `unit-1` and so on.
        batch_size: Sequences at once.

    Raises:
        ValueError: There is no sequence, or the activations have another shape.
    """
    if not len(codes):
        raise ValueError("codes: expected at least one sequence, got none")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: expected a number above 0 and up to 1, got {fraction}")

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the activations, -inf where they do not count, and the windows (B, P, 4 width)."""
        for part in torch.from_numpy(codes).split(batch_size):
            found = activations(columns(part)).cpu()
            windows = _windows(part, found, width, first)
            whole = windows.sum(2) == width
            yield found.masked_fill(~whole[:, None], -torch.inf), windows

    best = torch.stack([found.amax((0, 2)) for found, _ in batches()]).amax(0)
    threshold = torch.where(best > 0, best * fraction, torch.inf)
    counts = torch.zeros(len(best), 4 * width, dtype=torch.float64)
    for found, windows in batches():
        hits = (found >= threshold[:, None]).float()
        counts += hits.transpose(0, 1).flatten(1) @ windows.flatten(0, 1)
    motifs: list[Motif | None] = []
    for index, matrix in enumerate(counts.reshape(-1, 4, width).numpy()):
        sites = int(matrix[:, 0].sum())
        motifs.append(Motif(f"{name}-{index}", matrix / sites, sites) if sites else None)
    return motifs


def correctly_predicted(
    model: nn.Module, codes: np.ndarray, labels: np.ndarray, *, batch_size: int = BATCH
) -> np.ndarray:
    """Return for which sequences the model predicts every known label, (n,) bool.

    Args:
        model: In eval mode; gives logits (B, tasks).
        codes: (n, L).
        labels: 0 and 1, and NaN where the label is unknown, (n, tasks), or (n,) for one task.
        batch_size: Sequences at once.
    """
    predicted = in_batches(model, codes, batch_size=batch_size).numpy() > 0
    known = np.asarray(labels, dtype=float).reshape(len(codes), -1)
    if known.shape != predicted.shape:
        raise ValueError(f"labels: expected {predicted.shape}, got {known.shape}")
    return ((predicted == (known > 0.5)) | np.isnan(known)).all(1)


def _windows(codes: Tensor, found: Tensor, width: int, first: int) -> Tensor:
    """Return the one-hot window of each activation, (B, positions, 4 width)."""
    if found.ndim != 3 or len(found) != len(codes):
        raise ValueError(
            f"activations: expected ({len(codes)}, filters, positions), got {tuple(found.shape)}"
        )
    left, right = -first, first + found.shape[2] - 1 + width - codes.shape[1]
    if left < 0 or right - left not in (0, 1):  # 1: an even width, padded to "same"
        raise ValueError(
            f"width: {found.shape[2]} positions of {width} from {first} do not fit"
            f" {codes.shape[1]} letters; expected the filters' width and padding"
        )
    padded = F.pad(columns(codes, ambiguous=0), (left, right))
    return padded.unfold(2, width, 1).transpose(1, 2).flatten(2)
