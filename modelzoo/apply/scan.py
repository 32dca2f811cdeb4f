"""A model on every window along a genome: tracks of predictions and attributions.

The work is a list of parts, one per chunk of a chromosome. A part reads what its windows need
beyond its own bases, so parts know nothing of each other, and tracks are made of their files.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.architectures.weights import checksum
from modelzoo.attribution.quality import FILE, Quality, sampled, write_quality
from modelzoo.attribution.quality import quality as quality_of
from modelzoo.errors import working
from modelzoo.files import sha256
from modelzoo.jobs import CELLS, Where
from modelzoo.sequences import AMBIGUOUS, Genome, Interval, columns, encode, read_intervals
from modelzoo.tracks.scanned import Scanned, chosen
from modelzoo.workers import Part
from modelzoo.zoo.adapters import named, task_index
from shiftsmooth.scanning import Scanner

CHUNK = 1 << 18  # bases of a part, or a few windows: what parts read twice is little of it


class Tracks(NamedTuple):
    """The files that a scan has written, in the first of its formats: one or two files.

    Attributes:
        predictions: The output for each window, at the `step` bases in its middle.
        attributions: For each base the mean over all windows that hold it.
    """

    predictions: Path
    attributions: Path


@dataclass(frozen=True)
class Scanning:
    """What all parts of a scan have in common.

    Attributes:
        model: The model, or its name; for several processes a name is read in each of them.
        genome: The file.
        width: Of a window.
        step: From the start of a window to the start of the next.
        strands: 1 or 2.
        target: The column of the output.
        device: Where the model runs; None leaves it where it is.
    """

    model: str | Path | nn.Module | inputs.Named
    genome: Path
    width: int
    step: int
    strands: int
    target: int
    device: str | None

    def __call__(self, interval: Interval) -> bytes:
        """Return predictions and attributions of the bases of an interval, float32 one by one."""
        with Genome(self.genome) as genome:
            first, count = windows_of(interval, genome.size(interval.chrom), self.width, self.step)
            end = first + (count - 1) * self.step + self.width
            held = interval._replace(start=first, end=max(first, end))
            codes = encode(genome.sequence(held))[0] if count else np.empty(0, np.uint8)
        found = np.full((2, interval.width), np.nan, np.float32)
        for start, stop in _stretches(codes, count, self.width, self.step):
            piece = codes[start * self.step : (stop - 1) * self.step + self.width]
            outputs, scores = self._scanned(piece)
            place = first + start * self.step - interval.start
            middle = min(self.step, self.width)  # the bases that a prediction is drawn at
            spread = np.full((len(outputs), self.step), np.nan, np.float32)
            spread[:, :middle] = outputs[:, None]
            _put(found[0], place + self.width // 2 - middle // 2, spread.ravel())
            _put(found[1], place, scores)
        return found.tobytes()

    def _scanned(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs per window, and contributions, NaN at letters that are not known."""
        scanner, model = _loaded(self)
        x = columns(codes[None])[0]
        like = next(model.parameters(), torch.zeros(0))
        outputs, gradient = scanner(x, dtype=like.dtype, device=like.device)
        assert gradient is not None
        if not (outputs.isfinite().all() and gradient.isfinite().all()):
            raise ValueError("expected finite numbers from the model, got others")
        scores = ((gradient - gradient.mean(0)) * x).sum(0).float().numpy()
        held = scanner.holding(len(codes)).numpy() > 0
        return outputs.float().numpy(), np.where((codes != AMBIGUOUS) & held, scores, np.nan)


@lru_cache(maxsize=1)
def _loaded(job: Scanning) -> tuple[Scanner, nn.Module]:
    """Return the model of a job and what scans with it; a process does the parts of one job."""
    model = named(inputs.module(job.model, job.device), job.width)
    return Scanner(model, job.target, window=job.width, step=job.step, strands=job.strands), model


def scan(
    model: str | Path | nn.Module | inputs.Named,
    genome: str | Path,
    output: str | Path,
    *,
    step: int = 1,
    width: int | None = None,
    regions: str | Path | Iterable[Interval] | None = None,
    task: str | int | None = None,
    strands: int = 2,
    quality: bool = True,
    formats: Sequence[str] = ("bigwig",),
    about: Mapping[str, str] | None = None,
    device: str | torch.device | None = None,
    where: Where | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> Tracks | None:
    """Scan a genome: a prediction per window, an attribution per base; return their files.

    Each base is averaged over all windows that hold it, with the flanks that the genome has there.
    Windows start at the multiples of `step`. Those that hold no letter but N are left out, and a
    base that is not known gets no attribution. Soft masks are ignored. Called again after a kill,
    it resumes.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`; for other processes,
            `modelzoo.apply.inputs.Named`.
        genome: FASTA, plain or bgzipped, or 2bit.
        output: The folder to write; created if missing.
        step: Bases from the start of a window to the start of the next.
        width: Of a window; by default the length that a model of the catalog was trained on.
        regions: A file of intervals, or intervals: the bases to scan; all by default.
        task: The name or number of the output; the first by default.
        strands: 2 averages over both strands.
        quality: Whether to write what single windows say about the scan, `quality.json`, from a
            sample that takes a tenth of the scan's model evaluations at most.
        formats: Names in `modelzoo.tracks.scanned.FORMATS`, of what to write.
        about: What is to be said of the scan in files that can hold it, such as the command.
        device: Where the model runs; where it is, by default.
        where: Where the parts are done, by default in this process. Returns None for a job of many.
        overwrite: Replace the tracks that `output` holds.
        progress: Show a bar with the time left.

    Raises:
        ValueError: An argument does not fit.
        FileExistsError: `output` holds files of these names.

    Example:
        >>> import modelzoo, tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     genome = Path(folder) / "genome.fa"
        ...     _ = genome.write_text(f">chr1{chr(10)}{'ACAGATAAGA' * 30}")
        ...     tracks = modelzoo.scan("deepbind-gata3", genome, folder, step=20)
        ...     tracks.predictions.name
        'predictions.bw'
    """
    folder = Path(output)
    wanted = chosen(formats)
    made = [path for one in wanted for path in one.paths(folder)]
    tracks = Tracks(made[0], made[len(wanted[0].files) - 1])
    made += [folder / FILE] if quality else []
    finished = not (folder / CELLS).exists()  # a run that was killed may have written some of them
    if finished and not overwrite and (there := [path for path in made if path.exists()]):
        raise FileExistsError(f"output: {there[0]} exists; expected another folder, or overwrite")
    width = width or inputs.trained_width(model)
    if width is None:
        raise ValueError("width: expected one, for a model that is not of the catalog, got None")
    for name, number in (("step", step), ("width", width)):
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    if strands not in (1, 2):
        raise ValueError(f"strands: expected 1 or 2, got {strands}")
    loaded: Any = named(inputs.module(model, device), width)
    target = task_index(loaded.tasks, task)
    place = None if device is None else str(device)
    job = Scanning(model, Path(genome), width, step, strands, target, place)
    with Genome(genome) as opened:
        sizes, intervals = opened.sizes, chunks(opened, regions, width)
    weights = checksum(loaded)
    parts = parts_of(job, intervals, folder / CELLS, weights)
    (folder / CELLS).mkdir(parents=True, exist_ok=True)
    where = where or Where(workers=1)
    on_gpu = any(parameter.is_cuda for parameter in loaded.parameters())
    if on_gpu and not where.gpus:
        where = replace(where, workers=where.workers or 1)
    with working(), where.alone(folder):
        where.note(folder / CELLS)
        where.run(parts, description="scanning", progress=progress, begin_here=not on_gpu)
        if where.part is not None:
            return None
        known = {**_told(job, loaded, weights), **(about or {})}
        scanned = Scanned(intervals, _Values(parts), sizes, known)
        for one in wanted:
            one.write(scanned, *one.paths(folder))
        write_quality(folder, _quality(loaded, job, intervals) if quality else None)
        shutil.rmtree(folder / CELLS)
    return tracks


def _quality(model: nn.Module, job: Scanning, intervals: Sequence[Interval]) -> Quality:
    """Return what a sample of windows says about their gradients, before these are averaged."""
    bases = sum(interval.width for interval in intervals)
    ends = np.cumsum([interval.width for interval in intervals])
    windows = []
    with Genome(job.genome) as genome:
        for base in sampled(bases):
            number = int(np.searchsorted(ends, base, "right"))
            held = intervals[number]
            start = min(held.end - int(ends[number]) + base, genome.size(held.chrom) - job.width)
            if start >= 0:
                windows.append(Interval(held.chrom, start, start + job.width))
        sequences = [genome.sequence(window) for window in windows]
    codes = encode(sequences) if windows else np.empty((0, job.width), np.uint8)
    kept = np.flatnonzero((codes != AMBIGUOUS).any(1))
    return quality_of(
        model,
        columns(codes[kept]).to(next((p.device for p in model.parameters()), torch.device("cpu"))),
        job.target,
        run=bases // job.width,  # windows share, so that a scan may cost no more than these do
        names=[str(windows[row]) for row in kept],
        tasks=model.tasks,  # type: ignore[arg-type]
    )


def _told(job: Scanning, model: Any, weights: str) -> dict[str, Any]:
    """Return what files that can hold it say of a scan."""
    return {
        "model": inputs.title(job.model),
        "weights": weights,
        "version": version("shiftsmooth"),
        "genome": job.genome.name,
        "task": model.tasks[job.target],
        "width": job.width,
        "step": job.step,
        "strands": job.strands,
    }


def chunks(
    genome: Genome, regions: str | Path | Iterable[Interval] | None, width: int
) -> list[Interval]:
    """Return the parts' intervals, in the genome's order; no base is in two of them.

    Args:
        genome: Names the chromosomes.
        regions: What to scan, in any order; None is all of it.
        width: Of a window.
    """
    if isinstance(regions, str | Path):
        regions = read_intervals(regions)
    if regions is None:
        regions = [Interval(chrom, 0, size) for chrom, size in genome.sizes.items()]
    by_chrom: dict[str, list[tuple[int, int]]] = {chrom: [] for chrom in genome.sizes}
    for region in regions:
        size = genome.size(region.chrom)
        by_chrom[region.chrom].append((max(0, region.start), min(region.end, size)))
    length = CHUNK * max(1, -(-8 * width // CHUNK))
    found = []
    for chrom, pairs in by_chrom.items():
        for start, end in _merged(pairs):
            first = range(start // length * length, end, length)
            found += [Interval(chrom, max(a, start), min(a + length, end)) for a in first]
    if not found:
        raise ValueError("regions: expected bases of the genome, got none")
    return found


def parts_of(
    job: Scanning, intervals: Sequence[Interval], folder: Path, weights: str
) -> list[Part]:
    """Return the parts of a scan; each leaves predictions and attributions of its bases.

    Args:
        job: What they have in common.
        intervals: Of `chunks`.
        folder: Where their files lie.
        weights: The checksum of the model's weights.
    """
    stat = job.genome.stat()
    same = [version("shiftsmooth"), weights, stat.st_size, stat.st_mtime_ns]
    same += [job.width, job.step, job.strands, job.target]
    return [
        Part(
            folder / f"{interval.chrom.replace('/', '_')}-{interval.start}-{interval.end}",
            partial(job, interval),
            key=sha256(json.dumps([*same, *interval[:3]]).encode()),
            cost=interval.width,
        )
        for interval in intervals
    ]


class _Values:
    """Predictions and attributions of each part, read when they are asked for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def __getitem__(self, number: int) -> np.ndarray:
        content = self.parts[number].read()
        if content is None:
            raise FileNotFoundError(f"{self.parts[number].path}: the part is not done")
        return np.frombuffer(content, np.float32).reshape(2, -1)


def windows_of(interval: Interval, size: int, width: int, step: int) -> tuple[int, int]:
    """Return the start of the first window that holds a base of an interval, and their number."""
    first = -(-max(0, interval.start - width + 1) // step) * step
    last = min(interval.end - 1, size - width)
    return first, max(0, (last - first) // step + 1)


def _stretches(codes: np.ndarray, count: int, width: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield (first, behind the last) of neighbouring windows that hold a letter that is known."""
    known = np.concatenate([[0], np.cumsum(codes != AMBIGUOUS)])
    starts = np.arange(count) * step
    kept = known[starts + width] > known[starts] if count else np.zeros(0, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist())


def _put(row: np.ndarray, place: int, values: np.ndarray) -> None:
    """Write values at a place of a row; what lies outside, or is NaN, is left out."""
    start, end = max(place, 0), min(place + len(values), len(row))
    if start < end:
        given = values[start - place : end - place]
        row[start:end] = np.where(np.isnan(given), row[start:end], given)


def _merged(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the intervals that cover the same bases, apart from each other and in order."""
    current: tuple[int, int] | None = None
    for start, end in sorted(pair for pair in pairs if pair[0] < pair[1]):
        if current is not None and start <= current[1]:
            current = current[0], max(current[1], end)
            continue
        if current is not None:
            yield current
        current = start, end
    if current is not None:
        yield current
