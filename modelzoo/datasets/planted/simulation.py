"""Sequences with planted motifs: the one place where the right answer is known.

Motif instances are drawn from position frequency matrices and put into the centre of a random
background; a background that happens to hold a motif of its own is drawn again. Every sequence
comes with the truth: which motif, where, on which strand.

    simulation = Simulation.load("tal-gata")
    batch = simulation.sample(1000, seed=0)
    batch.one_hot(), batch.labels, batch.starts, batch.strands

The four simulations of the ARGMINN paper (Tseng et al., appendix B.1) ship with the package; see
`simulations`. One of your own is a few lines of TOML:

    [motifs.GATA]
    consensus = "WGATAR"              # or matrix = "MA0035.4" (JASPAR 2020), or pfm = [[...] x 4]

    [[positives]]
    share = 1.0
    motifs = ["GATA", "GATA"]
    spacing = [7, 8, 9]               # bases between the two; or { min = 30, max = 60 }

    [[negatives]]
    share = 1.0
    motifs = []
"""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from modelzoo.sequences import columns

JASPAR_RELEASE = "JASPAR2020"

_BASES = "ACGT"
_IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT",
    "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip
_SEED_BASES = 8  # a window is looked up by its first 8 bases: 4 ** 8 codes fit 16 bits
_CHUNK = 4096  # sequences scanned at once, so that their codes stay in the processor's cache
_DRAWS_PER_SEQUENCE = 500  # where fewer backgrounds than one in 500 are clean, say so and stop
_TOP_KEYS = {
    "length",
    "region",
    "threshold",
    "score",
    "trim",
    "gc",
    "motifs",
    "positives",
    "negatives",
}


@dataclass(frozen=True, eq=False)
class Motif:
    """A motif that can be planted and looked for.

    Attributes:
        name: Its name in the simulation.
        matrix: Base probabilities, rows A, C, G, T. Shape (4, width).
        source: Where the matrix is from, such as `JASPAR2020 MA0080.5 columns 5-16`.
    """

    name: str
    matrix: np.ndarray
    source: str

    @property
    def width(self) -> int:
        """The number of positions."""
        return self.matrix.shape[1]


@dataclass(frozen=True)
class Arrangement:
    """What a share of the sequences carries.

    Attributes:
        share: The fraction of the positives (or negatives) that look like this.
        motifs: Indices into `Simulation.motifs`, in order; empty for plain background.
        spacings: The numbers of bases allowed between one motif and the next, equally likely.
        rigid: The arrangement is turned to the other strand as a whole. Otherwise each motif has
            its own strand, and the order is random.
    """

    share: float
    motifs: tuple[int, ...]
    spacings: tuple[int, ...] = ()
    rigid: bool = True


@dataclass(frozen=True, eq=False)
class SimulatedSet:
    """Simulated sequences with the truth about each.

    Attributes:
        codes: The bases, 0-3 for A, C, G, T. Shape (n, length), uint8.
        labels: 1 for positives. Shape (n,), uint8.
        motifs: Index of the motif in each slot, -1 for an empty slot. Shape (n, slots).
        starts: Leftmost position of each instance, -1 where empty. Shape (n, slots).
        strands: 1 or -1 (the reverse complement is in the sequence), 0 where empty. (n, slots).
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

    def one_hot(self) -> torch.Tensor:
        """The sequences as a model takes them. Shape (n, 4, length), float32."""
        return columns(self.codes)

    def strings(self) -> list[str]:
        """The sequences as text."""
        letters = np.frombuffer(_BASES.encode(), dtype=np.uint8)[self.codes]
        return [row.tobytes().decode() for row in letters]

    def mask(self) -> np.ndarray:
        """True where a base belongs to a planted instance. Shape (n, length), bool."""
        return _mask(self.motifs, self.starts, self.widths, self.codes.shape[1])

    def instances(self) -> Iterator[tuple[int, str, int, int, str]]:
        """One (sequence, motif, start, stop, strand) a planted instance; strand is '+' or '-'."""
        for row, slot in zip(*np.nonzero(self.motifs >= 0)):
            motif, start = self.motifs[row, slot], int(self.starts[row, slot])
            strand = "+" if self.strands[row, slot] > 0 else "-"
            yield int(row), self.names[motif], start, start + self.widths[motif], strand


@dataclass(frozen=True, eq=False)
class Simulation:
    """A generator of labelled sequences.

    Attributes:
        name: What it is called.
        motifs: The motifs that can be planted; none of them occurs anywhere else.
        positives: What positive sequences carry.
        negatives: What negative sequences carry.
        length: Bases a sequence.
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
    score: Literal["log-odds", "mean-probability"] = "log-odds"
    gc: float = 0.5

    @classmethod
    def load(cls, name: str | Path) -> Simulation:
        """Load a simulation by its name (see `simulations`) or from a TOML file.

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
                f"name: no simulation {str(name)!r}; expected one of {simulations()} or a .toml"
                " file"
            )
        text = (_folder() / f"{name}.toml").read_text(encoding="utf-8")
        return cls.from_toml(text, name=str(name))

    @classmethod
    def from_toml(cls, text: str, *, name: str = "simulation") -> Simulation:
        """Build a simulation from the text of a TOML configuration.

        Args:
            text: The configuration; the module's docstring shows one.
            name: What to call it.

        Raises:
            ValueError: The text is not TOML, or an entry is wrong; the message names the key.
        """
        try:
            return _parse(name, tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"simulation {name!r} is not valid TOML: {error}") from None
        except ValueError as error:
            raise ValueError(f"simulation {name!r}: {error}") from None

    def sample(
        self, n: int, *, seed: int, positives: int | None = None, gc: float | None = None
    ) -> SimulatedSet:
        """Draw labelled sequences, positives and negatives in random order.

        Args:
            n: How many sequences.
            seed: The same seed gives the same sequences.
            positives: How many of them are positive; half by default.
            gc: Another G+C fraction for the background than the simulation's own.

        Raises:
            ValueError: An argument out of range, or a background in which the motifs are so
                common that hardly any is without them.
        """
        gc = self.gc if gc is None else gc
        positives = n // 2 if positives is None else positives
        if n < 1:
            raise ValueError(f"n: expected at least 1, got {n}")
        if not 0 <= positives <= n:
            raise ValueError(f"positives: expected 0 to n = {n}, got {positives}")
        if not 0 <= gc <= 1:
            raise ValueError(f"gc: expected a fraction between 0 and 1, got {gc}")
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
        codes = _background((n, self.length), gc, rng)
        self._plant(codes, motifs, starts, strands, rng)
        self._clean(codes, motifs, starts, gc, rng)
        names, widths = tuple(m.name for m in self.motifs), self._widths
        return SimulatedSet(codes, labels, motifs, starts, strands, names, widths)

    @property
    def _widths(self) -> tuple[int, ...]:
        return tuple(motif.width for motif in self.motifs)

    def _place(
        self, arrangement: Arrangement, n: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where the motifs of an arrangement start, and their strands. Shapes (n, motifs)."""
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
        widths = np.array(self._widths)[list(arrangement.motifs)][order]
        gaps = rng.choice(arrangement.spacings, (n, k - 1)) if k > 1 else np.empty((n, 0), int)
        offsets = np.zeros((n, k), dtype=np.int64)
        offsets[:, 1:] = np.cumsum(widths[:, :-1] + gaps, axis=1)
        room = self.region - (offsets[:, -1] + widths[:, -1])
        left = (self.length - self.region) // 2 + rng.integers(0, room + 1)
        starts = np.empty((n, k), dtype=np.int64)
        np.put_along_axis(starts, order, left[:, None] + offsets, axis=1)
        return starts, strands.astype(np.int8)

    def _plant(
        self,
        codes: np.ndarray,
        motifs: np.ndarray,
        starts: np.ndarray,
        strands: np.ndarray,
        rng: np.random.Generator,
    ) -> None:
        """Draw an instance for every slot and write it into the sequences, in place."""
        for index, motif in enumerate(self.motifs):
            rows, slots = np.nonzero(motifs == index)
            cumulative = motif.matrix.cumsum(axis=0)[:3].T  # (width, 3)
            drawn = rng.random((len(rows), motif.width, 1)) >= cumulative
            bases = drawn.sum(axis=2, dtype=np.uint8)
            turned = strands[rows, slots] < 0
            bases[turned] = 3 - bases[turned, ::-1]  # the code of the complement is 3 - code
            codes[rows[:, None], starts[rows, slots][:, None] + np.arange(motif.width)] = bases

    def _clean(
        self,
        codes: np.ndarray,
        motifs: np.ndarray,
        starts: np.ndarray,
        gc: float,
        rng: np.random.Generator,
    ) -> None:
        """Draw the background again, in place, wherever it makes a match that nobody planted."""
        scanner = Scanner(self.motifs, self.score, self.threshold)
        fixed = _mask(motifs, starts, self._widths, self.length)
        stops = starts + np.where(motifs >= 0, np.array(self._widths)[motifs], 0)
        dirty = np.arange(len(codes))
        budget = _DRAWS_PER_SEQUENCE * max(len(codes), 20)
        while True:
            found = [
                rows[scanner.spurious(codes[rows], starts[rows], stops[rows])]
                for rows in np.array_split(dirty, -(-len(dirty) // _CHUNK))
            ]
            dirty = np.concatenate(found)
            if not len(dirty):
                return
            budget -= len(dirty)
            if budget < 0:
                raise ValueError(
                    f"threshold: hardly any background of {self.length} bp with G+C {gc:.2f} is"
                    f" free of matches above {self.threshold}; expected longer or more informative"
                    " motifs, a higher threshold or a shorter sequence"
                )
            fresh = _background((len(dirty), self.length), gc, rng)
            codes[dirty] = np.where(fixed[dirty], codes[dirty], fresh)


def simulations() -> list[str]:
    """The names of the simulations that ship with the package."""
    return sorted(
        p.name.removesuffix(".toml") for p in _folder().iterdir() if p.name[-5:] == ".toml"
    )


def match_scores(
    codes: np.ndarray,
    motif: Motif,
    score: Literal["log-odds", "mean-probability"] = "log-odds",
    *,
    reverse_complement: bool = False,
) -> np.ndarray:
    """How well a motif matches at every position; the definition of a match in this module.

    - `"log-odds"`: the log-odds of the bases seen against a uniform background, as a fraction of
      the best the motif can reach. 1 is the consensus, for any motif. The probabilities are
      floored at 0.01, so that a base never seen in a small matrix is unlikely, not impossible.
    - `"mean-probability"`: the mean probability of the bases seen. The consensus of a weak motif
      stays well below 1: at a threshold of 0.9 such a motif is never found, hence never removed
      (0.86 for SPI1, 0.88 for GATA1, 0.81 for TAL1).

    Args:
        codes: Sequences as codes 0-3. Shape (n, length).
        motif: What to look for.
        score: Which of the two.
        reverse_complement: Look for the motif on the other strand.

    Returns:
        A score for each window. Shape (n, length - width + 1).
    """
    weights = _weights(motif.matrix, score)
    weights = weights[::-1, ::-1] if reverse_complement else weights
    windows = np.lib.stride_tricks.sliding_window_view(codes, motif.width, axis=1)
    return weights[windows, np.arange(motif.width)].sum(axis=-1)


class Scanner:
    """Finds matches that nobody planted.

    A window can score above the threshold only if its first eight bases allow it, so one look in a
    table of all 8-mers discards nearly every window, and only the rest are scored in full.
    """

    def __init__(self, motifs: Sequence[Motif], score: str, threshold: float) -> None:
        self.threshold = threshold
        forward = [_weights(motif.matrix, score) for motif in motifs]
        self.weights = [w for f in forward for w in (f, f[::-1, ::-1])]
        self.possible = np.zeros(4**_SEED_BASES, dtype=bool)
        for weights in self.weights:
            head, tail = weights[:, :_SEED_BASES], weights[:, _SEED_BASES:]
            best = np.zeros(1)
            for column in head.T:
                best = (best[:, None] + column).ravel()
            best = best + tail.max(axis=0).sum()
            # The slack keeps windows that only rounding puts below the threshold.
            self.possible |= np.repeat(best > threshold - 1e-9, 4**_SEED_BASES // len(best))

    def spurious(self, codes: np.ndarray, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """The sequences with a match that is not wholly inside a planted instance.

        A window inside an instance is exempt whatever motif it matches: redrawing the background
        cannot change it (a palindrome, for one, matches on both strands).

        Args:
            codes: Shape (n, length).
            starts: Where the planted instances start. Shape (n, slots).
            stops: Where they end; an empty slot has start = stop. Shape (n, slots).

        Returns:
            Boolean, shape (n,).
        """
        rows, positions = np.nonzero(self.possible[_seeds(codes)])
        spurious = np.zeros(len(codes), dtype=bool)
        for weights in self.weights:
            width = weights.shape[1]
            fits = positions <= codes.shape[1] - width
            row, start = rows[fits], positions[fits]
            windows = codes[row[:, None], start[:, None] + np.arange(width)]
            hit = weights[windows, np.arange(width)].sum(axis=1) > self.threshold
            row, start = row[hit], start[hit, None]
            planted = (start >= starts[row]) & (start + width <= stops[row])
            spurious[row[~planted.any(axis=1)]] = True
        return spurious


def _seeds(codes: np.ndarray) -> np.ndarray:
    """The 8-mer at every position as a number, As added at the end. Shape (n, length), uint16."""
    padded = np.pad(codes, ((0, 0), (0, _SEED_BASES - 1)))
    pairs = padded[:, :-1] * np.uint8(4) + padded[:, 1:]
    fours = pairs[:, :-2] * np.uint8(16) + pairs[:, 2:]
    return fours[:, :-4].astype(np.uint16) * np.uint16(256) + fours[:, 4:]


def _weights(matrix: np.ndarray, score: str) -> np.ndarray:
    """What each base adds to the match score. Shape (4, width)."""
    if score == "mean-probability":
        return matrix / matrix.shape[1]
    odds = np.log2(np.maximum(matrix, 0.01) / 0.25)
    return odds / odds.max(axis=0).sum()


def _background(shape: tuple[int, int], gc: float, rng: np.random.Generator) -> np.ndarray:
    """Independent random bases as codes. Shape as given, uint8."""
    either = rng.integers(0, 2, shape, dtype=np.uint8)
    if gc == 0.5:
        return rng.integers(0, 2, shape, dtype=np.uint8) * np.uint8(2) + either
    strong = rng.random(shape, dtype=np.float32) < gc
    return np.where(strong, either + np.uint8(1), either * np.uint8(3))


def _mask(motifs: np.ndarray, starts: np.ndarray, widths: Sequence[int], length: int) -> np.ndarray:
    """True on the planted positions. Shape (n, length)."""
    mask = np.zeros((len(motifs), length), dtype=bool)
    for index, width in enumerate(widths):
        rows, slots = np.nonzero(motifs == index)
        mask[rows[:, None], starts[rows, slots][:, None] + np.arange(width)] = True
    return mask


def _folder() -> Any:
    return resources.files("modelzoo.datasets.planted") / "simulations"


def _parse(name: str, table: Mapping[str, Any]) -> Simulation:
    _only_keys("the configuration", table, _TOP_KEYS)
    length = _number(table, "length", 500, 1, 10**6, int)
    region = _number(table, "region", min(100, length), 1, length, int)
    score = table.get("score", "log-odds")
    if score not in ("log-odds", "mean-probability"):
        raise ValueError(f"score: expected 'log-odds' or 'mean-probability', got {score!r}")
    trim = _number(table, "trim", 0.5, 0, 2)
    entries = table.get("motifs")
    if not isinstance(entries, Mapping) or not entries:
        raise ValueError("motifs: expected at least one [motifs.NAME] table")
    motifs = tuple(_parse_motif(key, entry, trim) for key, entry in entries.items())
    simulation = Simulation(
        name=name,
        motifs=motifs,
        positives=_parse_arrangements(table, "positives", motifs),
        negatives=_parse_arrangements(table, "negatives", motifs),
        length=length,
        region=region,
        threshold=_number(table, "threshold", 0.9, 0, 1),
        score=score,
        gc=_number(table, "gc", 0.5, 0, 1),
    )
    for key, arrangements in (
        ("positives", simulation.positives),
        ("negatives", simulation.negatives),
    ):
        for index, arrangement in enumerate(arrangements):
            span = sum(motifs[m].width for m in arrangement.motifs)
            span += max(arrangement.spacings, default=0) * max(len(arrangement.motifs) - 1, 0)
            if span > region:
                raise ValueError(
                    f"{key}[{index}]: its motifs with their spacing take up to {span} bp, expected"
                    f" no more than region = {region}"
                )
    return simulation


def _parse_motif(name: str, entry: Any, trim: float) -> Motif:
    where = f"motifs.{name}"
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected a table, got {entry!r}")
    _only_keys(where, entry, {"matrix", "consensus", "pfm", "columns"})
    given = [key for key in ("matrix", "consensus", "pfm") if key in entry]
    if len(given) != 1:
        raise ValueError(
            f"{where}: expected one of matrix, consensus and pfm, got {given or 'none'}"
        )
    kind, value = given[0], entry[given[0]]
    if kind == "matrix":
        counts, source = _jaspar(where, value), f"{JASPAR_RELEASE} {value}"
    elif kind == "consensus":
        counts, source = _from_consensus(where, value), f"consensus {value}"
    else:
        counts, source = _from_pfm(where, value), "pfm"
    matrix = counts / counts.sum(axis=0)
    start, stop = _columns(where, entry, matrix, trim if kind == "matrix" else 0)
    if (start, stop) != (0, matrix.shape[1]):
        source += f" columns {start}-{stop}"
    return Motif(name, matrix[:, start:stop], source)


def _columns(
    where: str, entry: Mapping[str, Any], matrix: np.ndarray, trim: float
) -> tuple[int, int]:
    """The half-open range of columns kept: as given, or without the flanks that say too little."""
    width = matrix.shape[1]
    if "columns" in entry:
        columns = entry["columns"]
        if (
            not isinstance(columns, list)
            or len(columns) != 2
            or not all(type(c) is int for c in columns)
            or not 0 <= columns[0] < columns[1] <= width
        ):
            raise ValueError(
                f"{where}.columns: expected [start, stop] with 0 <= start < stop <= {width},"
                f" got {columns!r}"
            )
        return columns[0], columns[1]
    bits = 2 + (matrix * np.log2(np.maximum(matrix, 1e-12))).sum(axis=0)
    kept = np.flatnonzero(bits >= trim)
    if not len(kept):
        raise ValueError(
            f"{where}: no column has {trim} bits of information; expected a lower trim"
        )
    return int(kept[0]), int(kept[-1]) + 1


@cache
def _jaspar_counts(matrix_id: str) -> np.ndarray | None:
    from pyjaspar import jaspardb  # opens its database: only where a matrix is asked for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = jaspardb(release=JASPAR_RELEASE).fetch_motif_by_id(matrix_id)
    return None if found is None else np.array([found.counts[b] for b in _BASES], dtype=float)


def _jaspar(where: str, matrix_id: Any) -> np.ndarray:
    base, _, version = str(matrix_id).partition(".")
    counts = _jaspar_counts(matrix_id) if isinstance(matrix_id, str) and base and version else None
    if counts is None:
        raise ValueError(
            f"{where}.matrix: expected the id and version of a {JASPAR_RELEASE} matrix, such as"
            f" 'MA0080.5', got {matrix_id!r}"
        )
    return counts


def _from_consensus(where: str, consensus: Any) -> np.ndarray:
    if not isinstance(consensus, str) or not consensus or set(consensus.upper()) - set(_IUPAC):
        raise ValueError(f"{where}.consensus: expected IUPAC bases, got {consensus!r}")
    allowed = [[base in _IUPAC[letter] for letter in consensus.upper()] for base in _BASES]
    return np.array(allowed, dtype=float)


def _from_pfm(where: str, rows: Any) -> np.ndarray:
    try:
        counts = np.array(rows, dtype=float)
    except (TypeError, ValueError):
        counts = np.empty(0)
    good = counts.ndim == 2 and counts.shape[0] == 4 and counts.shape[1] > 0
    if (
        not good
        or not np.isfinite(counts).all()
        or (counts < 0).any()
        or (counts.sum(0) == 0).any()
    ):
        raise ValueError(
            f"{where}.pfm: expected four rows (A, C, G, T) of equally many numbers >= 0, none of"
            f" the columns all zero, got {rows!r}"
        )
    return counts


def _parse_arrangements(
    table: Mapping[str, Any], key: str, motifs: Sequence[Motif]
) -> tuple[Arrangement, ...]:
    entries = table.get(key)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{key}: expected at least one [[{key}]] table")
    arrangements = tuple(
        _parse_arrangement(f"{key}[{index}]", entry, [m.name for m in motifs])
        for index, entry in enumerate(entries)
    )
    total = sum(arrangement.share for arrangement in arrangements)
    if abs(total - 1) > 1e-6:
        raise ValueError(f"{key}: expected shares that sum to 1, got {total:g}")
    return arrangements


def _parse_arrangement(where: str, entry: Any, names: list[str]) -> Arrangement:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected a table, got {entry!r}")
    _only_keys(where, entry, {"share", "motifs", "spacing", "rigid"})
    share = _number(entry, "share", None, 0, 1, prefix=f"{where}.")
    chosen = entry.get("motifs")
    if not isinstance(chosen, list) or any(name not in names for name in chosen):
        raise ValueError(f"{where}.motifs: expected a list of names among {names}, got {chosen!r}")
    rigid = entry.get("rigid", True)
    if not isinstance(rigid, bool):
        raise ValueError(f"{where}.rigid: expected true or false, got {rigid!r}")
    spacings = _spacings(f"{where}.spacing", entry.get("spacing"), len(chosen))
    return Arrangement(share, tuple(names.index(name) for name in chosen), spacings, rigid)


def _spacings(where: str, value: Any, motifs: int) -> tuple[int, ...]:
    if motifs < 2:
        if value is not None:
            raise ValueError(f"{where}: expected none for fewer than two motifs, got {value!r}")
        return ()
    if isinstance(value, Mapping) and set(value) == {"min", "max"}:
        low, high = value["min"], value["max"]
        spacings = list(range(low, high + 1)) if type(low) is type(high) is int else []
    else:
        spacings = value if isinstance(value, list) else []
    if not spacings or any(type(s) is not int or s < 0 for s in spacings):
        raise ValueError(
            f"{where}: expected numbers of bases such as [7, 8, 9] or {{ min = 30, max = 60 }},"
            f" got {value!r}"
        )
    return tuple(spacings)


def _only_keys(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; expected {sorted(known)}")


def _number(
    table: Mapping[str, Any],
    key: str,
    default: float | None,
    low: float,
    high: float,
    kind: type = float,
    *,
    prefix: str = "",
) -> Any:
    value = table.get(key, default)
    number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{prefix}{key}: expected {wanted} from {low} to {high}, got {value!r}")
    return kind(value)
