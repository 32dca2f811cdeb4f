"""Attributions of many sequences, in one call that resumes after a kill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.architectures.weights import checksum
from modelzoo.attribution.methods import METHODS, finished, raw_maps
from modelzoo.attribution.spread import spread as deviation
from modelzoo.errors import working
from modelzoo.files import sha256
from modelzoo.sequences import Genome, Interval, Record, Reject, columns, encode, refuse
from modelzoo.sequences.intervals import Center
from modelzoo.tracks.formats import FORMATS, check_formats
from modelzoo.tracks.h5 import AttributionsFile
from modelzoo.zoo.adapters import Wrapped, named, task_index

ROWS = 64  # sequences between two notes of how far the run is
BASES = 1 << 16  # or fewer: positions of them, before they are shifted


def attribute(
    model: str | Path | nn.Module,
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
    formats: Sequence[str] = ("npz",),
    about: Mapping[str, str] | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    reject: Reject = refuse,
    track: Callable[[range], Iterable[int]] = iter,
) -> AttributionsFile:
    """Attribute a model's prediction to the letters of sequences of one length; return the file.

    Writes `attributions.h5`, and by default `one_hot.npz` and `hypothetical.npz` for `modisco
    motifs -s -a`. Called again after a kill, it resumes.

    Args:
        model: Any model (see `modelzoo.wrap`), or what names one: of the catalog, a folder,
            `"owner/repo"`, `"module:callable"` or `"file.py:callable"`.
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
        formats: Names in `modelzoo.tracks.formats.FORMATS`, to write besides.
        about: What is to be said of the run in the files, such as the command.
        device: Where the model runs; where it is, by default.
        batch_size: Sequences in a part, by default 64, or as many as have 65,536 positions. Noise
            is drawn for a part, so that it depends on this.
        overwrite: Start anew where `output` holds another run, or files of these names.
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
    loaded: Any = inputs.module(model, device)
    found = inputs.records(
        sequences,
        genome,
        reject,
        width=width,
        trained_width=inputs.trained_width(model),
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
    about = {"model": _title(model), "output": kind, **known, **(about or {})}
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
    explain = chosen.on(loaded, target)
    rows = batch_size or max(1, min(ROWS, BASES // length))
    with working():
        for start in track(range(file.done, len(codes), rows)):
            x = columns(codes[start : start + rows]).to(next(loaded.parameters()).device)
            scores = finished(chosen, raw_maps(explain, x, rows, seed), x, corrected=True)
            with torch.no_grad():
                logits = loaded(x)
            bars = deviation(loaded, x, target, max_shift).cpu().numpy() if spread else None
            file.write(start, scores.cpu().numpy(), logits.cpu().numpy(), bars)
        for name in formats:
            FORMATS[name](file)
        for name in file.not_finite():
            reject(ValueError(f"{name!r} has attributions or logits that are not finite numbers"))
    return file


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


def _title(model: str | Path | nn.Module) -> str:
    return type(model).__name__ if isinstance(model, nn.Module) else str(model)
