"""Attributions of many sequences, by one call that goes on where a killed one stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from modelzoo.apply import inputs
from modelzoo.attribution.methods import METHODS, finished, raw_maps
from modelzoo.errors import working
from modelzoo.files import sha256
from modelzoo.sequences import Record, Reject, columns, encode, refuse
from modelzoo.tracks.h5 import AttributionsFile

ROWS = 64  # sequences between two notes of how far the run is
BASES = 1 << 16  # or fewer: positions of them, before they are shifted


def attribute(
    model: str | Path | nn.Module,
    sequences: inputs.Sequences,
    output: str | Path,
    *,
    method: str = "shiftsmooth",
    max_shift: int = 5,
    task: str | None = None,
    seed: int = 0,
    genome: str | Path | None = None,
    device: str | torch.device | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    reject: Reject = refuse,
    track: Callable[[range], Iterable[int]] = iter,
) -> AttributionsFile:
    """Attribute a model's prediction to the letters of sequences of one length; return the file.

    Writes `attributions.h5`, and `one_hot.npz` and `hypothetical.npz` for `modisco motifs -s -a`.
    Called again after a kill, it goes on where it was.

    Args:
        model: A model of the zoo, or its name, folder or `"owner/repo"`.
        sequences: A FASTA, .seq or BED file; or the sequences themselves, as strings or records.
        output: The folder to write; made if need be.
        method: A name in `modelzoo.attribution.methods.METHODS`.
        max_shift: N of the methods that shift; the others do not use it.
        task: The name of the output that is explained; the model's first by default.
        seed: Of noise and shuffles.
        genome: FASTA file of the genome, for a BED file.
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
    loaded: Any = inputs.module(model, device)
    names, codes = collect(inputs.records(sequences, genome, reject), reject)
    if method not in METHODS:
        raise ValueError(f"method: expected one of {', '.join(METHODS)}, got {method!r}")
    if task is not None and task not in loaded.tasks:
        raise ValueError(f"task: expected one of {', '.join(loaded.tasks)}, got {task!r}")
    target = 0 if task is None else loaded.tasks.index(task)
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
        "model": _weights_sum(loaded),
        "sequences": sha256(json.dumps([*names, *codes.shape]).encode() + codes.tobytes()),
        "batch_size": batch_size,
    }
    file = AttributionsFile(
        Path(output), parameters, names, codes, loaded.tasks, overwrite=overwrite
    )
    explain = chosen.on(loaded, target)
    rows = batch_size or max(1, min(ROWS, BASES // length))
    with working():
        for start in track(range(file.done, len(codes), rows)):
            x = columns(codes[start : start + rows]).to(next(loaded.parameters()).device)
            scores = finished(chosen, raw_maps(explain, x, rows, seed), x, corrected=True)
            with torch.no_grad():
                logits = loaded(x)
            file.write(start, scores.cpu().numpy(), logits.cpu().numpy())
        file.save_npz()
        for name in file.not_finite():
            reject(ValueError(f"{name!r} has attributions or logits that are not finite numbers"))
    return file


def collect(records: Iterable[Record], reject: Reject) -> tuple[list[str], np.ndarray]:
    """Return names (n,) and codes (n, L) of the records that are as long as the first.

    Args:
        records: At least one.
        reject: Called with what is wrong with a record, which is left out if it returns.
    """
    names: list[str] = []
    rows: list[np.ndarray] = []
    for record in records:
        row = encode(record.sequence)
        if rows and row.shape != rows[0].shape:
            expected = rows[0].shape[1]
            reject(ValueError(f"{record.name!r} has {row.shape[1]} positions; expected {expected}"))
            continue
        names.append(record.name)
        rows.append(row)
    if not rows:
        raise ValueError("sequences: expected at least one, got none")
    return names, np.concatenate(rows)


def _weights_sum(model: nn.Module) -> str:
    """Return the checksum of a model's weights."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
