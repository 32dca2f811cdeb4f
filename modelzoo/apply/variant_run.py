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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from modelzoo import workers
from modelzoo.apply import inputs
from modelzoo.apply.alleles import STATISTICS, Allele, Scoring, symmetric
from modelzoo.architectures.weights import checksum
from modelzoo.errors import WorkError
from modelzoo.files import sha256, write_atomically, written
from modelzoo.jobs import CELLS
from modelzoo.sequences import Genome, Interval, Reject, Variant, read_vcf, refuse
from modelzoo.sequences.vcf import letters
from modelzoo.tracks.parquet import write_parquet
from modelzoo.tracks.tsv import write_tsv
from modelzoo.tracks.vcf import Field, annotate_vcf
from modelzoo.zoo.adapters import named, task_index

if TYPE_CHECKING:
    from pandas import DataFrame

MADE = (
    "variants.json",
    "effects.tsv",
    "effects.parquet",
    "effects.vcf.gz",
    CELLS,
    "attributions",
)
PART = 1 << 17  # positions of stretches in a part
NUMBERS = 1 << 22  # outputs of windows in a part, at most


class VariantRun:
    """A run of `variants`, which has the same arguments, as parts that anybody may do.

    Attributes:
        folder: Where everything is written.
        vcf: The file of variants.
        variants: Its lines.
        tasks: The names of what is scored.
        width: Of a window.
        max_shift: N.
        sizes: The length of each chromosome.
        about: What the results depend on.
        parts: The work.
        scoring: Does it.
        on_gpu: Whether the model of this process is on a GPU.
        alleles: What is scored, in the file's order.
        skipped: Why alleles are left out, by their numbers of variant and allele.
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
        self.scoring = Scoring(
            uuid.uuid4().hex, model, device, Path(genome), width, max_shift, tuple(chosen), strands
        )
        self._take_up(overwrite)
        self.parts = list(self._parts())

    def _usable(self, genome: Genome) -> Iterator[Allele]:
        for number, variant in enumerate(self.variants):
            if not variant.alts:
                self._reject(ValueError(f"{variant.label('.')} has no alternative allele"))
            for index, alt in enumerate(variant.alts):
                why = self._unfit(variant, alt, genome)
                if why is None:
                    yield Allele(variant.chrom, variant.start, variant.ref.upper(), alt.upper())
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
        windows = 2 * self.max_shift + 1
        largest = NUMBERS // (len(self.tasks) * windows)
        size = max(1, min(PART // (self.width + windows - 1), largest))
        run = json.dumps(self.about)
        for number, start in enumerate(range(0, len(self.alleles), size)):
            alleles = self.alleles[start : start + size]
            yield workers.Part(
                path=self.folder / CELLS / f"{number:06}",
                work=partial(self.scoring.part, alleles),
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
        finite = np.asarray(np.isfinite(numbers[..., :4]).all((1, 2)))
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
                table[name + suffix] = numbers[rows, t, s].tolist()
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

        sizes = {variant.chrom: self.sizes.get(variant.chrom) for variant in self.variants}
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
