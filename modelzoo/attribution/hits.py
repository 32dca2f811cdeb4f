"""Hits: seqlets, which are short spans of high attribution, and motifs with their attribution.

Seqlets are called at a false discovery rate against shuffles, and motif instances by FIMO.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modelzoo.motifs.instances import P_VALUE, find_instances
from modelzoo.motifs.motif import Motif

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = ["sequence", "start", "stop", "attribution", "p_value"]


def motif_hits(
    motifs: Sequence[Motif], codes: np.ndarray, projected: np.ndarray, *, p_value: float = P_VALUE
) -> DataFrame:
    """Return the instances of motifs, each with the sum of the attributions of its letters.

    The columns are those of `modelzoo.motifs.instances.find_instances`, and attribution.

    Args:
        motifs: Such as JASPAR's.
        codes: The sequences, (n, L).
        projected: What the letters present contribute, (n, L).
        p_value: Of a match in a uniform background.
    """
    found = find_instances(motifs, codes, p_value=p_value)
    sums = np.pad(np.cumsum(projected, 1, dtype=np.float64), ((0, 0), (1, 0)))
    row, start, stop = (found[name].to_numpy(int) for name in ("sequence", "start", "stop"))
    return found.assign(attribution=sums[row, stop] - sums[row, start])


def seqlets(
    projected: np.ndarray, control: np.ndarray | None = None, *, fdr: float = 0.1
) -> DataFrame:
    """Return the seqlets of attributions, as tangermeme's recursive algorithm calls them.

    The columns are sequence (its row), start, stop (half open), attribution (the sum, negative for
    a seqlet that speaks against) and p_value. A negative seqlet that overlaps a positive one is
    left out.

    Args:
        projected: What the letters present contribute, (n, L).
        control: The same for sequences without signal, such as dinucleotide shuffles of these,
            by the same model and method, (m, L). The threshold is the loosest that keeps the false
            discovery rate. Without it, the p-value is below 0.01, which is no error rate.
        fdr: The false discovery rate to keep.
    """
    import pandas

    positive = _called(projected, control, fdr)
    negative = _called(-projected, None if control is None else -control, fdr)
    negative["attribution"] *= -1
    taken = np.zeros(projected.shape, bool)
    for row, start, stop in positive[COLUMNS[:3]].itertuples(index=False):
        taken[row, start:stop] = True
    spans = negative[COLUMNS[:3]].itertuples(index=False)
    free = [not taken[row, start:stop].any() for row, start, stop in spans]
    found = pandas.concat([positive, negative[np.array(free, bool)]])
    return found.sort_values(COLUMNS[:3], ignore_index=True)


def _called(projected: np.ndarray, control: np.ndarray | None, fdr: float) -> DataFrame:
    from tangermeme.seqlet import recursive_seqlets

    with warnings.catch_warnings():
        # that no threshold reaches the rate: then there is no seqlet, which the table says
        warnings.simplefilter("ignore")
        called = recursive_seqlets(
            projected.astype(np.float64),
            X_control=None if control is None else control.astype(np.float64),
            target_fdr=fdr,
        )
    return called.set_axis(COLUMNS, axis=1)
