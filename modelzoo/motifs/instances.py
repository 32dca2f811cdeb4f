"""Where motifs are in sequences (FIMO, by memelite), and how well their best hits match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from modelzoo.motifs.motif import Motif
from modelzoo.sequences import columns, in_batches

if TYPE_CHECKING:
    from pandas import DataFrame

P_VALUE = 1e-4  # FIMO's own
FLOOR = 0.001  # of a probability, before its logarithm


def find_instances(
    motifs: Sequence[Motif], codes: np.ndarray, *, p_value: float = P_VALUE
) -> DataFrame:
    """Return the instances of motifs on either strand, as a table.

    Its columns are sequence (its row in codes), motif (its name), start, stop (half open), strand,
    score and p_value. Of instances of one motif that overlap, the best stays.

    Args:
        motifs: With names that differ, trimmed to their informative positions.
        codes: The sequences as made by `modelzoo.sequences.encode`, (n, L).
        p_value: The largest p-value of an instance, in a uniform background. No motif of six
            positions or fewer reaches the default.
    """
    import pandas
    from memelite import fimo

    names = ["sequence", "motif", "start", "stop", "strand", "score", "p_value"]
    fitting = {m.name: m.matrix for m in motifs if m.width <= codes.shape[1]}
    if not fitting or not len(codes):
        return pandas.DataFrame(columns=names)
    x = columns(codes, ambiguous=0).numpy()
    hits = pandas.concat(fimo(fitting, x, threshold=p_value), ignore_index=True)
    renamed = {"sequence_name": "sequence", "motif_name": "motif", "end": "stop"}
    hits = hits.rename(columns={**renamed, "p-value": "p_value"})[names]
    kept = _without_overlaps(hits.sort_values(["p_value", "score"], ascending=[True, False]))
    return kept.sort_values(["sequence", "start", "motif"], ignore_index=True)


def best_hits(motifs: Sequence[Motif], codes: np.ndarray) -> np.ndarray:
    """Return the log-odds, in bits, of each motif's best window on either strand, (n, motifs).

    Args:
        motifs: At least one, none wider than the sequences.
        codes: The sequences, (n, L); ambiguous letters add nothing.
    """
    for motif in motifs:
        if motif.width > codes.shape[1]:
            raise ValueError(
                f"motifs: expected {codes.shape[1]} positions or fewer, got {motif.width} in"
                f" {motif.name!r}"
            )
    weights = []
    for motif in motifs:
        odds = np.log2((motif.matrix + FLOOR) / (1 + 4 * FLOOR) / 0.25)
        weights.append(torch.from_numpy(np.stack([odds, odds[::-1, ::-1]])).float())

    def best(x: Tensor) -> Tensor:
        letters = (x == 1).float()
        scores = [torch.nn.functional.conv1d(letters, pair).amax((1, 2)) for pair in weights]
        return torch.stack(scores, dim=1)

    return in_batches(best, codes, batch_size=512).numpy()


def _without_overlaps(hits: DataFrame) -> DataFrame:
    """Return the hits, best first, less those that overlap a better one of the same motif."""
    taken: dict[tuple[int, str], list[tuple[int, int]]] = {}
    kept = []
    for sequence, motif, start, stop in zip(
        hits["sequence"], hits["motif"], hits["start"], hits["stop"]
    ):
        spans = taken.setdefault((sequence, motif), [])
        free = all(stop <= left or right <= start for left, right in spans)
        if free:
            spans.append((start, stop))
        kept.append(free)
    return hits[np.array(kept, dtype=bool)]
