"""The data sets that models are judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from modelzoo.datasets import chipseq
from modelzoo.datasets.overlap import overlapping
from modelzoo.datasets.peaks import read_peaks
from modelzoo.sequences import encode, read_seq, reverse_complement_codes


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
        shared: Which peaks have 40 bases in common with a training peak of any model of the table,
            on either strand; None where nobody has looked. Shape (n,).
    """

    name: str
    kind: str
    codes: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    seen: int = 0
    shared: np.ndarray | None = None

    @property
    def disjoint(self) -> np.ndarray:
        """Which rows are left when those peaks are left out; shuffles are kept. Shape (n,)."""
        return np.ones(len(self.labels), bool) if self.shared is None else ~self.shared

    def first(self, groups: int) -> LabelledSet:
        """Return the set of the first so many groups: peaks, each with its shuffle."""
        kept = np.isin(self.groups, np.unique(self.groups)[:groups])
        parts = {name: getattr(self, name)[kept] for name in ("codes", "labels", "groups")}
        return replace(self, **parts, shared=None if self.shared is None else self.shared[kept])

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
    return [judged_set(name) for name in names or known]


def judged_set(name: str) -> LabelledSet:
    """Return the labelled sequences of a factor: test or, of a factor without experts, others.

    Args:
        name: A data set with a file of either split.
    """
    inside = name in chipseq.sets("test")
    records = list(read_seq(chipseq.file("test" if inside else "ood", name)))
    pair = [record.name.rpartition("_")[0] for record in records]  # seq_7_peak, seq_7_shuf
    codes = encode([record.sequence for record in records])
    training = _training_rows()
    return LabelledSet(
        name=name,
        kind="in distribution" if inside else "out of distribution",
        codes=codes,
        labels=np.array([record.label for record in records]),
        groups=np.unique(pair, return_inverse=True)[1],
        seen=sum(row in training for row in _strandless(codes)),
    )


def with_shared(sets: Sequence[LabelledSet], sources: Iterable[str]) -> list[LabelledSet]:
    """Return sets of sequences of one length with their `shared` peaks found.

    Args:
        sets: The sets.
        sources: The data sets that the models of the table were trained on.
    """
    found = overlapping(np.concatenate([data.codes for data in sets]), sources)
    parts = np.split(found, np.cumsum([len(data.codes) for data in sets])[:-1])
    return [replace(data, shared=part & (data.labels == 1)) for data, part in zip(sets, parts)]


def trained_on(models: Iterable[Any]) -> list[str]:
    """Return the data sets that models were trained on, as far as their tasks tell."""
    tasks: list[str] = []
    for model in models:
        parts = getattr(model, "experts", {}).values()
        tasks += [task for part in (model, *parts) for task in getattr(part, "tasks", ())]
    known = chipseq.sets("train")
    return [task for task in dict.fromkeys(tasks) if task in known]


@cache
def _training_rows() -> frozenset[bytes]:
    return frozenset(row for f in chipseq.FACTORS for row in _strandless(read_peaks(f)))


def _strandless(codes: np.ndarray) -> list[bytes]:
    """Each sequence as bytes, the same for both of its strands."""
    other = reverse_complement_codes(codes)
    return [min(a.tobytes(), b.tobytes()) for a, b in zip(codes, other)]
