"""A simulation, and the labelled sequences that it draws."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch

from modelzoo.datasets.planted.arrangement import Arrangement
from modelzoo.datasets.planted.background import background, clean
from modelzoo.datasets.planted.scanner import Scanner, Score
from modelzoo.datasets.planted.toml import parse
from modelzoo.files import parse_toml
from modelzoo.motifs import Motif
from modelzoo.sequences import columns, decode, reverse_complement_codes

MOST = 1 << 32  # letters of a set, each a byte in memory

_FOLDER = resources.files("modelzoo.datasets.planted") / "simulations"


@dataclass(frozen=True, eq=False)
class SimulatedSet:
    """Simulated sequences with the truth about each.

    Attributes:
        codes: The bases, 0-3 for A, C, G, T, (n, length) uint8.
        labels: 1 for positives, (n,) uint8.
        motifs: Index of the motif in each slot, -1 for an empty slot, (n, slots).
        starts: Leftmost position of each instance, -1 where empty, (n, slots).
        strands: 1, or -1 for the reverse complement, 0 where empty, (n, slots).
        names: The names of the motifs.
        widths: The widths of the motifs.
    """

    codes: np.ndarray
    labels: np.ndarray
    motifs: np.ndarray
    starts: np.ndarray
    strands: np.ndarray
    names: tuple[str, ...]
    widths: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def stops(self) -> np.ndarray:
        """The end of each instance; an empty slot has start = stop, (n, slots)."""
        return self.starts + np.where(self.motifs >= 0, np.array(self.widths)[self.motifs], 0)

    def one_hot(self) -> torch.Tensor:
        """Return the sequences as a model takes them, (n, 4, length) float32."""
        return columns(self.codes)

    def strings(self) -> list[str]:
        """Return the sequences as text."""
        return decode(self.codes)

    def mask(self) -> np.ndarray:
        """Return which bases belong to a planted instance, (n, length) bool."""
        mask = np.zeros(self.codes.shape, dtype=bool)
        for index, width in enumerate(self.widths):
            rows, slots = np.nonzero(self.motifs == index)
            mask[rows[:, None], self.starts[rows, slots][:, None] + np.arange(width)] = True
        return mask

    def instances(self) -> Iterator[tuple[int, str, int, int, str]]:
        """Yield (sequence, motif, start, stop, strand) of each instance; strand is + or -."""
        stops = self.stops
        for row, slot in zip(*np.nonzero(self.motifs >= 0)):
            name = self.names[self.motifs[row, slot]]
            strand = "+" if self.strands[row, slot] > 0 else "-"
            yield int(row), name, int(self.starts[row, slot]), int(stops[row, slot]), strand


@dataclass(frozen=True, eq=False)
class Simulation:
    """A generator of labelled sequences.

    Attributes:
        name: The name.
        motifs: The motifs that can be planted; none of them occurs anywhere else.
        positives: The arrangements of positive sequences.
        negatives: The arrangements of negative sequences.
        length: Bases per sequence.
        region: Instances lie within this many central bases.
        threshold: A background in which a window scores above this is drawn again.
        score: How a window is scored, see `match_scores`.
        gc: Expected fraction of G and C in the background.
    """

    name: str
    motifs: tuple[Motif, ...]
    positives: tuple[Arrangement, ...]
    negatives: tuple[Arrangement, ...]
    length: int = 500
    region: int = 100
    threshold: float = 0.9
    score: Score = "log-odds"
    gc: float = 0.5

    @classmethod
    def load(cls, name: str | Path) -> Simulation:
        """Return a simulation by its name (see `simulations`) or from a TOML file.

        Args:
            name: Such as `"spi1"`, or the path of a `.toml` file.

        Raises:
            ValueError: No such simulation, or a wrong entry in the file; the message names it.
        """
        path = Path(name)
        if path.suffix == ".toml":
            return cls.from_toml(path.read_text(encoding="utf-8"), name=path.stem)
        if str(name) not in simulations():
            raise ValueError(
                f"name: expected one of {simulations()} or a .toml file, got {str(name)!r}"
            )
        text = (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_toml(text, name=str(name))

    @classmethod
    def from_toml(cls, text: str, *, name: str = "simulation") -> Simulation:
        """Return the simulation of a TOML configuration.

        Args:
            text: The configuration; the docstring of `modelzoo.datasets.planted` shows one.
            name: The name of the simulation.

        Raises:
            ValueError: The text is not TOML, or an entry is wrong; the message names the key.
        """
        try:
            return cls(name, **parse(parse_toml(text)))
        except ValueError as error:
            what = "expected TOML: " if isinstance(error, tomllib.TOMLDecodeError) else ""
            raise ValueError(f"simulation {name!r}: {what}{error}") from None

    def sample(
        self, n: int, *, seed: int, positives: int | None = None, gc: float | None = None
    ) -> SimulatedSet:
        """Draw labelled sequences, positives and negatives in random order.

        Args:
            n: How many sequences.
            seed: The same seed gives the same sequences.
            positives: How many of them are positive; half by default.
            gc: Another G+C fraction of the background than the simulation's own.

        Raises:
            ValueError: An argument is out of range, or the motifs are so common that hardly any
                background is free of them.
        """
        gc = self.gc if gc is None else gc
        positives = n // 2 if positives is None else positives
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        if n > MOST // self.length:
            raise ValueError(f"n: expected {MOST // self.length} at most, got {n}")
        if not 0 <= positives <= n:
            raise ValueError(f"positives: expected 0 to n = {n}, got {positives}")
        if not 0 <= gc <= 1:
            raise ValueError(f"gc: expected a fraction between 0 and 1, got {gc}")
        if seed < 0:
            raise ValueError(f"seed: expected a whole number from 0, got {seed}")
        rng = np.random.default_rng(seed)
        labels = rng.permutation(np.arange(n) < positives).astype(np.uint8)
        slots = max(len(a.motifs) for a in (*self.positives, *self.negatives))
        motifs, starts = np.full((2, n, slots), -1, dtype=np.int64)
        strands = np.zeros((n, slots), dtype=np.int8)
        for label, arrangements in ((0, self.negatives), (1, self.positives)):
            rows = np.flatnonzero(labels == label)
            choice = rng.choice(len(arrangements), len(rows), p=[a.share for a in arrangements])
            for index, arrangement in enumerate(arrangements):
                chosen, used = rows[choice == index], len(arrangement.motifs)
                motifs[chosen, :used] = arrangement.motifs
                starts[chosen, :used], strands[chosen, :used] = self._place(
                    arrangement, len(chosen), rng
                )
        codes = background((n, self.length), gc, rng)
        names, widths = tuple(m.name for m in self.motifs), tuple(m.width for m in self.motifs)
        drawn = SimulatedSet(codes, labels, motifs, starts, strands, names, widths)
        self._plant(drawn, rng)
        scanner = Scanner(self.motifs, self.score, self.threshold)
        clean(codes, drawn.mask(), starts, drawn.stops, scanner, gc, rng)
        return drawn

    def _place(
        self, arrangement: Arrangement, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the starts of an arrangement's motifs, and their strands, (n, motifs) each."""
        k = len(arrangement.motifs)
        if k == 0:
            return np.empty((n, 0), dtype=np.int64), np.empty((n, 0), dtype=np.int8)
        order = np.tile(np.arange(k), (n, 1))  # which motif is first, second, ... from the left
        if arrangement.rigid:
            turned = rng.random(n) < 0.5
            order[turned] = order[turned, ::-1]
            strands = np.repeat(np.where(turned, -1, 1)[:, None], k, axis=1)
        else:
            order = rng.permuted(order, axis=1)
            strands = rng.choice([-1, 1], (n, k))
        widths = np.array([self.motifs[index].width for index in arrangement.motifs])[order]
        gaps = rng.choice(arrangement.spacings, (n, k - 1)) if k > 1 else np.empty((n, 0), int)
        relative = np.zeros((n, k), dtype=np.int64)  # starts, counted from the leftmost
        relative[:, 1:] = np.cumsum(widths[:, :-1] + gaps, axis=1)
        room = self.region - (relative[:, -1] + widths[:, -1])
        left = (self.length - self.region) // 2 + rng.integers(0, room + 1)
        starts = np.empty((n, k), dtype=np.int64)
        np.put_along_axis(starts, order, left[:, None] + relative, axis=1)
        return starts, strands.astype(np.int8)

    def _plant(self, drawn: SimulatedSet, rng: np.random.Generator) -> None:
        """Draw an instance for every slot and write it into the sequences, in place."""
        for index, motif in enumerate(self.motifs):
            rows, slots = np.nonzero(drawn.motifs == index)
            cumulative = motif.matrix.cumsum(axis=0)[:3].T  # (width, 3)
            above = rng.random((len(rows), motif.width, 1)) >= cumulative
            bases = above.sum(axis=2, dtype=np.uint8)
            turned = drawn.strands[rows, slots] < 0
            bases[turned] = reverse_complement_codes(bases[turned])
            where = drawn.starts[rows, slots][:, None] + np.arange(motif.width)
            drawn.codes[rows[:, None], where] = bases


def simulations() -> list[str]:
    """Return the names of the simulations that ship with the package."""
    names = (path.name for path in _FOLDER.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))
