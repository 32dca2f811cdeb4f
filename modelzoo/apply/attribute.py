"""Attributions of many sequences, in one call that resumes after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.apply.inputs import Named
from modelzoo.architectures.weights import checksum
from modelzoo.attribution.methods import METHODS, Method, finished, raw_maps
from modelzoo.attribution.quality import Quality, sampled, write_quality
from modelzoo.attribution.quality import quality as quality_of
from modelzoo.attribution.spread import spread as deviation
from modelzoo.errors import working
from modelzoo.files import sha256
from modelzoo.jobs import Job, Where, key_of
from modelzoo.sequences import (
    AMBIGUOUS,
    Genome,
    Interval,
    Record,
    Reject,
    columns,
    encode,
    refuse,
)
from modelzoo.sequences.intervals import Center
from modelzoo.tracks.formats import FORMATS, check_formats
from modelzoo.tracks.h5 import AttributionsFile
from modelzoo.zoo.adapters import Wrapped, named, task_index

ROWS = 64  # sequences between two notes of how far the run is
BASES = 1 << 16  # or fewer: positions of them, before they are shifted
PART = 1 << 19  # positions in a part, or those of one batch


def attribute(
    model: str | Path | nn.Module | Named,
    sequences: inputs.Sequences,
    output: str | Path,
    *,
    method: str = "shiftsmooth",
    max_shift: int = 5,
    task: str | int | None = None,
    seed: int = 0,
    genome: str | Path | None = None,
    width: int | None = None,
    center: Center | None = None,
    exclude: str | Path | None = None,
    spread: bool = False,
    quality: bool = True,
    formats: Sequence[str] = ("npz",),
    about: Mapping[str, str] | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    where: Where | None = None,
    progress: bool = False,
    reject: Reject = refuse,
    track: Callable[[range], Iterable[int]] = iter,
) -> AttributionsFile:
    """Attribute a model's prediction to the letters of sequences of one length; return the file.

    Writes `attributions.h5`, and by default `one_hot.npz` and `hypothetical.npz` for `modisco
    motifs -s -a`. Called again after a kill, it resumes.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`; for parts, `Named`.
        sequences: A file of sequences or of intervals, see `modelzoo.sequences.read_sequences`;
            or the sequences themselves, as strings or records.
        output: The folder to write; created if missing.
        method: A name in `modelzoo.attribution.methods.METHODS`.
        max_shift: N of the methods that shift; the others do not use it.
        task: The name or number of the output that is explained; the first by default.
        seed: Of noise and shuffles.
        genome: The genome of the intervals, in FASTA or 2bit.
        width: Of the windows around the intervals' centers; by default the length that a model of
            the catalog was trained on.
        center: `"summit"` or `"middle"`; by default the summit where the file has one.
        exclude: A file of regions; windows that overlap one are left out.
        spread: Whether to write the standard deviation over shifts too; only by `"shiftsmooth"`.
        quality: Whether to write what the run says about itself, `quality.json`, from a sample
            that takes a tenth of the run's model evaluations at most.
        formats: Names in `modelzoo.tracks.formats.FORMATS`, to write besides.
        about: What is to be said of the run in the files, such as the command.
        device: Where the model runs; where it is, by default.
        batch_size: Sequences in a part, by default 64, or as many as have 65,536 positions. Noise
            is drawn for a part, so that it depends on this.
        overwrite: Start anew where `output` holds another run, or files of these names.
        where: Where many sequences are attributed, in parts; None is this process, row by row.
            The file of a job of many is laid out, and merged by a run without `part`.
        progress: Show a bar of parts.
        reject: Called with what is wrong with a record, which is left out if it returns; or whose
            results are not finite numbers.
        track: Wraps the first rows of the parts that are left to do, such as a progress bar.

    Raises:
        ValueError: An argument does not fit, or the folder holds another run.

    Example:
        >>> import modelzoo, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = modelzoo.attribute("deepbind-gata3", ["ACAGATAAGA", "ATAGAAAGCA"], folder)
        ...     file.done
        2
    """
    inputs.at_least("batch_size", batch_size, 1)
    inputs.at_least("seed", seed, 0)
    loaded: Any = model.load() if isinstance(model, Named) else inputs.module(model, device)
    found = inputs.records(
        sequences,
        genome,
        reject,
        width=width,
        trained_width=None if isinstance(model, Named) else inputs.trained_width(model),
        center=center,
        exclude=exclude,
    )
    names, codes, intervals = collect(found, reject)
    named(loaded, codes.shape[1])
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    target = task_index(loaded.tasks, task)
    if spread and method != "shiftsmooth":
        raise ValueError(f"spread: expected the method shiftsmooth, got {method}")
    sizes = _sizes(genome) if intervals is not None and genome is not None else {}
    check_formats(formats, placed=bool(sizes))
    chosen, length = METHODS[method], codes.shape[1]
    if "max_shift" in chosen.parameters:
        if not 0 <= max_shift < length:
            raise ValueError(f"max_shift: expected 0 to {length - 1}, got {max_shift}")
        chosen = chosen.having(max_shift=max_shift)
    parameters = {
        "method": method,
        "max_shift": chosen.parameters.get("max_shift", 0),
        "task": loaded.tasks[target],
        "seed": seed,
        "weights": checksum(loaded),
        "sequences": sha256(
            json.dumps([*names, *codes.shape, intervals]).encode() + codes.tobytes()
        ),
        "batch_size": batch_size,
        "spread": spread or None,
    }
    known = {"version": version("shiftsmooth"), "checksum": parameters["weights"]}
    kind = "output" if isinstance(loaded, Wrapped) else "logit"
    about = {"model": inputs.title(model), "output": kind, **known, **(about or {})}
    rows = batch_size or max(1, min(ROWS, BASES // length))
    part = rows * max(1, PART // (rows * length))
    in_parts = isinstance(model, Named) and where and (where.asked or len(codes) > part)
    with Job(output, where) if in_parts and where else nullcontext() as job:
        file = AttributionsFile(
            Path(output),
            parameters,
            names,
            codes,
            loaded.tasks,
            overwrite=overwrite,
            intervals=intervals,
            sizes=sizes,
            about=about,
        )
        explained = _Explained(chosen, target, rows, seed, max_shift if spread else None)
        with working():
            if job is not None and isinstance(model, Named):
                contents = _contents(job, file, model, explained, part, len(codes), progress)
                if contents is None:
                    return file
                for start, content in contents:
                    file.write(start, *_arrays(content))
            else:
                for start in track(range(file.done, len(codes), rows)):
                    file.write(start, *explained.of(loaded, codes[start : start + rows]))
            for name in formats:
                FORMATS[name](file)
            found_quality = _quality(file, loaded, explained, names, codes) if quality else None
            write_quality(file.path.parent, found_quality)
            for name in file.not_finite():
                cause = "has attributions or logits that are not finite numbers"
                reject(ValueError(f"{name!r} {cause}"))
    return file


def _contents(
    job: Job,
    file: AttributionsFile,
    model: Named,
    explained: _Explained,
    part: int,
    count: int,
    progress: bool,
) -> Iterator[tuple[int, bytes]] | None:
    """Do the parts; return (first row, content) of those to write; None for a job's share."""
    weights = file.parameters["weights"]
    starts = range(0, count, part)
    skip = len(starts) if file.done == count else file.done // part
    contents = job.contents(
        [partial(_part, model, weights, file.path, explained, start, part) for start in starts],
        key_of({**file.parameters, "version": version("shiftsmooth"), **model.about()}),
        skip=skip,
        on_gpu=next(model.load().parameters()).is_cuda,
        description="attributing",
        progress=progress,
    )
    return None if contents is None else zip(starts[skip:], contents)


@dataclass(frozen=True)
class _Explained:
    """How a batch is attributed.

    Attributes:
        method: With its parameters.
        target: The output's number.
        rows: Sequences in a batch, for which noise is drawn.
        seed: Of noise.
        spread: N of the standard deviation over shifts; None for none.
    """

    method: Method
    target: int
    rows: int
    seed: int
    spread: int | None

    def of(self, model: Any, codes: np.ndarray) -> list[np.ndarray]:
        """Return the arrays that `AttributionsFile.write` takes, of a batch (rows, L)."""
        x = columns(codes).to(next(model.parameters()).device)
        raw = raw_maps(self.method.on(model, self.target), x, self.rows, self.seed)
        scores = finished(self.method, raw, x, corrected=True)
        with torch.no_grad():
            logits = model(x)
        arrays = [scores, logits]
        if self.spread is not None:
            arrays.append(deviation(model, x, self.target, self.spread))
        return [array.cpu().numpy() for array in arrays]


def _quality(
    file: AttributionsFile, model: Any, how: _Explained, names: Sequence[str], codes: np.ndarray
) -> Quality:
    """Return what a finished run says about itself."""
    rows = sampled(len(codes))
    with h5py.File(file.path) as whole:
        contributions, outputs = (
            torch.from_numpy(whole[key][rows]) for key in ("projected", "logits")
        )
    return quality_of(
        model,
        columns(codes[rows]).to(next(model.parameters()).device),
        how.target,
        how.method,
        run=len(codes),
        contributions=contributions,
        outputs=outputs,
        names=[names[row] for row in rows],
        tasks=file.tasks,
        seed=how.seed,
    )


def _part(
    model: Named, weights: str, path: Path, explained: _Explained, start: int, count: int
) -> bytes:
    """Return the arrays of some rows, whose sequences are read from the file of the run."""
    loaded = model.load(weights)
    with h5py.File(path, locking=False) as file:
        one_hot = file["one_hot"][start : start + count]
    codes = np.where(one_hot.any(1), one_hot.argmax(1), AMBIGUOUS).astype(np.uint8)
    batches = [
        explained.of(loaded, codes[first : first + explained.rows])
        for first in range(0, len(codes), explained.rows)
    ]
    content = BytesIO()
    np.savez(content, *(np.concatenate(arrays) for arrays in zip(*batches)))
    return content.getvalue()


def _arrays(content: bytes) -> list[np.ndarray]:
    with np.load(BytesIO(content)) as found:
        return [found[name] for name in found.files]


def collect(
    records: Iterable[Record], reject: Reject
) -> tuple[list[str], np.ndarray, list[Interval] | None]:
    """Return names (n,), codes (n, L) and intervals of the records that are as long as the first.

    The intervals are None unless all records have one.

    Args:
        records: At least one.
        reject: Called with what is wrong with a record, which is left out if it returns.
    """
    names: list[str] = []
    rows: list[np.ndarray] = []
    intervals: list[Interval | None] = []
    for record in records:
        row = encode(record.sequence)
        if rows and row.shape != rows[0].shape:
            expected = rows[0].shape[1]
            if record.interval is not None:
                raise ValueError(
                    f"width: expected one, for the intervals are of several lengths: {expected} and"
                    f" {row.shape[1]} at {record.interval}"
                )
            reject(ValueError(f"{record.name!r} has {row.shape[1]} positions; expected {expected}"))
            continue
        names.append(record.name)
        rows.append(row)
        intervals.append(record.interval)
    if not rows:
        raise ValueError("sequences: expected at least one, got none")
    placed = [interval for interval in intervals if interval is not None]
    return names, np.concatenate(rows), placed if len(placed) == len(rows) else None


def _sizes(genome: str | Path) -> dict[str, int]:
    with Genome(genome) as opened:
        return opened.sizes
