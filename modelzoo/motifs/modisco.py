"""Attributions to motifs: TF-MoDISco, as modisco-lite has it, with its command's settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import numpy as np

from modelzoo.motifs.motif import Motif

SEQLETS = 2000  # at most, of either sign
# What `modisco motifs` sets; the function's own defaults are another, older choice.
SETTINGS = {
    "sliding_window_size": 20,
    "flank_size": 5,
    "n_leiden_runs": 2,
    "initial_flank_to_add": 10,
}
TRIM = 0.3  # of the largest contribution; what `modisco report` trims by


@dataclass(frozen=True, eq=False)
class Pattern:
    """A motif that attributions hold again and again.

    Attributes:
        motif: `pos-0`, `pos-1`, ... where it speaks for the prediction, `neg-0`, ... where against;
            the more frequent ones first. Its sites are TF-MoDISco's seqlets.
        contributions: The mean attribution of the letters present. Shape (4, width).
    """

    motif: Motif
    contributions: np.ndarray


def modisco(
    one_hot: np.ndarray, hypothetical: np.ndarray, *, max_seqlets: int = SEQLETS
) -> list[Pattern]:
    """The motifs of attributions, trimmed to where they contribute; none where there are none.

    TF-MoDISco finds no motif of fewer than 100 seqlets; a few hundred sequences are the least to
    try it on.

    Args:
        one_hot: The sequences, (n, 4, L); an ambiguous position may be all zero.
        hypothetical: What each letter would contribute, whether it is there or not: of any model by
            any method. Shape (n, 4, L).
        max_seqlets: How many of either sign it looks at, at most.
    """
    from modiscolite.tfmodisco import TFMoDISco

    if one_hot.shape != hypothetical.shape or one_hot.ndim != 3 or one_hot.shape[1] != 4:
        raise ValueError(
            "one_hot, hypothetical: expected both (n, 4, L), got"
            f" {one_hot.shape} and {hypothetical.shape}"
        )
    shortest = SETTINGS["sliding_window_size"] + 2 * SETTINGS["flank_size"]
    if one_hot.shape[2] < shortest:
        raise ValueError(f"one_hot: expected {shortest} positions or more, got {one_hot.shape[2]}")
    _keep_compiled()
    found = TFMoDISco(
        one_hot=one_hot.transpose(0, 2, 1).astype(np.float64),
        hypothetical_contribs=hypothetical.transpose(0, 2, 1).astype(np.float64),
        max_seqlets_per_metacluster=max_seqlets,
        **SETTINGS,
    )
    return [
        _pattern(f"{sign}-{rank}", pattern)
        for sign, patterns in zip(("pos", "neg"), found)
        for rank, pattern in enumerate(patterns or ())
    ]


@cache
def _keep_compiled() -> None:
    """Lets numba keep on disk what it compiles of modisco-lite: half a minute in every process."""
    from modiscolite import affinitymat, extract_seqlets, gapped_kmer, util
    from numba.core.dispatcher import Dispatcher

    for module in (affinitymat, extract_seqlets, gapped_kmer, util):
        for function in vars(module).values():
            if isinstance(function, Dispatcher):
                with suppress(RuntimeError):  # no folder to keep it in
                    function.enable_caching()


def _pattern(name: str, pattern) -> Pattern:  # type: ignore[no-untyped-def]
    contributions = pattern.contrib_scores.T
    strength = np.abs(contributions).sum(0)
    kept = np.flatnonzero(strength >= TRIM * strength.max())
    columns = slice(kept[0], kept[-1] + 1)
    matrix = np.asarray(pattern.sequence).T[:, columns]
    motif = Motif(name, matrix / matrix.sum(0), len(pattern.seqlets))
    return Pattern(motif, contributions[:, columns])
