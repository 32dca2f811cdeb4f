"""Attributions of many sequences, by one call that goes on where a killed one stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from captum.attr import IntegratedGradients, NoiseTunnel
from torch import Tensor, nn

from modelzoo.apply import inputs
from modelzoo.architectures.layers import UNKNOWN
from modelzoo.attribution.methods import NOISE, SAMPLES, STEPS
from modelzoo.errors import working
from modelzoo.sequences import Record, Reject, columns, encode, refuse
from modelzoo.tracks.h5 import AttributionsFile
from shiftsmooth import ShiftSmooth

Method = Literal["gradient", "smoothgrad", "shiftsmooth", "shiftsmooth-ig", "shift-and-noise"]

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
        method: `"gradient"`, `"smoothgrad"`, `"shiftsmooth"`; `"shiftsmooth-ig"`, ShiftSmooth over
            Integrated Gradients; or `"shift-and-noise"`, SmoothGrad's noise around ShiftSmooth.
        max_shift: N of ShiftSmooth; the two methods without shifts do not look at it.
        task: The name of the output that is explained; the model's first by default.
        seed: Of the noise.
        genome: FASTA file of the genome, for a BED file.
        device: Where the model runs; where it is, by default.
        batch_size: Sequences in a part, by default 64, or as many as have 65,536 positions. Noise
            is drawn for a part, so that it depends on this.
        reject: Called with what is wrong with a record, which is left out if it returns.
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
    explainer = Explainer(loaded, codes.shape[1], method, max_shift, task, seed)
    rows = batch_size or max(1, min(ROWS, BASES // codes.shape[1]))
    given = {} if batch_size is None else {"batch_size": batch_size}
    file = AttributionsFile(
        Path(output) / "attributions.h5",
        {**explainer.parameters, **given, "inputs": _digest(loaded, names, codes)},
        names,
        codes,
        loaded.tasks,
    )
    with working():
        for start in track(range(file.done, len(codes), rows)):
            x = columns(codes[start : start + rows]).to(next(loaded.parameters()).device)
            file.write(start, *explainer(x, start))
        file.save_npz()
    return file


class Explainer:
    """A method on a model.

    Args:
        model: In eval mode.
        length: Of the sequences.
        method: See `attribute`.
        max_shift: See `attribute`.
        task: See `attribute`.
        seed: See `attribute`.
    """

    def __init__(
        self, model: Any, length: int, method: str, max_shift: int, task: str | None, seed: int
    ) -> None:
        if method not in get_args(Method):
            raise ValueError(f"method: expected one of {', '.join(get_args(Method))}, got {method}")
        if task is not None and task not in model.tasks:
            raise ValueError(f"task: expected one of {', '.join(model.tasks)}, got {task!r}")
        shifted = method.startswith("shift")
        if shifted and not 0 <= max_shift < length:
            raise ValueError(f"max_shift: expected 0 to {length - 1}, got {max_shift}")
        self.model, self.method, self.seed = model, method, seed
        self.target = 0 if task is None else model.tasks.index(task)
        self.max_shift = max_shift if shifted else 0
        self.parameters: dict[str, Any] = {
            "method": method,
            "max_shift": self.max_shift,
            "task": model.tasks[self.target],
            "seed": seed,
        }

    def __call__(self, x: Tensor, start: int) -> tuple[np.ndarray, np.ndarray]:
        """Return hypothetical scores (B, 4, L) and logits (B, tasks).

        The scores are less their mean over the letters (Majdandzic et al. 2023).

        Args:
            x: One-hot sequences (B, 4, L).
            start: The number of the first, from which the noise is drawn.
        """
        x.requires_grad_()
        options = {"target": self.target, "max_shift": self.max_shift}
        smooth = ShiftSmooth(self.model, trunk=getattr(self.model, "trunk", None))
        if self.method == "shiftsmooth-ig":
            integrated = ShiftSmooth(IntegratedGradients(self.model, multiply_by_inputs=False))
            maps = integrated.attribute(x, baselines=UNKNOWN, n_steps=STEPS, **options)
        elif self.method in ("smoothgrad", "shift-and-noise"):
            devices = [x.device] if x.is_cuda else []
            # Captum draws from the global generator; a resumed run must draw the same noise.
            with torch.random.fork_rng(devices=devices):
                torch.manual_seed(
                    int(np.random.SeedSequence([self.seed, start]).generate_state(1)[0])
                )
                maps = NoiseTunnel(smooth).attribute(
                    x, nt_samples=SAMPLES, nt_samples_batch_size=1, stdevs=NOISE, **options
                )
        else:
            maps = smooth.attribute(x, **options)
        with torch.no_grad():
            logits = self.model(x).cpu().numpy()
        return (maps - maps.mean(1, keepdim=True)).detach().cpu().numpy(), logits


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


def _digest(model: nn.Module, names: Sequence[str], codes: np.ndarray) -> str:
    """Tell runs apart by their inputs: weights, names and sequences."""
    digest = hashlib.sha256(json.dumps([*names, *codes.shape]).encode())
    digest.update(codes.tobytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()
