"""Filters to motifs: what the sequences look like that a filter answers to.

A filter's motif is made of every window, in correctly predicted sequences, whose activation reaches
half of the filter's maximum there (Novakovsky et al. 2023, Methods).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.motifs.motif import Motif
from modelzoo.sequences import columns

BATCH = 256


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
    """The motif of each filter; None for a filter that nothing activates.

    The sequences are gone through twice, in batches: for the maxima, then for the counts. Windows
    that stick out of the sequence, or hold an ambiguous letter, do not count.

    Args:
        activations: Takes one-hot sequences (B, 4, L), gives the filters' activations
            (B, filters, positions), such as `explainn.activations`.
        codes: The sequences as of `modelzoo.sequences.encode`, (n, L); see
            :func:`correctly_predicted`.
        width: Of the filters.
        first: Where the window of the first position starts: -p for a convolution padded by p.
        fraction: Of the maximum that a window must reach.
        name: Of the filters, which become `unit-0`, `unit-1` and so on.
        batch_size: How many sequences at once; it changes no result.

    Raises:
        ValueError: There is no sequence, or the activations have another shape.
    """
    if not len(codes):
        raise ValueError("codes: expected at least one sequence, got none")
    if not 0 < fraction <= 1:
        raise ValueError(f"fraction: expected a number above 0 and up to 1, got {fraction}")

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        """The activations that count, the others -inf, and the windows (B, positions, 4 width)."""
        for start in range(0, len(codes), batch_size):
            part = codes[start : start + batch_size]
            found = activations(columns(part)).cpu()
            if found.ndim != 3 or len(found) != len(part):
                raise ValueError(
                    f"activations: expected ({len(part)}, filters, positions), got"
                    f" {tuple(found.shape)}"
                )
            left, right = -first, first + found.shape[2] - 1 + width - part.shape[1]
            if left < 0 or right - left not in (0, 1):  # 1: an even width, padded to "same"
                raise ValueError(
                    f"width: {found.shape[2]} positions of {width} from {first} do not fit"
                    f" {part.shape[1]} letters; expected the filters' width and padding"
                )
            one_hot = torch.from_numpy((part[:, None] == np.arange(4)[:, None]).astype(np.float32))
            windows = F.pad(one_hot, (left, right)).unfold(2, width, 1).transpose(1, 2).flatten(2)
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


@torch.no_grad()
def correctly_predicted(
    model: nn.Module, codes: np.ndarray, labels: np.ndarray, *, batch_size: int = BATCH
) -> np.ndarray:
    """True for the sequences of which the model predicts every known label. Shape (n,).

    Args:
        model: In eval mode; gives logits (B, tasks).
        codes: Shape (n, L).
        labels: 0 and 1, and NaN where nobody knows. Shape (n, tasks), or (n,) for one task.
        batch_size: How many sequences at once.
    """
    parts = [
        model(columns(codes[start : start + batch_size]).to(next(model.parameters()).device))
        for start in range(0, len(codes), batch_size)
    ]
    predicted = torch.cat(parts).cpu().numpy() > 0
    known = np.asarray(labels, dtype=float).reshape(len(codes), -1)
    if known.shape != predicted.shape:
        raise ValueError(f"labels: expected {predicted.shape}, got {known.shape}")
    return ((predicted == (known > 0.5)) | np.isnan(known)).all(1)
