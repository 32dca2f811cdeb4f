"""Effects of variants, averaged over the windows that hold them.

A window of shift n, -N to N, has the variant n positions right of the middle. Both alleles stand at
the same place in it: left of the variant lies the same flank, and the right flank of a longer
allele ends earlier. So all windows of an allele lie in one stretch of `width` + 2N positions, and
share what they have in common.

    effect_n = f(window n with ALT) - f(window n with REF), the mean over both strands' windows
    effect = mean_n effect_n,  spread = sqrt(mean_n (effect_n - effect)^2),  z = effect / spread
"""

from __future__ import annotations

import copy
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo.apply import inputs
from modelzoo.sequences import Genome, Interval, columns, encode, reverse_complement
from shiftsmooth import ShiftAveraged

STATISTICS = ("ref", "alt", "effect", "spread", "z")
BATCH = 1 << 11  # positions of stretches that a CPU runs at once; with more it waits for memory
GPU_BATCH = 1 << 16
AGREE = 1e-6  # of the outputs: windows whose effects differ by less agree, up to rounding


class Allele(NamedTuple):
    """A variant with one of its alternative alleles, in letters.

    Attributes:
        chrom: The chromosome.
        start: Where `ref` begins, from 0.
        ref: What the genome has there.
        alt: What is there instead.
    """

    chrom: str
    start: int
    ref: str
    alt: str

    @property
    def longest(self) -> int:
        """The length of the longer allele."""
        return max(len(self.ref), len(self.alt))

    def left(self, width: int) -> int:
        """Return how many positions of the middle window lie left of the variant."""
        return width // 2 - self.longest // 2

    def held(self, width: int, max_shift: int) -> list[bool]:
        """Return which of the windows, shifts -N to N, hold both alleles from end to end."""
        left, last = self.left(width), width - self.longest
        return [0 <= left + n <= last for n in range(-max_shift, max_shift + 1)]

    def stretches(self, genome: Genome, width: int, max_shift: int) -> tuple[str, str]:
        """Return what holds all windows, with `ref` and with `alt`: `width` + 2N letters each.

        Positions beyond the chromosome are N.
        """
        before, length = self.left(width) + max_shift, width + 2 * max_shift
        end = self.start + len(self.ref)
        after = length - before - min(len(self.ref), len(self.alt))
        around = genome.sequence(Interval(self.chrom, self.start - before, end + after)).upper()
        left, right = around[:before], around[before + len(self.ref) :]
        return (left + self.ref + right)[:length], (left + self.alt + right)[:length]


class Packed(Collection[Allele]):
    """Alleles as text in blocks, a tenth of the memory of tuples; made where they are asked for.

    Args:
        alleles: In their order.
        size: How many are in a block; the last may have fewer.
    """

    def __init__(self, alleles: Iterable[Allele], size: int) -> None:
        self.size, self._count, self._texts = size, 0, list[str]()
        rest = iter(alleles)
        while block := list(islice(rest, size)):
            self._count += len(block)
            self._texts.append("\n".join("\t".join(map(str, allele)) for allele in block))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Allele]:
        for text in self._texts:
            yield from map(_unpacked, text.split("\n"))

    def __contains__(self, allele: object) -> bool:
        return any(allele == own for own in self)

    def __getitem__(self, row: int) -> Allele:
        return _unpacked(self._texts[row // self.size].split("\n")[row % self.size])

    def blocks(self) -> Iterator[Packed]:
        """Yield the blocks, each as if it were alone."""
        for text in self._texts:
            block = Packed((), self.size)
            block._texts, block._count = [text], text.count("\n") + 1
            yield block


def _unpacked(text: str) -> Allele:
    chrom, start, ref, alt = text.split("\t")
    return Allele(chrom, int(start), ref, alt)


@dataclass(frozen=True)
class Scoring:
    """What scores variants: all that their effects depend on besides themselves.

    Attributes:
        call: Tells calls apart, so that a process sets up once per call.
        model: The model, or its name.
        device: Where it runs.
        genome: The genome's file.
        width: Of a window.
        max_shift: N.
        tasks: The columns of the model's output.
        strands: 2 if windows are read from both strands.
    """

    call: str
    model: str | Path | nn.Module | inputs.Named = field(compare=False)
    device: str | None = field(compare=False)
    genome: Path = field(compare=False)
    width: int = field(compare=False)
    max_shift: int = field(compare=False)
    tasks: tuple[int, ...] = field(compare=False)
    strands: int = field(compare=False)

    def rows(self, device: torch.device) -> int:
        """Return how many stretches are run at once."""
        positions = BATCH if device.type == "cpu" else GPU_BATCH
        return max(1, positions // (self.width + 2 * self.max_shift))

    def outputs(self, stretches: Sequence[str]) -> np.ndarray:
        """Return the outputs in every window, (stretches, windows, tasks).

        Windows come in the order of shifts -N to N; after them those of the other strand.
        """
        averaged, device = averaged_model(self)
        rows, found = self.rows(device), []
        for start in range(0, len(stretches), rows):
            batch = list(stretches[start : start + rows])
            # All batches are alike, so that what is decided about the first holds for all.
            filled = batch + batch[:1] * (rows - len(batch))
            outputs = averaged.outputs(columns(encode(filled)).to(device))
            found.append(outputs[:, : len(batch), list(self.tasks)].cpu())
        return torch.cat(found, 1).transpose(0, 1).double().numpy()

    def effects(self, alleles: Collection[Allele]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the outputs with REF and with ALT, (alleles, windows, tasks), and which count.

        The last, (alleles, windows), is False for windows that do not hold the whole variant.
        """
        rows: dict[str, int] = {}  # alleles of one variant have one REF
        with Genome(self.genome) as genome:
            pairs = [a.stretches(genome, self.width, self.max_shift) for a in alleles]
        places = np.array([[rows.setdefault(s, len(rows)) for s in pair] for pair in pairs])
        outputs = self.outputs(list(rows))
        held = np.array([a.held(self.width, self.max_shift) * self.strands for a in alleles])
        return outputs[places[:, 0]], outputs[places[:, 1]], held

    def part(self, alleles: Collection[Allele]) -> bytes:
        """Return a part's content: `statistics` of its alleles, (alleles, tasks, 5)."""
        content = io.BytesIO()
        with torch.no_grad():
            effects = self.effects(alleles)
        with np.errstate(invalid="ignore"):  # what is not finite is left out later
            np.save(content, statistics(*effects))
        return content.getvalue()


@lru_cache(maxsize=1)
def averaged_model(scoring: Scoring) -> tuple[ShiftAveraged, torch.device]:
    """Return the averaged model of a scoring, and where it runs."""
    model = inputs.module(scoring.model, scoring.device)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    averaged = ShiftAveraged(model, scoring.max_shift, scoring.strands, edges="flanks")
    # How windows share is decided here, with the same sequences in every process, so that the
    # rounding of a part does not depend on which part its process did first.
    length = scoring.width + 2 * scoring.max_shift
    codes = np.random.default_rng(0).integers(0, 4, (scoring.rows(device), length), dtype=np.uint8)
    with torch.no_grad():
        averaged.outputs(columns(codes).to(device))
    return averaged, device


def statistics(ref: np.ndarray, alt: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return mean outputs, effect, spread and z over windows, (alleles, tasks, 5).

    Args:
        ref: Outputs with REF, (alleles, windows, tasks).
        alt: With ALT.
        held: Which windows count, (alleles, windows); one at least of each row.

    Returns:
        In the order of `STATISTICS`. z is NaN where the spread is no more than rounding: under a
        millionth of the outputs.
    """
    weights = (held / held.sum(1, keepdims=True))[..., None]

    def mean(values: np.ndarray) -> np.ndarray:
        return (values * weights).sum(1)

    effects = alt - ref
    effect = mean(effects)
    spread = np.sqrt(mean((effects - effect[:, None]) ** 2))
    means = mean(ref), mean(alt)
    agree = spread <= AGREE * (abs(means[0]) + abs(means[1]))
    z = effect / np.where(agree, np.nan, spread)
    return np.stack([*means, effect, spread, z], -1)


def symmetric(model: nn.Module, width: int) -> bool:
    """Return whether a model gives both strands of a sequence the same outputs, but for rounding.

    It is asked with two random sequences, again in float64 where it seems to be; a model that does
    not run in float64 is taken for one that is not symmetric.

    Args:
        model: In eval mode.
        width: Of its sequences.
    """
    codes = np.random.default_rng(0).integers(0, 5, (2, width), dtype=np.uint8)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    x = columns(codes).to(device)
    if _unlike(model, x) > 1e-3:
        return False
    try:
        return _unlike(copy.deepcopy(model).double(), x.double()) <= 1e-10
    except Exception:  # a model that keeps a type of its own
        return False


@torch.no_grad()
def _unlike(model: nn.Module, x: Tensor) -> float:
    """Return how far the strands' outputs differ, as a part of the largest output."""
    forward, reverse = model(x), model(reverse_complement(x))
    largest = forward.abs().max()
    if forward.dtype != x.dtype or not largest.isfinite():
        return float("inf")
    return float((forward - reverse).abs().max() / largest) if largest else 0.0
