"""Whether a model needs ShiftSmooth, asked with sequences of a file."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import shiftsmooth
from modelzoo.apply import inputs
from modelzoo.sequences import Reject, columns, encode, refuse
from modelzoo.zoo.adapters import named, task_index
from shiftsmooth.check import Check

EXAMPLES = 48  # sequences that are looked at, at most
MOVED = 5  # how far the window moves
RANDOM_LENGTH = 200  # where neither a file nor the catalog tells


def check(
    model: str | Path | nn.Module,
    sequences: inputs.Sequences | None = None,
    *,
    task: str | int | None = None,
    max_shift: int = 10,
    genome: str | Path | None = None,
    width: int | None = None,
    device: torch.device | str | None = None,
    seed: int = 0,
    reject: Reject = refuse,
) -> tuple[Check, nn.Module, Tensor]:
    """Return what `shiftsmooth.check` finds, the model and the windows it was asked with.

    Where intervals come with their genome, windows move over what lies there; others are rolled.

    Args:
        model: Any model, as for `modelzoo.predict`.
        sequences: As for `modelzoo.predict`, of one length; random ones where there are none.
        task: The task that is explained, by name or number; the first by default.
        max_shift: The largest N to try.
        genome: The genome of intervals.
        width: Of the windows around intervals.
        device: Where the model runs; where it is, by default.
        seed: Decides the random sequences.
        reject: Called with what is wrong with a record.
    """
    loaded: Any = inputs.module(model, device)
    trained = inputs.trained_width(model)
    known = width or trained
    flank = max_shift + MOVED if genome is not None and known is not None else 0
    if known is not None and flank:
        width = known + 2 * flank  # a genome has what lies beyond a window
    if sequences is None:
        length = width or trained or RANDOM_LENGTH
        rng = np.random.default_rng(seed)
        codes = rng.integers(0, 4, (EXAMPLES, length), dtype=np.uint8)
    else:
        found = inputs.records(sequences, genome, reject, width=width, trained_width=trained)
        rows = [encode(record.sequence)[0] for record in islice(found, EXAMPLES)]
        rows = [row for row in rows if len(row) == len(rows[0])]
        if len(rows) < 2:
            raise ValueError(f"sequences: expected two of one length at least, got {len(rows)}")
        codes = np.stack(rows)
    named(loaded, codes.shape[1] - 2 * flank)
    place = next((p.device for p in loaded.parameters()), torch.device("cpu"))
    x = columns(codes).to(place)
    target = task_index(loaded.tasks, task)
    edges = "flanks" if flank else "circular"
    told = shiftsmooth.check(
        loaded, x, target=target, max_shift=max_shift, moved=MOVED, edges=edges
    )
    return told, loaded, x[..., flank : x.size(2) - flank]
