"""Motifs of attributions: TF-MoDISco, as modisco-lite has it, with the settings of its command."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelzoo.errors import working
from modelzoo.files import replacing
from modelzoo.motifs.motif import Motif

SEQLETS = 2000  # at most, of either sign
# The settings of the command `modisco motifs`; the function's own defaults are older.
SETTINGS = {
    "sliding_window_size": 20,
    "flank_size": 5,
    "n_leiden_runs": 2,
    "initial_flank_to_add": 10,
}
TRIM = 0.3  # of the largest contribution, as in `modisco report`


@dataclass(frozen=True, eq=False)
class Pattern:
    """A motif that occurs many times in attributions.

    Attributes:
        motif: Named `pos-0`, `pos-1`, ... where it raises the prediction, `neg-0`, ... where it
            lowers it; the most frequent first. Its sites are TF-MoDISco's seqlets.
        contributions: The mean attribution of the letters present, (4, width).
    """

    motif: Motif
    contributions: np.ndarray


def modisco(
    one_hot: np.ndarray,
    hypothetical: np.ndarray,
    *,
    max_seqlets: int = SEQLETS,
    results: Path | None = None,
) -> list[Pattern]:
    """Return the motifs of attributions, trimmed to the positions that contribute; maybe none.

    TF-MoDISco finds no motif of fewer than 100 seqlets: give it a few hundred sequences at least.

    Args:
        one_hot: The sequences, (n, 4, L); an ambiguous position may be all zero.
        hypothetical: The contribution that each letter has or would have, (n, 4, L), of any model
            by any method.
        max_seqlets: The largest number of seqlets of either sign.
        results: Where TF-MoDISco's own HDF5 file is written if there is a motif, in a folder that
            is created if missing; `modisco report` and Fi-NeMo read it.
    """
    from modiscolite.io import save_hdf5
    from modiscolite.tfmodisco import TFMoDISco

    if one_hot.shape != hypothetical.shape or one_hot.ndim != 3 or one_hot.shape[1] != 4:
        raise ValueError(
            "one_hot, hypothetical: expected both (n, 4, L), got"
            f" {one_hot.shape} and {hypothetical.shape}"
        )
    shortest = SETTINGS["sliding_window_size"] + 2 * SETTINGS["flank_size"]
    if one_hot.shape[2] < shortest:
        raise ValueError(f"one_hot: expected {shortest} positions or more, got {one_hot.shape[2]}")
    with working():
        found = TFMoDISco(
            one_hot=one_hot.transpose(0, 2, 1).astype(np.float64),
            hypothetical_contribs=hypothetical.transpose(0, 2, 1).astype(np.float64),
            max_seqlets_per_metacluster=max_seqlets,
            **SETTINGS,
        )
        if results is not None and any(found):
            results.parent.mkdir(parents=True, exist_ok=True)
            with replacing(results) as part:
                save_hdf5(part, *found, window_size=one_hot.shape[2])
    return [
        _pattern(f"{sign}-{rank}", pattern)
        for sign, patterns in zip(("pos", "neg"), found)
        for rank, pattern in enumerate(patterns or ())
    ]


def _pattern(name: str, pattern) -> Pattern:  # type: ignore[no-untyped-def]
    contributions = pattern.contrib_scores.T
    strength = np.abs(contributions).sum(0)
    kept = np.flatnonzero(strength >= TRIM * strength.max())
    columns = slice(kept[0], kept[-1] + 1)
    matrix = np.asarray(pattern.sequence).T[:, columns]
    motif = Motif(name, matrix / matrix.sum(0), len(pattern.seqlets))
    return Pattern(motif, contributions[:, columns])
