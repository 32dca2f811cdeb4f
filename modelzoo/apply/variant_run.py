"""A run over the variants of a VCF file: parts that anybody may do, merged into tables."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from modelzoo import workers
from modelzoo.apply import inputs
from modelzoo.apply.alleles import STATISTICS, Allele, Packed, Scoring, symmetric
from modelzoo.architectures.weights import checksum
from modelzoo.errors import WorkError
from modelzoo.files import sha256, write_atomically, written
from modelzoo.jobs import CELLS
from modelzoo.sequences import Genome, Interval, Reject, Variant, read_vcf, refuse
from modelzoo.sequences.vcf import letters
from modelzoo.tracks.parquet import parquet_writer
from modelzoo.tracks.tsv import write_tsv
from modelzoo.tracks.vcf import Field, annotate_vcf
from modelzoo.zoo.adapters import named, task_index

MADE = (
    "variants.json",
    "effects.tsv",
    "effects.parquet",
    "effects.vcf.gz",
    CELLS,
    "attributions",
    "quality.json",
)
PART = 1 << 17  # positions of stretches in a part
NUMBERS = 1 << 22  # outputs of windows in a part, at most
ROWS = 1 << 16  # of a row group of the Parquet file: as many are in memory
# Why an allele is left out; the first is of those that are not.
WHY = ("", "star", "symbolic", "chromosome", "outside", "ref_mismatch", "too_long", "not_finite")
NOT_FINITE = WHY.index("not_finite")
_TYPES = dict.fromkeys(("chrom", "id", "ref", "alt"), "string")
_TYPES |= dict.fromkeys(("pos", "windows"), "int64")


class VariantRun:
    """A run of `variants`, which has the same arguments, as parts that anybody may do.

    Variants and effects are read from the files wherever they are needed, so that memory hardly
    grows with their number.

    Attributes:
        folder: Where everything is written.
        vcf: The file of variants.
        tasks: The names of what is scored.
        width: Of a window.
        max_shift: N.
        sizes: The length of each chromosome.
        about: What the results depend on.
        parts: The work.
        scoring: Does it.
        on_gpu: Whether the model of this process is on a GPU.
        alleles: What is scored, in the file's order.
        skipped: For each allele of the file, a number of `WHY`.
    """

    def __init__(
        self,
        model: str | Path | nn.Module | inputs.Named,
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
        width = inputs.trained_width(model) if width is None else width
        if width is None or width < 1:
            own = " for this model, which does not tell its own" if width is None else ""
            raise ValueError(f"width: expected 1 or more{own}, got {width}")
        annotated = self.folder / MADE[3]
        if annotated.exists() and annotated.samefile(vcf):
            raise ValueError(f"output: expected another folder than that of the input {vcf}")
        loaded: Any = named(inputs.module(model, device), width)
        if tasks is not None and not tasks:
            raise ValueError("tasks: expected one at least, got none")
        every = range(len(loaded.tasks))
        chosen = [task_index(loaded.tasks, task) for task in (every if tasks is None else tasks)]
        if len(set(chosen)) < len(chosen):
            raise ValueError(f"tasks: expected each once, got {', '.join(map(str, tasks or ()))}")
        self.tasks = [loaded.tasks[task] for task in chosen]
        _info_names(self.tasks)  # raises where they cannot all have fields of their own
        self.width, self.max_shift = width, max_shift
        self.on_gpu = any(parameter.is_cuda for parameter in loaded.parameters())
        windows = 2 * max_shift + 1
        largest = NUMBERS // (len(self.tasks) * windows)
        size = max(1, min(PART // (width + windows - 1), largest))
        self.skipped, self._state = bytearray(), _state(self.vcf)
        total = _Checksum()
        with Genome(genome) as opened:
            self.sizes: dict[str, int] = opened.sizes
            self._chroms: dict[str, None] = {}
            self.alleles = Packed(self._usable(opened, total), size)
        strands = 1 if symmetric(loaded, width) else 2
        stat = Path(genome).stat()
        self.about = {
            "variants": total.hexdigest(),
            "genome": sha256(json.dumps([self.sizes, stat.st_size, stat.st_mtime_ns]).encode()),
            "weights": checksum(loaded),
            "tasks": self.tasks,
            "max_shift": max_shift,
            "width": width,
            "strands": strands,
        }
        self.scoring = Scoring(
            uuid.uuid4().hex, model, device, Path(genome), width, max_shift, tuple(chosen), strands
        )
        self._take_up(overwrite)
        self.parts = list(self._parts())

    @property
    def variants(self) -> Iterator[Variant]:
        """The lines of the file, which must be what it was when the run began."""
        if _state(self.vcf) != self._state:
            raise WorkError(f"{self.vcf}: changed while its variants were scored; begin again")
        return read_vcf(self.vcf)

    def _usable(self, genome: Genome, total: _Checksum) -> Iterator[Allele]:
        for variant in read_vcf(self.vcf):
            total.add(variant)
            self._chroms[variant.chrom] = None
            if not variant.alts:
                self._reject(ValueError(f"{variant.label('.')} has no alternative allele"))
            for alt in variant.alts:
                why = self._unfit(variant, alt, genome)
                self.skipped.append(0)
                if why is None:
                    yield Allele(variant.chrom, variant.start, variant.ref.upper(), alt.upper())
                else:
                    self._leave_out(len(self.skipped) - 1, variant.label(alt), *why)

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

    def _leave_out(self, number: int, label: str, word: str, sentence: str) -> None:
        self.skipped[number] = WHY.index(word)
        self._reject(ValueError(f"{label} {sentence}"))

    def _take_up(self, overwrite: bool) -> None:
        """Make the folder that of this run; parts of it that are there are taken."""
        path = self.folder / MADE[0]
        self.folder.mkdir(parents=True, exist_ok=True)
        hint = "write elsewhere, or start anew with --overwrite"
        if path.is_file():
            try:
                found = json.loads(path.read_text("utf-8"))
            except ValueError:
                found = {}
            differ = [key for key, value in self.about.items() if found.get(key) != value]
            if differ and not overwrite:
                raise ValueError(f"{path} is of another run ({', '.join(differ)} differ); {hint}")
            if differ:  # so that results of the one never lie beside those of the other
                for name in MADE[1:4]:
                    (self.folder / name).unlink(missing_ok=True)
                shutil.rmtree(self.folder / CELLS, ignore_errors=True)
        elif not overwrite:
            for name in MADE:
                if (self.folder / name).exists():
                    raise ValueError(f"{self.folder / name} is of no run; {hint}")
        (self.folder / CELLS).mkdir(exist_ok=True)
        write_atomically(path, json.dumps(self.about, indent=1).encode())

    def _parts(self) -> Iterator[workers.Part]:
        run = json.dumps(self.about)
        for number, block in enumerate(self.alleles.blocks()):
            yield workers.Part(
                path=self.folder / CELLS / f"{number:06}",
                work=partial(self.scoring.part, block),
                key=hashlib.sha256(f"{run} {list(block)}".encode()).hexdigest(),
                cost=len(block),
            )

    def finite(self) -> np.ndarray:
        """Return the numbers of the alleles whose outputs are finite, once they are merged."""
        fates = np.frombuffer(bytes(self.skipped), np.uint8)
        return np.flatnonzero(fates[(fates == 0) | (fates == NOT_FINITE)] == 0)

    def numbers(self, rows: np.ndarray) -> np.ndarray:
        """Return the statistics of some alleles, (rows, tasks, 5); their parts have to be done.

        Args:
            rows: Numbers of alleles, in ascending order.
        """
        found = [np.empty((0, len(self.tasks), len(STATISTICS)))]
        parts = rows // self.alleles.size
        for number in np.unique(parts):
            statistics = _statistics(self.parts[number])
            found.append(statistics[rows[parts == number] % self.alleles.size])
        return np.concatenate(found)

    def merge(self, about: Mapping[str, str]) -> int:
        """Write the tables and the VCF file; return how many alleles the tables have.

        All parts have to be done.

        Args:
            about: What is to be said of the run in the Parquet file.
        """
        known = {key: json.dumps(value) for key, value in self.about.items()}
        with written(self.folder / "effects.tsv") as file:
            rows = self._saved(self._rows(), {**about, **known})
            count = write_tsv(file, self._columns(), (map(_cell, row) for row in rows))
        self._annotate()
        return count

    def _columns(self) -> list[str]:
        ends = [""] if len(self.tasks) == 1 else [f"_{task}" for task in self.tasks]
        names = ("ref_output", "alt_output", *STATISTICS[2:])
        numbers = (f"{name}{end}" for end in ends for name in names)
        return ["chrom", "pos", "id", "ref", "alt", "windows", *numbers]

    def _effects(self) -> Iterator[tuple[Variant, int, list[np.ndarray | None]]]:
        """Yield each line, the number of its first allele, and the statistics of its alleles.

        They are None where an allele was not scored.
        """
        first, scored = 0, chain.from_iterable(map(_statistics, self.parts))
        for variant in self.variants:
            fates = self.skipped[first : first + len(variant.alts)]
            yield variant, first, [next(scored) if f in (0, NOT_FINITE) else None for f in fates]
            first += len(variant.alts)

    def _windows(self, variant: Variant, alt: str) -> int:
        allele = Allele(variant.chrom, variant.start, variant.ref, alt)
        return sum(allele.held(self.width, self.max_shift))

    def _rows(self) -> Iterator[list[Any]]:
        """Yield the rows of the table; alleles whose outputs are not finite are left out."""
        for variant, first, found in self._effects():
            for number, (alt, numbers) in enumerate(zip(variant.alts, found), first):
                if numbers is None:
                    continue
                if not np.isfinite(numbers[:, :4]).all():
                    sentence = "has outputs that are not finite numbers"
                    self._leave_out(number, variant.label(alt), WHY[NOT_FINITE], sentence)
                    continue
                chrom, start, name, ref, _ = variant
                place = [chrom, start + 1, name, ref, alt, self._windows(variant, alt)]
                yield [*place, *numbers.ravel().tolist()]

    def _saved(self, rows: Iterator[list[Any]], about: Mapping[str, str]) -> Iterator[list[Any]]:
        """Yield rows; once all are taken, they are in the Parquet file."""
        import pyarrow

        schema = pyarrow.schema([(name, _TYPES.get(name, "double")) for name in self._columns()])
        with parquet_writer(self.folder / "effects.parquet", schema, about) as writer:
            while block := list(islice(rows, ROWS)):
                writer.write_table(pyarrow.table(list(zip(*block)), schema=schema))
                yield from block

    def _annotate(self) -> None:
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
            for variant, first, found in self._effects():
                fates = self.skipped[first : first + len(found)]
                rows = [None if fate else numbers for fate, numbers in zip(fates, found)]
                texts: dict[str, list[str]] = {}
                if not all(fates):
                    for (name, t), made in fields.items():
                        s = STATISTICS.index(name)
                        texts[made.name] = ["." if r is None else _number(r[t, s]) for r in rows]
                    texts["SS_windows"] = [
                        "." if fate else str(self._windows(variant, alt))
                        for fate, alt in zip(fates, variant.alts)
                    ]
                if any(fates):
                    texts["SS_skipped"] = [WHY[fate] or "." for fate in fates]
                yield texts

        sizes = {chrom: self.sizes.get(chrom) for chrom in self._chroms}
        path = self.folder / "effects.vcf.gz"
        annotate_vcf(self.vcf, path, [*fields.values(), *extra], values(), sizes)


class _Checksum:
    """The sha256 of a list of variants as JSON, of which one is in memory."""

    def __init__(self) -> None:
        self._total, self._between = hashlib.sha256(b"["), b""

    def add(self, variant: Variant) -> None:
        self._total.update(self._between + json.dumps(variant).encode())
        self._between = b", "

    def hexdigest(self) -> str:
        whole = self._total.copy()
        whole.update(b"]")
        return whole.hexdigest()


def _state(path: Path) -> tuple[int, int]:
    """Return what changes when a file is written."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _statistics(part: workers.Part) -> np.ndarray:
    """Return the statistics of a part that is done, (alleles, tasks, 5)."""
    content = part.read()
    if content is None:
        raise WorkError(f"{part.path}: expected a part that is done; do all of them first")
    found: np.ndarray = np.load(io.BytesIO(content))
    return found


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
        raise ValueError(f"tasks: expected names that differ in letters and digits, got {twice[0]}")
    return [(f"_{end}", f", {end}") for end in ends]


def _plain(name: str, instead: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.") else instead for c in name)


def _number(value: float) -> str:
    return "." if np.isnan(value) else f"{value:.6g}"


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return str(value)
