"""Negatives: the sequences that a factor's peaks are told from.

| kind | the negative of a peak |
|---|---|
| `"shuffles"` | a dinucleotide shuffle of it, which few motifs survive |
| `"others"` | a peak of another factor: open chromatin, but not of this factor |
| `"both"` | either, half and half |

A peak of another factor that has 40 bases in common with any peak of this one is no negative, and
neither is one of the same factor in another cell line. Every other data set is drawn from equally
often, however large it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from modelzoo.datasets.chipseq import sets
from modelzoo.datasets.overlap import Stretches
from modelzoo.datasets.peaks import (
    Negatives,
    Shuffles,
    Source,
    read_peaks,
    source_file,
    split_peaks,
    task_of,
)
from modelzoo.files import sha256

KINDS = ("shuffles", "others", "both")


class OtherPeaks:
    """Peaks of other factors, of the sets that `modelzoo.datasets.chipseq` lists.

    Args:
        source: The data set or file whose peaks they are negatives of.

    Raises:
        ValueError: The peaks of `source` have another length.
    """

    def __init__(self, source: Source) -> None:
        others = [name for name in sets("train") if factor_of(name) != factor_of(task_of(source))]
        own = read_peaks(source)
        self.sources: dict[Path, str] = {}
        self.train: list[np.ndarray] = []
        self.held_out: list[np.ndarray] = []
        for name in others:
            path = source_file(name)
            self.sources[path] = sha256(path.read_bytes())
            codes = read_peaks(name)
            if codes.shape[1] != own.shape[1]:
                raise ValueError(
                    f"negatives: peaks of other factors have {codes.shape[1]} bases,"
                    f" got peaks of {own.shape[1]}"
                )
            train, held_out = split_peaks(codes[~Stretches(codes).shared_with(own)])
            self.train.append(train)
            self.held_out.append(held_out)

    def __call__(self, peaks: np.ndarray, seed: Sequence[int], *, held_out: bool) -> np.ndarray:
        """Return as many peaks of other factors; those that are held out against such peaks."""
        pools = self.held_out if held_out else self.train
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(pools), size=len(peaks))
        sizes = np.array([len(pool) for pool in pools])
        rows = (rng.random(len(peaks)) * sizes[chosen]).astype(int)
        return np.concatenate(pools)[(sizes.cumsum() - sizes)[chosen] + rows]


class Both:
    """A shuffle as the negative of every second peak, a peak of another factor for the rest.

    Args:
        source: As of `OtherPeaks`.

    Attributes:
        parts: The two kinds by name.
    """

    def __init__(self, source: Source) -> None:
        others = OtherPeaks(source)
        self.parts: dict[str, Negatives] = {"shuffles": Shuffles(), "others": others}
        self.sources = others.sources

    def __call__(self, peaks: np.ndarray, seed: Sequence[int], *, held_out: bool) -> np.ndarray:
        """Return a negative of each peak."""
        found = np.empty_like(peaks)
        for start, part in enumerate(self.parts.values()):
            found[start::2] = part(peaks[start::2], seed, held_out=held_out)
        return found


def negatives(kind: str, source: Source) -> Negatives:
    """Return the negatives of a kind for the peaks of a data set or file.

    Args:
        kind: One of `KINDS`.
        source: As `modelzoo.datasets.peaks.read_peaks` takes it.
    """
    if kind not in KINDS:
        raise ValueError(f"negatives: expected one of {', '.join(KINDS)}, got {kind!r}")
    if kind == "shuffles":
        return Shuffles()
    return OtherPeaks(source) if kind == "others" else Both(source)


def factor_of(task: str) -> str:
    """Return the factor of a data set's name, which may name a cell line too."""
    return task.partition("-")[0].upper()
