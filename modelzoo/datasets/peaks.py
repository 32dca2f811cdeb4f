"""Peaks: read from files, set aside to validate by, shuffled, and put against their shuffles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelzoo.datasets import chipseq
from modelzoo.sequences import encode, read_sequences

VALIDATION_FRACTION = 0.1

# Apart from every (seed, epoch): all seeds and all trials are judged on the same negatives.
VALIDATION_SEED = 2**31


class Peaks:
    """Every peak of several factors and a shuffle of each, new in every epoch.

    A peak, and its shuffle, is labelled for its own factor alone: nobody looked for the others.

    Args:
        sources: Factors or files of peaks, as for :func:`modelzoo.datasets.chipseq.peaks`.
    """

    def __init__(self, sources: Sequence[str | Path]) -> None:
        self.tasks = tuple(task_of(source) for source in sources)
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"data: expected every task once, got {', '.join(self.tasks)}")
        split = [split_peaks(read_peaks(source)) for source in sources]
        lengths = sorted({codes.shape[1] for codes, _ in split})
        if len(lengths) > 1:
            raise ValueError(f"data: expected peaks of one length, got {lengths}")
        for task, parts in zip(self.tasks, split):
            if not all(map(len, parts)):
                raise ValueError(f"data: too few peaks of {task} to train and validate on")
        self.length = lengths[0]
        self.sources = [source_file(source) for source in sources]
        self._train = [train for train, _ in split]
        self.held_out = self._with_shuffles([held for _, held in split], (VALIDATION_SEED,))

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the peaks and the epoch's shuffles."""
        return self._with_shuffles(self._train, (seed, epoch))

    def _with_shuffles(
        self, peaks: list[np.ndarray], seed: tuple[int, ...]
    ) -> tuple[np.ndarray, Tensor]:
        codes, labels = [], []
        for task, own in enumerate(peaks):
            codes += [own, shuffled(own, (*seed, task))]
            for label in (1.0, 0.0):
                rows = torch.full((len(own), len(self.tasks)), torch.nan)
                rows[:, task] = label
                labels.append(rows)
        return np.concatenate(codes), torch.cat(labels)


def task_of(source: str | Path) -> str:
    """Return the name of the task that peaks are of: the factor, or the file's name."""
    return str(source) if source in chipseq.FACTORS else Path(source).name.partition(".")[0]


def source_file(source: str | Path) -> Path:
    """Return the file that peaks are read from: a factor's training file, or the file itself."""
    path = chipseq.file("train", str(source)) if str(source) in chipseq.FACTORS else Path(source)
    if not path.is_file():
        raise ValueError(
            f"source: expected one of {chipseq.FACTORS} or a file of peaks, got {source}"
        )
    return path


def read_peaks(source: str | Path) -> np.ndarray:
    """Return the (N, L) codes of the peaks to train on.

    Args:
        source: One of `modelzoo.datasets.chipseq.FACTORS`, or a file of peaks of one length: `.seq`
            or FASTA, with or without `.gz`. Records labelled 0 are left out.
    """
    path = source_file(source)
    codes = encode([r.sequence for r in read_sequences(path) if r.label != 0])
    if len(codes) == 0:
        raise ValueError(f"{path}: expected at least one peak, got none")
    return codes


def split_peaks(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the peaks to train on and the tenth that is set aside to validate on.

    A hash of the sequence decides. So the same sequence, or its other strand, falls on the same
    side wherever it occurs, in this file or in another factor's.

    Args:
        codes: (N, L) codes of peaks.
    """
    held = held_out(codes)
    return codes[~held], codes[held]


def held_out(codes: np.ndarray) -> np.ndarray:
    """Return which of (N, L) codes are set aside to validate on, (N,) bool."""
    return np.array([_is_held_out(row) for row in codes], dtype=bool)


def shuffled(codes: np.ndarray, seed: int | Sequence[int]) -> np.ndarray:
    """Return one dinucleotide-preserving shuffle of every sequence, (N, L) -> (N, L).

    Args:
        codes: (N, L) codes as made by :func:`modelzoo.sequences.encode`.
        seed: What the shuffles are drawn from; several integers, such as a seed and an epoch, are
            one seed.
    """
    from tangermeme.ersatz import dinucleotide_shuffle

    states = np.random.SeedSequence(seed).generate_state(len(codes)).tolist()
    # an ambiguous letter is a character of its own to the shuffle: a column of zeros
    x = (torch.from_numpy(codes)[:, None] == torch.arange(4, dtype=torch.uint8)[:, None]).to(
        torch.int8
    )
    shuffles = dinucleotide_shuffle(x, n=1, random_state=states, allow_N=True)[:, 0]
    known, codes_out = shuffles.max(dim=1)
    return torch.where(known == 1, codes_out, 4).to(torch.uint8).numpy()


def _is_held_out(row: np.ndarray) -> bool:
    forward = row.tobytes()
    reverse = _COMPLEMENT[row[::-1]].tobytes()
    digest = hashlib.blake2b(min(forward, reverse), digest_size=8).digest()
    return int.from_bytes(digest, "little") < VALIDATION_FRACTION * 2**64


_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)
