"""Where motifs are in sequences (FIMO, by memelite), and how well they tell sequences apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from modelzoo.motifs.motif import Motif

if TYPE_CHECKING:
    from pandas import DataFrame

P_VALUE = 1e-4  # FIMO's own
FLOOR = 0.001  # of a probability, before its logarithm
BATCH = 512


def find_instances(
    motifs: Sequence[Motif], codes: np.ndarray, *, p_value: float = P_VALUE
) -> DataFrame:
    """The instances of motifs on either strand, as a table.

    Its columns are sequence (its row in codes), motif (its name), start, stop (half open), strand,
    score and p_value. Of instances of one motif that overlap, the best stays.

    Args:
        motifs: With names that differ, trimmed to what says something.
        codes: The sequences, as of `modelzoo.sequences.encode`, (n, L).
        p_value: Of a match in a uniform background. No motif of six positions or fewer reaches
            the default.
    """
    import pandas
    from memelite import fimo

    columns = ["sequence", "motif", "start", "stop", "strand", "score", "p_value"]
    fitting = {m.name: m.matrix for m in motifs if m.width <= codes.shape[1]}
    if not fitting or not len(codes):
        return pandas.DataFrame(columns=columns)
    one_hot = (codes[:, None] == np.arange(4)[:, None]).astype(np.float32)
    hits = pandas.concat(fimo(fitting, one_hot, threshold=p_value), ignore_index=True)
    hits = hits.rename(
        columns={
            "sequence_name": "sequence",
            "motif_name": "motif",
            "end": "stop",
            "p-value": "p_value",
        }
    )[columns]
    kept = _without_overlaps(hits.sort_values(["p_value", "score"], ascending=[True, False]))
    return kept.sort_values(["sequence", "start", "motif"], ignore_index=True)


def best_hits(motifs: Sequence[Motif], codes: np.ndarray) -> np.ndarray:
    """The log-odds, in bits, of each motif's best window on either strand. Shape (n, motifs).

    Args:
        motifs: Not wider than the sequences.
        codes: The sequences, (n, L); ambiguous letters add nothing.
    """
    hits = np.empty((len(codes), len(motifs)), dtype=np.float32)
    weights = []
    for motif in motifs:
        if motif.width > codes.shape[1]:
            raise ValueError(
                f"motifs: expected {codes.shape[1]} positions or fewer, got {motif.width} in"
                f" {motif.name!r}"
            )
        odds = np.log2((motif.matrix + FLOOR) / (1 + 4 * FLOOR) / 0.25)
        weights.append(torch.from_numpy(np.stack([odds, odds[::-1, ::-1]])).float())
    for start in range(0, len(codes), BATCH):
        part = codes[start : start + BATCH]
        one_hot = torch.from_numpy((part[:, None] == np.arange(4)[:, None]).astype(np.float32))
        for column, pair in enumerate(weights):
            scores = torch.nn.functional.conv1d(one_hot, pair)
            hits[start : start + len(part), column] = scores.amax((1, 2)).numpy()
    return hits


def performances(motifs: Sequence[Motif], codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How well each motif's best hit alone tells positives from negatives. Shape (motifs,).

    This is the area under the precision-recall curve (Novakovsky et al. 2023, "De novo PWMs").

    Args:
        motifs: Not wider than the sequences.
        codes: Shape (n, L).
        labels: 0 or 1. Shape (n,).
    """
    return np.array([average_precision(hits, labels) for hits in best_hits(motifs, codes).T])


def average_precision(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area under the precision-recall curve.

    Args:
        scores: Shape (n,).
        labels: 0 or 1. Shape (n,).
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))


def _without_overlaps(hits: DataFrame) -> DataFrame:
    """The hits, best first, less those that overlap a better one of their motif and sequence."""
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
