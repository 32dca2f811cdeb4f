"""Peaks: read from files, set aside to validate by, shuffled, and put against negatives."""

from __future__ import annotations

import copy
import hashlib
import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from modelzoo.datasets.chipseq import file, sets
from modelzoo.files import sha256
from modelzoo.sequences import (
    Record,
    Regions,
    columns,
    encode,
    from_columns,
    read_intervals,
    read_sequences,
    refuse,
    reverse_complement_codes,
)
from modelzoo.sequences.intervals import Center
from modelzoo.sequences.records import outside

VALIDATION_FRACTION = 0.1

# Apart from every (seed, epoch): all seeds and all trials are judged on the same negatives.
VALIDATION_SEED = 2**31


@dataclass(frozen=True)
class Windows(os.PathLike[str]):
    """A file of intervals as a source of peaks: the windows around their centers.

    Attributes:
        path: BED, narrowPeak, broadPeak, or a `.tsv` or `.csv` with chrom, start and end.
        genome: The genome they lie in, FASTA or 2bit.
        width: Of the windows; None keeps the intervals as they are.
        center: `"summit"` or `"middle"`; by default the summit where the file has one.
        exclude: A file of regions; windows that overlap one are left out.
    """

    path: str | Path
    genome: str | Path
    width: int | None = None
    center: Center | None = None
    exclude: str | Path | None = None

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def options(self) -> str:
        """How a command line tells what the file itself does not."""
        names = ("genome", "width", "center", "exclude")
        given = ((name, getattr(self, name)) for name in names)
        return "".join(f" --{name} {shlex.quote(str(v))}" for name, v in given if v is not None)

    def records(self) -> Iterator[Record]:
        """Return the windows' sequences.

        Raises:
            ValueError: An interval is wrong.
        """
        options = {"width": self.width, "center": self.center}
        found = read_sequences(self.path, self.genome, **options)  # type: ignore[arg-type]
        if self.exclude is None:
            return found
        return outside(found, Regions(read_intervals(self.exclude)), refuse)


Source = str | Path | Windows  # of peaks: a data set's name, a file of sequences, or of intervals


class Negatives(Protocol):
    """What draws a negative for each peak; `modelzoo.datasets.negatives` has the kinds."""

    @property
    def sources(self) -> Mapping[Path, str]:
        """The files they were read from, and the checksum of each."""

    def __call__(self, peaks: np.ndarray, seed: Sequence[int], *, held_out: bool) -> np.ndarray:
        """Return a negative for each of (N, L) peaks, which are held out or not."""


class Shuffles:
    """A dinucleotide shuffle of every peak as its negative."""

    sources: Mapping[Path, str] = {}

    def __call__(self, peaks: np.ndarray, seed: Sequence[int], *, held_out: bool) -> np.ndarray:
        """Return the shuffles."""
        return shuffled(peaks, seed)


class Peaks:
    """The peaks of one or several factors, each with a negative that is new in every epoch.

    A peak, and its negative, is labelled for its own factor alone: nobody looked for the others.
    A tenth of the peaks, and one fixed negative of each, are held out.

    Args:
        sources: Data sets or files of peaks, as `read_peaks` takes them; or the (N, L) codes of
            peaks by the name of their task.
        size: How many peaks of each factor an epoch draws; every peak once by default.
        negatives: Draws the negatives; dinucleotide shuffles by default.

    Attributes:
        train: The (N, L) codes of the peaks to train on, by task.
    """

    def __init__(
        self,
        sources: Sequence[Source] | Mapping[str, np.ndarray],
        size: int | None = None,
        negatives: Negatives | None = None,
    ) -> None:
        self.negatives = Shuffles() if negatives is None else negatives
        self.sources: dict[Path, str] = {}
        if isinstance(sources, Mapping):
            named = list(sources.items())
        else:
            named = [(task_of(source), self._read(source)) for source in sources]
        self.sources |= self.negatives.sources
        self.tasks = tuple(task for task, _ in named)
        if not named or len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f"data: expected every task once, got {', '.join(self.tasks)}")
        lengths = sorted({codes.shape[1] for _, codes in named})
        if len(lengths) > 1:
            raise ValueError(f"data: expected peaks of one length, got {lengths}")
        self.length, self.size = lengths[0], size
        self.train, held_out = {}, []
        for task, codes in named:
            self.train[task], held = split_peaks(codes)
            if len(self.train[task]) == 0 or len(held) == 0:
                raise ValueError(
                    f"data: expected peaks to train and validate on, got {len(codes)} of {task},"
                    " which are too few"
                )
            held_out.append(held)
        self.held_out = self._with_negatives(held_out, (VALIDATION_SEED,), held_out=True)

    def epoch(self, epoch: int, seed: int | tuple[int, ...]) -> tuple[np.ndarray, Tensor]:
        """Return the peaks, then the negatives of each factor; (N, L) codes and (N, tasks) labels.

        Args:
            epoch: Its number.
            seed: With the epoch's number, decides the negatives, and the peaks if not all are seen.
        """
        own = seed if isinstance(seed, tuple) else (seed,)
        drawn = [
            self._drawn(codes, (*own, epoch, t)) for t, codes in enumerate(self.train.values())
        ]
        return self._with_negatives(drawn, (*own, epoch), held_out=False)

    def fewer(self, count: int, seed: int) -> Peaks:
        """Return the same data with at most `count` of each factor's peaks to train on."""
        chosen = copy.copy(self)
        rng = np.random.default_rng(seed)
        chosen.train = {
            task: codes[np.sort(rng.permutation(len(codes))[:count])]
            for task, codes in self.train.items()
        }
        return chosen

    def _drawn(self, codes: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
        if self.size is None:
            return codes
        again = self.size > len(codes)
        return codes[np.random.default_rng(seed).choice(len(codes), self.size, replace=again)]

    def _with_negatives(
        self, peaks: list[np.ndarray], seed: tuple[int, ...], *, held_out: bool
    ) -> tuple[np.ndarray, Tensor]:
        codes, labels = [], []
        for task, own in enumerate(peaks):
            codes += [own, self.negatives(own, (*seed, task), held_out=held_out)]
            for label in (1.0, 0.0):
                rows = torch.full((len(own), len(self.tasks)), torch.nan)
                rows[:, task] = label
                labels.append(rows)
        return np.concatenate(codes), torch.cat(labels)

    def _read(self, source: Source) -> np.ndarray:
        path = source_file(source)
        self.sources[path] = sha256(path.read_bytes())
        return read_peaks(source)


def options(sources: Iterable[Source]) -> str:
    """Return how a command line tells the genome and the windows of sources, once."""
    given = dict.fromkeys(source.options for source in sources if isinstance(source, Windows))
    return "".join(given)


def task_of(source: Source) -> str:
    """Return the name of the task that peaks are of: the data set's, or the file's."""
    return str(source) if str(source) in sets("train") else Path(source).name.partition(".")[0]


def source_file(source: Source) -> Path:
    """Return the file that peaks are read from: a data set's training file, or the file itself."""
    known = sets("train")
    path = file("train", str(source)) if str(source) in known else Path(source)
    if not path.is_file():
        raise ValueError(
            f"source: expected one of {', '.join(known)} or a file of peaks, got {source}"
        )
    return path


def peak_records(source: Source) -> list[Record]:
    """Return the peaks to train on, which have one length; records labelled 0 are left out.

    Args:
        source: A data set of `modelzoo.datasets.chipseq.sets("train")`; a file of sequences of one
            length, `.seq` or FASTA, with or without `.gz`; or a file of intervals.
    """
    path = source_file(source)
    found = source.records() if isinstance(source, Windows) else read_sequences(path)
    records = [record for record in found if record.label != 0]
    if not records:
        raise ValueError(f"{path}: expected at least one peak, got none")
    lengths = {len(record.sequence) for record in records}
    if isinstance(source, Windows) and len(lengths) > 1:
        got = f"{min(lengths)} to {max(lengths)} positions"
        raise ValueError(f"width: expected one, for the intervals of {path} have {got}")
    return records


def read_peaks(source: Source) -> np.ndarray:
    """Return the (N, L) codes of the peaks to train on, see `peak_records`."""
    return encode([record.sequence for record in peak_records(source)])


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
        codes: (N, L) codes as made by `modelzoo.sequences.encode`.
        seed: Decides the shuffles; several integers, such as a seed and an epoch, are one seed.
    """
    from tangermeme.ersatz import dinucleotide_shuffle

    states = np.random.SeedSequence(seed).generate_state(len(codes)).tolist()
    # An ambiguous letter is a character of its own to the shuffle: a column of zeros.
    x = columns(codes, ambiguous=0).to(torch.int8)
    return from_columns(dinucleotide_shuffle(x, n=1, random_state=states, allow_N=True)[:, 0])


def _is_held_out(row: np.ndarray) -> bool:
    forward = row.tobytes()
    reverse = reverse_complement_codes(row).tobytes()
    digest = hashlib.blake2b(min(forward, reverse), digest_size=8).digest()
    return int.from_bytes(digest, "little") < VALIDATION_FRACTION * 2**64
