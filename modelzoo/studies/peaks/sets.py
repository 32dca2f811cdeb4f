"""The data sets that models are judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import read_peaks
from modelzoo.sequences import encode, read_seq


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """A data set to be judged on.

    Attributes:
        name: Name of the factor.
        kind: `"in distribution"` or `"out of distribution"`.
        codes: The sequences, codes as of `modelzoo.sequences.encode`. Shape (n, L).
        labels: 1 for a peak. Shape (n,).
        groups: A peak and its shuffle have the same number. Shape (n,).
        seen: How many rows are also training rows of any factor, on either strand.
    """

    name: str
    kind: str
    codes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    seen: int = 0

    def first(self, groups: int) -> LabelledSet:
        """Return the set of the first so many groups: peaks, each with its shuffle."""
        kept = np.isin(self.groups, np.unique(self.groups)[:groups])
        parts = {name: getattr(self, name)[kept] for name in ("codes", "labels", "groups")}
        return replace(self, **parts)

    @property
    def sha256(self) -> str:
        """The checksum of the sequences and labels as they are used."""
        return hashlib.sha256(self.codes.tobytes() + self.labels.astype("u1").tobytes()).hexdigest()


def paper_sets(names: Sequence[str] | None = None) -> list[LabelledSet]:
    """Return the test and out-of-distribution sets of the mixture paper.

    Args:
        names: Factors to keep; by default all nine.
    """
    known = (*chipseq.FACTORS, *chipseq.OOD_FACTORS)
    wrong = [name for name in names or () if name not in known]
    if wrong:
        raise ValueError(f"names: expected factors among {', '.join(known)}, got {wrong[0]!r}")
    training = _training_rows()
    sets = []
    for name in names or known:
        inside = name in chipseq.FACTORS
        records = list(read_seq(chipseq.file("test" if inside else "ood", name)))
        pair = [record.name.rpartition("_")[0] for record in records]  # seq_7_peak, seq_7_shuf
        codes = encode([record.sequence for record in records])
        sets.append(
            LabelledSet(
                name=name,
                kind="in distribution" if inside else "out of distribution",
                codes=codes,
                labels=np.array([record.label for record in records]),
                groups=np.unique(pair, return_inverse=True)[1],
                seen=sum(row in training for row in _strandless(codes)),
            )
        )
    return sets


@cache
def _training_rows() -> frozenset[bytes]:
    return frozenset(row for f in chipseq.FACTORS for row in _strandless(read_peaks(f)))


def _strandless(codes: np.ndarray) -> list[bytes]:
    """Each sequence as bytes, the same for both of its strands."""
    other = np.where(codes < 4, 3 - codes, codes)[:, ::-1]
    return [min(a.tobytes(), b.tobytes()) for a, b in zip(codes, other)]
