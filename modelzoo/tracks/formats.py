"""The registry of the formats that attributions are written in besides `attributions.h5`.

To add a format, write a function of an `AttributionsFile` with `@register`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np

from modelzoo.sequences import Interval
from modelzoo.tracks.anndata import write_anndata
from modelzoo.tracks.bigwig import write_bedgraph, write_bigwig
from modelzoo.tracks.finemo import write_finemo
from modelzoo.tracks.h5 import ROWS, AttributionsFile
from modelzoo.tracks.parquet import write_parquet
from modelzoo.tracks.placed import columns

Write = Callable[[AttributionsFile], None]

FORMATS: dict[str, Write] = {}
PLACED = {"bigwig", "bedgraph", "finemo", "finemo-float16"}  # these need coordinates


def register(name: str) -> Callable[[Write], Write]:
    """Return a decorator that puts a format into `FORMATS`."""

    def decorate(write: Write) -> Write:
        FORMATS[name] = write
        return write

    return decorate


def check_formats(formats: Sequence[str], placed: bool) -> None:
    """Raise a ValueError unless all formats exist and can be written.

    Args:
        formats: Names.
        placed: Whether the sequences have coordinates.
    """
    for name in formats:
        if name not in FORMATS:
            raise ValueError(f"formats: expected some of {', '.join(FORMATS)}, got {name!r}")
        if name in PLACED and not placed:
            raise ValueError(f"formats: expected intervals and their genome for {name}, got none")


@register("npz")
def _npz(run: AttributionsFile) -> None:
    run.save_npz()


@register("bigwig")
def _bigwig(run: AttributionsFile) -> None:
    _tracks(run, write_bigwig, ".bw")


@register("bedgraph")
def _bedgraph(run: AttributionsFile) -> None:
    _tracks(run, write_bedgraph, ".bedGraph")


@register("finemo")
def _finemo(run: AttributionsFile) -> None:
    with h5py.File(run.path) as file:
        path = run.path.with_name("finemo.h5")
        write_finemo(_placed(run), file["one_hot"], file["hypothetical"], path)


@register("finemo-float16")
def _finemo_half(run: AttributionsFile) -> None:
    with h5py.File(run.path) as file:
        path = run.path.with_name("finemo.h5")
        write_finemo(_placed(run), file["one_hot"], file["hypothetical"], path, dtype="float16")


@register("parquet")
def _parquet(run: AttributionsFile) -> None:
    with h5py.File(run.path) as file:
        outputs, lines = file["logits"][()], file["projected"]
        starts = range(0, len(lines), ROWS)
        total = np.concatenate([lines[start : start + ROWS].sum(1) for start in starts])
        about = dict(file.attrs)
    rows: dict[str, Any] = _described(run)
    for task, column in zip(run.tasks, outputs.T):
        rows[f"output_{task}"] = column
    rows["contribution"] = total
    write_parquet(rows, run.path.with_name("attributions.parquet"), about)


@register("h5ad")
def _h5ad(run: AttributionsFile) -> None:
    with h5py.File(run.path) as file:
        outputs, about = file["logits"][()], {key: str(value) for key, value in file.attrs.items()}
    path = run.path.with_name("attributions.h5ad")
    write_anndata(_described(run), outputs, run.tasks, path, about)


def _tracks(run: AttributionsFile, write: Callable[..., None], suffix: str) -> None:
    """Write the contributions, and the spread if the run has it."""
    intervals, sizes = _placed(run), run.sizes
    with h5py.File(run.path) as file:
        for name, track in (("projected", "contributions"), ("spread", "spread")):
            if name in file:
                write(intervals, file[name], sizes, run.path.with_name(track + suffix))


def _placed(run: AttributionsFile) -> list[Interval]:
    assert run.intervals is not None  # see `check_formats`
    return run.intervals


def _described(run: AttributionsFile) -> dict[str, Any]:
    """Return the columns that say which sequence a row is of."""
    intervals = run.intervals
    if intervals is not None:
        return columns(intervals)
    with h5py.File(run.path) as file:
        return {"name": np.asarray(file["ids"].asstr()[()]).tolist()}
