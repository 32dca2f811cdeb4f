"""Stretches of sequences in which a method sees a motif, ranked, against the planted ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from torch import nn

from modelzoo import motifs as motif_tools
from modelzoo.architectures.argminn import ARGMINN
from modelzoo.attribution.methods import Method, importance
from modelzoo.datasets.planted.simulation import SimulatedSet
from modelzoo.motifs import Motif
from modelzoo.sequences import columns
from modelzoo.studies.planted.motifs import hypothetical


class Found(NamedTuple):
    """A stretch of a sequence in which a method sees a motif; half open."""

    sequence: int
    start: int
    stop: int


def attended(model: ARGMINN, codes: np.ndarray) -> list[Found]:
    """Return ARGMINN's motif instances, surest first: by attention, then by activation."""
    ranked = model.instances(columns(codes), minimum=0.01)
    return collapsed(Found(i.sequence, i.start, i.start + model.width) for i in ranked)


def scanned(found: Sequence[Motif], codes: np.ndarray) -> list[Found]:
    """Return FIMO's instances of motifs, surest first."""
    hits = motif_tools.find_instances([motif.trimmed() for motif in found], codes)
    hits = hits.sort_values(["p_value", "score"], ascending=[True, False])
    return collapsed(map(Found._make, hits[["sequence", "start", "stop"]].to_numpy().tolist()))


def peaks(model: nn.Module, codes: np.ndarray, method: Method, *, seed: int) -> list[Found]:
    """Return stretches of high attribution (tangermeme's seqlets), surest first.

    Args:
        model: What to explain.
        codes: The sequences, (n, L).
        method: The attribution method.
        seed: Of shuffles.
    """
    from tangermeme.seqlet import recursive_seqlets

    x = columns(codes)
    contributions = hypothetical(model, x, method, seed=seed)
    seqlets = recursive_seqlets(importance(contributions, x))
    seqlets = seqlets.sort_values(["p-value", "attribution"], ascending=[True, False])
    rows = seqlets[["example_idx", "start", "end"]].to_numpy().tolist()
    return collapsed(map(Found._make, rows))


def collapsed(ranked: Iterable[Found]) -> list[Found]:
    """Return the ranked stretches without those that overlap with a surer one."""
    kept: list[Found] = []
    taken: dict[int, list[Found]] = {}
    for one in ranked:
        others = taken.setdefault(one.sequence, [])
        if all(one.stop <= other.start or other.stop <= one.start for other in others):
            others.append(one)
            kept.append(one)
    return kept


def right(ranked: Sequence[Found], batch: SimulatedSet) -> np.ndarray:
    """Return how many of the first 1, 2, ... stretches overlap with a planted instance."""
    mask = batch.mask()
    return np.cumsum([mask[one.sequence, one.start : one.stop].any() for one in ranked])
