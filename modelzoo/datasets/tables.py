"""A user's own table of sequences and labels.

id      sequence  liver  kidney
chr1:5  ACGT...   1      0
chr1:9  TTGA...          1          # no label for the liver
"""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelzoo.datasets.peaks import held_out
from modelzoo.files import sha256
from modelzoo.sequences import encode

ENDINGS = (".tsv", ".csv", ".txt")
MISSING = ("", "NA", "NaN", "nan", ".")
RANGES = {"binary": (0.0, 1.0), "multiclass": (0.0, 1.0), "poisson": (0.0, math.inf)}


class Table:
    """Sequences and labels: id, sequence, then a column of numbers for each task.

    A hash of the sequence sets a tenth aside to validate by, whichever strand is given.

    Args:
        path: Tab-separated, or comma-separated where its name says `.csv`; also as `.gz`. Empty,
            NA, NaN and . are missing labels.
        loss: What the labels are for: those of classes and counts have a range.

    Raises:
        ValueError: The file is not such a table; the message says where and why.
    """

    def __init__(self, path: str | Path, loss: str = "binary") -> None:
        path = Path(path)
        self.sources = {path: sha256(path.read_bytes())}
        self.tasks, codes, labels = _read_table(path, *RANGES.get(loss, (-math.inf, math.inf)))
        self.length = codes.shape[1]
        held = held_out(codes)
        for part, rows in (("train", ~held), ("validate", held)):
            if empty := [
                t for t, known in zip(self.tasks, ~labels[rows].isnan().T) if not known.any()
            ]:
                raise ValueError(f"{path}: expected labels of {empty[0]!r} to {part} on, got none")
        self._train = codes[~held], labels[~held]
        self.held_out = codes[held], labels[held]

    def epoch(self, epoch: int, seed: int) -> tuple[np.ndarray, Tensor]:
        """Return the training rows, the same in every epoch."""
        return self._train


def _read_table(path: Path, low: float, high: float) -> tuple[tuple[str, ...], np.ndarray, Tensor]:
    """Return the tasks, the (N, L) codes and the (N, tasks) labels of a table."""
    rows = _rows(path)
    _, header = next(rows, (1, []))
    if len(header) < 3:
        raise ValueError(
            f"{path}, line 1: expected the columns id, sequence and a label at least, "
            f"{'comma' if _comma(path) else 'tab'}-separated; got {header}"
        )
    tasks = tuple(header[2:])
    if len(set(tasks)) < len(tasks) or not all(tasks):
        raise ValueError(f"{path}, line 1: expected a name of its own for each label, got {tasks}")
    codes: list[np.ndarray] = []
    labels: list[list[float]] = []
    for line, fields in rows:
        where = f"{path}, line {line}"
        if len(fields) != len(header):
            raise ValueError(f"{where}: expected {len(header)} columns, got {len(fields)}")
        try:
            codes.append(encode(fields[1])[0])
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        if len(codes[-1]) != len(codes[0]) or len(codes[0]) == 0:
            raise ValueError(
                f"{where}: expected sequences of one length, at least 1; got "
                f"{len(codes[-1])} after {len(codes[0])}"
            )
        labels.append(
            [_label(text, f"{where}, {task}", low, high) for task, text in zip(tasks, fields[2:])]
        )
    if not codes:
        raise ValueError(f"{path}: expected rows below the header, got none")
    return tasks, np.stack(codes), torch.tensor(labels, dtype=torch.float32)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of a line and its fields, but for empty lines."""
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter="," if _comma(path) else "\t")
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
    except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected a table, got a damaged file ({error})") from error


def _comma(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(".csv")


def _label(text: str, where: str, low: float, high: float) -> float:
    if text.strip() in MISSING:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: expected a number or nothing, got {text!r}") from None
    if not low <= value <= high or math.isinf(value):
        raise ValueError(f"{where}: expected a label from {low:g} to {high:g}, got {text!r}")
    return value
