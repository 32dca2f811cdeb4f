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
import hashlib
import io
import json
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from modelzoo import workers
from modelzoo.apply import inputs
from modelzoo.architectures.weights import checksum
from modelzoo.errors import WorkError, working
from modelzoo.files import sha256, write_atomically, written
from modelzoo.sequences import (
    Genome,
    Interval,
    Reject,
    Variant,
    columns,
    encode,
    read_vcf,
    refuse,
    reverse_complement,
)
from modelzoo.sequences.vcf import letters
from modelzoo.tracks.parquet import write_parquet
from modelzoo.tracks.tsv import write_tsv
from modelzoo.tracks.vcf import Field, annotate_vcf
from modelzoo.zoo.adapters import named, task_index
from shiftsmooth import ShiftAveraged

if TYPE_CHECKING:
    from pandas import DataFrame

STATISTICS = ("ref", "alt", "effect", "spread", "z")
MADE = ("variants.json", "effects.tsv", "effects.parquet", "effects.vcf.gz", "parts")
PART = 1 << 17  # positions of stretches in a part
NUMBERS = 1 << 20  # results in a part, at most
BATCH = 1 << 11  # positions of stretches that are run at once; more, and a CPU waits for memory
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
    model: str | Path | nn.Module = field(compare=False)
    device: str | None = field(compare=False)
    genome: Path = field(compare=False)
    width: int = field(compare=False)
    max_shift: int = field(compare=False)
    tasks: tuple[int, ...] = field(compare=False)
    strands: int = field(compare=False)

    @property
    def rows(self) -> int:
        """How many stretches are run at once."""
        return max(1, BATCH // (self.width + 2 * self.max_shift))

    def outputs(self, stretches: Sequence[str]) -> np.ndarray:
        """Return the outputs in every window, (stretches, windows, tasks).

        Windows come in the order of shifts -N to N; after them those of the other strand.
        """
        averaged, device = _ready(self)
        found = []
        for start in range(0, len(stretches), self.rows):
            batch = list(stretches[start : start + self.rows])
            # All batches are alike, so that what is decided about the first holds for all.
            filled = batch + batch[:1] * (self.rows - len(batch))
            outputs = averaged.outputs(columns(encode(filled)).to(device))
            found.append(outputs[:, : len(batch), list(self.tasks)].cpu())
        return torch.cat(found, 1).transpose(0, 1).double().numpy()

    def effects(self, alleles: Sequence[Allele]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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

    def part(self, alleles: Sequence[Allele]) -> bytes:
        """Return a part's content: `statistics` of its alleles, (alleles, tasks, 5)."""
        content = io.BytesIO()
        with torch.no_grad():
            np.save(content, statistics(*self.effects(alleles)))
        return content.getvalue()


@lru_cache(maxsize=1)
def _ready(scoring: Scoring) -> tuple[ShiftAveraged, torch.device]:
    """Return the averaged model of a scoring, and where it runs."""
    model = inputs.module(scoring.model, scoring.device)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    averaged = ShiftAveraged(model, scoring.max_shift, scoring.strands, edges="flanks")
    # How windows share is decided here, with the same sequences in every process, so that the
    # rounding of a part does not depend on which part its process did first.
    length = scoring.width + 2 * scoring.max_shift
    codes = np.random.default_rng(0).integers(0, 4, (scoring.rows, length), dtype=np.uint8)
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

    It is asked in float64 with a few random sequences; a model that does not run in float64 is
    taken for one that is not symmetric.

    Args:
        model: In eval mode.
        width: Of its sequences.
    """
    codes = np.random.default_rng(0).integers(0, 5, (4, width), dtype=np.uint8)
    try:
        double = copy.deepcopy(model).double()
        device = next((p.device for p in double.parameters()), torch.device("cpu"))
        x = columns(codes).double().to(device)
        with torch.no_grad():
            forward, reverse = double(x), double(reverse_complement(x))
    except Exception:
        return False
    if forward.dtype != torch.float64:
        return False
    return bool((forward - reverse).abs().max() <= 1e-10 * forward.abs().max())


def variants(
    model: str | Path | nn.Module,
    vcf: str | Path,
    output: str | Path,
    *,
    genome: str | Path,
    tasks: Sequence[str | int] | None = None,
    max_shift: int = 5,
    width: int | None = None,
    about: Mapping[str, str] | None = None,
    device: str | None = None,
    processes: int | None = 1,
    engine: workers.Engine | None = None,
    progress: bool = False,
    overwrite: bool = False,
    reject: Reject = refuse,
) -> DataFrame:
    """Score the variants of a VCF file; write and return a table with a row per allele.

    Every window of `width` positions that holds a variant at most `max_shift` positions from its
    middle is predicted with REF and with ALT, read from both strands; the second strand is left out
    where the model gives both the same. The effect is the mean over windows of ALT minus REF.

    Writes `effects.tsv`, `effects.parquet` and `effects.vcf.gz`, a copy of the VCF file, with the
    same numbers in INFO. Called again after a kill, it goes on where it was: the folder `parts`
    holds what is done.

    The columns are `chrom`, `pos` (from 1), `id`, `ref`, `alt`, `windows` (how many were averaged
    over, of one strand), and for every task, with its name behind if there are several:

    - `ref_output`, `alt_output`: the means over windows of the model's outputs, for models of the
      zoo logits.
    - `effect`: their difference, `alt_output` - `ref_output`.
    - `spread`: the standard deviation of the windows' effects around their mean.
    - `z`: `effect` / `spread`; empty where the windows agree up to rounding. Windows overlap, so
      this is no test statistic: |z| says how far the windows agree that there is an effect.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`.
        vcf: A VCF file, plain, gzipped or bgzipped. Alleles that are not letters (`<DEL>`, `*`,
            breakends), whose REF is not in the genome, or that no window holds, are rejected.
        output: The folder to write; made if need be.
        genome: The genome, in FASTA (plain or bgzipped) or 2bit. Beyond a chromosome it is N.
        tasks: Names or numbers of the outputs; all by default.
        max_shift: N: windows have the variant up to N positions off their middle.
        width: Of a window; by default the length that a model of the catalog was trained on.
        about: What is to be said of the run in the files, such as the command.
        device: Where the model runs; where it is, by default.
        processes: How many to work in; None is one per core.
        engine: Does the parts instead, see `modelzoo.workers.run`.
        progress: Whether to show a bar.
        overwrite: Start anew where `output` holds another run.
        reject: Called with what is wrong with an allele, which is left out if it returns.

    Raises:
        ValueError: An argument does not fit, or the folder holds another run.
        LookupError: Genome and VCF name the chromosomes differently (`1` and `chr1`).
    """
    run = VariantRun(
        model,
        vcf,
        output,
        genome=genome,
        tasks=tasks,
        max_shift=max_shift,
        width=width,
        device=device,
        overwrite=overwrite,
        reject=reject,
    )
    with working(), workers.alone(run.folder):
        workers.run(
            run.parts,
            workers=processes,
            engine=engine,
            description="scoring variants",
            progress=progress,
        )
        return run.merge(about or {})


class VariantRun:
    """A run of `variants`, which has the same arguments, as parts that anybody may do.

    Attributes:
        folder: Where everything is written.
        parts: The work.
        alleles: What is scored, in the file's order.
        skipped: Why alleles are left out, by their numbers of variant and allele.
    """

    def __init__(
        self,
        model: str | Path | nn.Module,
        vcf: str | Path,
        output: str | Path,
        *,
        genome: str | Path,
        tasks: Sequence[str | int] | None = None,
        max_shift: int = 5,
        width: int | None = None,
        device: str | None = None,
        overwrite: bool = False,
        reject: Reject = refuse,
    ) -> None:
        self.folder, self.vcf, self._reject = Path(output), Path(vcf), reject
        if max_shift < 0:
            raise ValueError(f"max_shift: expected 0 or more, got {max_shift}")
        width = width or inputs.trained_width(model)
        if width is None:
            raise ValueError("width: expected one, for this model does not tell its own, got None")
        loaded: Any = named(inputs.module(model, device), width)
        if tasks is not None and not tasks:
            raise ValueError("tasks: expected one at least, got none")
        every = range(len(loaded.tasks))
        chosen = [task_index(loaded.tasks, task) for task in (every if tasks is None else tasks)]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"tasks: expected each once, got {', '.join(map(str, tasks or ()))}")
        self.tasks = [loaded.tasks[task] for task in chosen]
        self.width, self.max_shift = width, max_shift
        self.skipped: dict[tuple[int, int], str] = {}
        self.variants = list(read_vcf(vcf))
        with Genome(genome) as opened:
            self.sizes = opened.sizes
            self.alleles = list(self._usable(opened))
        strands = 1 if symmetric(loaded, width) else 2
        stat = Path(genome).stat()
        self.about = {
            "variants": sha256(json.dumps(self.variants).encode()),
            "genome": sha256(json.dumps([self.sizes, stat.st_size, stat.st_mtime_ns]).encode()),
            "weights": checksum(loaded),
            "tasks": self.tasks,
            "max_shift": max_shift,
            "width": width,
            "strands": strands,
        }
        scoring = Scoring(
            uuid.uuid4().hex, model, device, Path(genome), width, max_shift, tuple(chosen), strands
        )
        self._take_up(overwrite)
        self.parts = list(self._parts(scoring))

    def _usable(self, genome: Genome) -> Iterator[Allele]:
        for number, variant in enumerate(self.variants):
            if not variant.alts:
                self._reject(ValueError(f"{variant.label('.')} has no alternative allele"))
            for index, alt in enumerate(variant.alts):
                why = self._unfit(variant, alt, genome)
                if why is None:
                    yield Allele(
                        variant.chrom, variant.start, variant.ref.upper(), alt.upper()
                    )
                else:
                    self._leave_out((number, index), *why)

    def _unfit(self, variant: Variant, alt: str, genome: Genome) -> tuple[str, str] | None:
        """Return why an allele cannot be scored, in a word and in a sentence; None if it can."""
        if alt == "*":
            return "star", "is of a deletion in another line"
        if not letters(alt):
            return "symbolic", "is not written out in letters"
        end = variant.start + len(variant.ref)
        try:
            size = genome.size(variant.chrom)
        except ValueError as error:
            return "chromosome", f"cannot be placed: {error}"
        if not 0 <= variant.start < end <= size:
            return "outside", f"lies outside of {variant.chrom}, which has {size} positions"
        there = genome.sequence(Interval(variant.chrom, variant.start, end))
        if there.upper() != variant.ref.upper():
            return "ref_mismatch", f"has another REF than the genome, which has {there}"
        allele = Allele(variant.chrom, variant.start, variant.ref, alt)
        if not any(allele.held(self.width, self.max_shift)):
            return "too_long", f"does not fit into a window of {self.width} positions"
        return None

    def _leave_out(self, place: tuple[int, int], word: str, sentence: str) -> None:
        variant = self.variants[place[0]]
        self.skipped[place] = word
        self._reject(ValueError(f"{variant.label(variant.alts[place[1]])} {sentence}"))

    def _take_up(self, overwrite: bool) -> None:
        """Make the folder that of this run; parts of it that are there are taken."""
        path = self.folder / MADE[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        hint = "write elsewhere, or start anew with --overwrite"
        if path.is_file() and not overwrite:
            try:
                found = json.loads(path.read_text("utf-8"))
            except ValueError:
                found = {}
            if differ := [key for key, value in self.about.items() if found.get(key) != value]:
                raise ValueError(f"{path} is of another run ({', '.join(differ)} differ); {hint}")
        elif not overwrite:
            for name in MADE:
                if (self.folder / name).exists():
                    raise ValueError(f"{self.folder / name} is of no run; {hint}")
        (self.folder / "parts").mkdir(exist_ok=True)
        write_atomically(path, json.dumps(self.about, indent=1).encode())

    def _parts(self, scoring: Scoring) -> Iterator[workers.Part]:
        length, tasks = self.width + 2 * self.max_shift, len(self.tasks)
        size = max(1, min(PART // length, NUMBERS // tasks))
        run = json.dumps(self.about)
        for number, start in enumerate(range(0, len(self.alleles), size)):
            alleles = self.alleles[start : start + size]
            yield workers.Part(
                path=self.folder / "parts" / f"{number:06}",
                work=partial(scoring.part, alleles),
                key=hashlib.sha256(f"{run} {alleles}".encode()).hexdigest(),
                cost=len(alleles),
            )

    def merge(self, about: Mapping[str, str]) -> DataFrame:
        """Write the tables and the VCF file; all parts have to be done.

        Args:
            about: What is to be said of the run in the Parquet file.
        """
        found = [np.empty((0, len(self.tasks), len(STATISTICS)))]
        for part in self.parts:
            content = part.read()
            if content is None:
                raise WorkError(f"{part.path}: expected a part that is done; do all of them first")
            found.append(np.load(io.BytesIO(content)))
        numbers = np.concatenate(found)
        finite = np.isfinite(numbers[..., :4]).all((1, 2))
        places = [
            (v, a)
            for v, variant in enumerate(self.variants)
            for a in range(len(variant.alts))
            if (v, a) not in self.skipped
        ]
        for row in np.flatnonzero(~finite):
            self._leave_out(places[row], "not_finite", "has outputs that are not finite numbers")
        scored = {place: row for row, place in enumerate(places) if finite[row]}
        windows = [sum(a.held(self.width, self.max_shift)) for a in self.alleles]
        table = self._table(scored, numbers, windows)
        known = {key: json.dumps(value) for key, value in self.about.items()}
        with written(self.folder / "effects.tsv") as file:
            write_tsv(file, table, zip(*(map(_cell, column) for column in table.values())))
        write_parquet(table, self.folder / "effects.parquet", {**about, **known})
        self._annotate(scored, numbers, windows)
        from pandas import DataFrame

        return DataFrame(table)

    def _table(
        self, scored: Mapping[tuple[int, int], int], numbers: np.ndarray, windows: Sequence[int]
    ) -> dict[str, Sequence[Any]]:
        """Return the columns of the table, without the alleles that are left out."""
        lines = [self.variants[v] for v, _ in scored]
        rows = list(scored.values())
        table: dict[str, Sequence[Any]] = {
            "chrom": [line.chrom for line in lines],
            "pos": [line.start + 1 for line in lines],
            "id": [line.name for line in lines],
            "ref": [line.ref for line in lines],
            "alt": [self.variants[v].alts[a] for v, a in scored],
            "windows": [windows[row] for row in rows],
        }
        for t, task in enumerate(self.tasks):
            for s, name in enumerate(("ref_output", "alt_output", *STATISTICS[2:])):
                suffix = "" if len(self.tasks) == 1 else f"_{task}"
                table[name + suffix] = numbers[rows, t, s]
        return table

    def _annotate(
        self, scored: Mapping[tuple[int, int], int], numbers: np.ndarray, windows: Sequence[int]
    ) -> None:
        """Write the VCF file with the numbers in INFO, which has one per alternative allele."""
        fields = {
            (name, t): Field(f"SS_{name}{suffix}", "Float", f"{_MEANING[name]}{of}")
            for t, (suffix, of) in enumerate(_info_names(self.tasks))
            for name in STATISTICS[2:]
        }
        extra = [
            Field("SS_windows", "Integer", "Windows that the effect is averaged over"),
            Field("SS_skipped", "String", "Why an allele has no effect, or ."),
        ]

        def values() -> Iterator[dict[str, list[str]]]:
            for v, variant in enumerate(self.variants):
                places = [(v, a) for a in range(len(variant.alts))]
                rows = [scored.get(place) for place in places]
                texts: dict[str, list[str]] = {}
                if any(row is not None for row in rows):
                    for (name, t), made in fields.items():
                        s = STATISTICS.index(name)
                        texts[made.name] = [
                            "." if row is None else _number(numbers[row, t, s]) for row in rows
                        ]
                    texts["SS_windows"] = ["." if r is None else str(windows[r]) for r in rows]
                if None in rows:
                    texts["SS_skipped"] = [self.skipped.get(place, ".") for place in places]
                yield texts

        used = {variant.chrom for variant in self.variants}
        sizes = {chrom: size for chrom, size in self.sizes.items() if chrom in used}
        path = self.folder / "effects.vcf.gz"
        annotate_vcf(self.vcf, path, [*fields.values(), *extra], values(), sizes)


_MEANING = {
    "effect": "Mean over windows of ALT minus REF",
    "spread": "Standard deviation over windows of ALT minus REF",
    "z": "Effect divided by its spread",
}


def _info_names(tasks: Sequence[str]) -> Iterable[tuple[str, str]]:
    """Return for each task what its fields of INFO end with, and what is said of them."""
    if len(tasks) == 1:
        return [("", f", {_plain(tasks[0], ' ')}")]
    ends = [_plain(task, "_") for task in tasks]
    twice = [end for end, count in Counter(ends).items() if count > 1]
    if twice:
        raise WorkError(f"tasks: expected names that differ in letters and digits, got {twice[0]}")
    return [(f"_{end}", f", {end}") for end in ends]


def _plain(name: str, instead: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.") else instead for c in name)


def _number(value: float) -> str:
    return "." if np.isnan(value) else f"{value:.6g}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
