"""`attributions.h5`: attributions of many sequences, in a file that a killed run takes up again.

The whole file is laid out before the first attribution. Afterwards a run only changes numbers in
place, so that a kill cannot leave the file unreadable. They are written without the HDF5 library,
which does not report a full disk: by their places in the file, and read back before they count as
done.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from modelzoo.files import replacing
from modelzoo.tracks.npz import save_npz

ROWS = 64  # sequences that are copied at once
MADE = ("attributions.h5", "one_hot.npz", "hypothetical.npz", "index.html", "logos")
_SLACK = 1 << 14  # bytes of an HDF5 file besides its data, at most
_NAME = 48  # bytes that a name takes besides its letters, at most


class _Place(NamedTuple):
    """Where a dataset lies in the file."""

    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]

    def row(self, number: int) -> int:
        """Return where a row begins."""
        return self.offset + number * self.dtype.itemsize * math.prod(self.shape[1:])


class AttributionsFile:
    """The file of one run.

    It holds `ids` (n,), `one_hot` (n, 4, L) with N all zero, `hypothetical` (n, 4, L): what each
    letter would contribute, `projected` (n, L): what the letter present contributes, and `logits`
    (n, tasks). The run's parameters are attributes of the file.

    Args:
        folder: Where the file is, or is to be; made if need be.
        parameters: Everything that the results depend on; None where it was left to the default.
        names: The sequences' names.
        codes: The sequences, (n, L), as of `modelzoo.sequences.encode`.
        tasks: The names of the model's outputs; the parameter `task` is one of them.
        overwrite: Start anew where the folder holds another run.

    Raises:
        ValueError: The folder holds another run, or files that no run made.
        OSError: There is no room for the file.
    """

    def __init__(
        self,
        folder: Path,
        parameters: Mapping[str, Any],
        names: Sequence[str],
        codes: np.ndarray,
        tasks: Sequence[str],
        *,
        overwrite: bool = False,
    ) -> None:
        self.path, self.parameters = folder / MADE[0], parameters
        self.target = tasks.index(parameters["task"])
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._take_up()
        except (FileNotFoundError, ValueError) as error:
            if isinstance(error, ValueError) and not overwrite:
                raise
            if not overwrite:
                _refuse_others(folder)
            _lay_out(self.path, parameters, names, codes, len(tasks))
            self._take_up()

    def _take_up(self) -> None:
        """Find the datasets of the file, which must be that of this run."""
        if not self.path.exists():
            raise FileNotFoundError(self.path)
        hint = "write elsewhere, or start anew with --overwrite"
        try:
            with h5py.File(self.path) as file:
                found = dict(file.attrs)
                self._places = {name: _place(file[name]) for name in _SHAPES}
        except (OSError, KeyError, RuntimeError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self.path}: expected a file of attributions ({error}); {hint}"
            ) from None
        size = self.path.stat().st_size
        for name, place in self._places.items():
            if not 0 < place.offset <= place.row(place.shape[0] if place.shape else 0) <= size:
                raise ValueError(f"{self.path}: expected all of {name!r}, got a part; {hint}")
        differences = [
            f"{key.replace('_', '-')} {_told(found.get(key))} there, {_told(value)} here"
            for key, value in self.parameters.items()
            if found.get(key) != value
        ]
        if differences:
            raise ValueError(f"{self.path} is of another run ({'; '.join(differences)}); {hint}")

    @property
    def done(self) -> int:
        """How many sequences are attributed."""
        return int(self._read("done"))

    def write(self, start: int, hypothetical: np.ndarray, logits: np.ndarray) -> None:
        """Write the results of the sequences from `start` on; all before them are done.

        Args:
            start: The row of the first.
            hypothetical: Shape (rows, 4, L).
            logits: Shape (rows, tasks).
        """
        stop = start + len(logits)
        with np.errstate(invalid="ignore"):  # `not_finite` tells
            projected = (hypothetical * self._read("one_hot", start, stop)).sum(1)
        results = {"hypothetical": hypothetical, "projected": projected, "logits": logits}
        with open(self.path, "r+b", buffering=0) as file:
            for name, values in results.items():
                self._put(file.fileno(), name, start, values)
            os.fsync(file.fileno())  # before it is said to be done
            self._put(file.fileno(), "done", 0, np.array(stop))

    def not_finite(self) -> list[str]:
        """Return the names of the sequences that have an infinite number or none at all."""
        with h5py.File(self.path) as file:
            count = len(file["ids"])
            return [
                file["ids"].asstr()[row]
                for start in range(0, count, ROWS)
                for row in start + np.flatnonzero(self._broken(start, min(start + ROWS, count)))
            ]

    def save_npz(self) -> tuple[Path, Path]:
        """Write the pair of files that `modisco motifs -s -a` takes; return their paths."""
        paths = self.path.with_name("one_hot.npz"), self.path.with_name("hypothetical.npz")
        with h5py.File(self.path) as file:
            for path in paths:
                save_npz(path, file[path.stem], ROWS)
        return paths

    def top(self, count: int) -> Iterator[tuple[str, float, Tensor, Tensor]]:
        """Yield name, logit, one-hot and hypothetical scores of those with the highest logits.

        Args:
            count: How many at most, the highest first.
        """
        with h5py.File(self.path) as file:
            logits = file["logits"][:, self.target]
            for row in np.argsort(-logits, kind="stable")[:count]:
                yield (
                    file["ids"].asstr()[row],
                    float(logits[row]),
                    torch.from_numpy(file["one_hot"][row]).float(),
                    torch.from_numpy(file["hypothetical"][row]),
                )

    def _broken(self, start: int, stop: int) -> np.ndarray:
        parts = (self._read(name, start, stop) for name in ("hypothetical", "logits"))
        return np.any([~np.isfinite(part.reshape(len(part), -1)).all(1) for part in parts], 0)

    def _read(self, name: str, start: int = 0, stop: int = 1) -> np.ndarray:
        place = self._places[name]
        with open(self.path, "rb") as file:
            file.seek(place.row(start))
            data = file.read(place.row(stop) - place.row(start))
        shape = (stop - start, *place.shape[1:]) if place.shape else ()
        return np.frombuffer(data, place.dtype).reshape(shape)

    def _put(self, file: int, name: str, start: int, values: np.ndarray) -> None:
        place = self._places[name]
        _put(file, place.row(start), np.ascontiguousarray(values, place.dtype).tobytes())


_SHAPES = ("one_hot", "hypothetical", "projected", "logits", "done")


def _put(file: int, offset: int, data: bytes) -> None:
    """Write bytes to their place, and make sure that they are there."""
    view = memoryview(data)
    while view:
        view = view[os.pwrite(file, view, offset + len(data) - len(view)) :]
    if os.pread(file, len(data), offset) != data:
        raise OSError(errno.EIO, "what was written cannot be read back")


def _place(dataset: h5py.Dataset) -> _Place:
    offset = dataset.id.get_offset()
    if offset is None or dataset.external:
        raise TypeError(f"{dataset.name} is not stored in one piece")
    return _Place(offset, dataset.dtype, dataset.shape)


def _told(value: Any) -> str:
    """Return a parameter's value as an error tells it: a checksum by its beginning."""
    text = "none" if value is None else str(value)
    return f"{text[:8]}…" if len(text) == 64 else text


def _refuse_others(folder: Path) -> None:
    """Raise a ValueError where the folder holds files under the names of a run's."""
    for name in MADE:
        if os.path.lexists(folder / name):
            raise ValueError(
                f"{folder / name} is of no run; write elsewhere, or replace it with --overwrite"
            )


def _lay_out(
    path: Path, parameters: Mapping[str, Any], names: Sequence[str], codes: np.ndarray, tasks: int
) -> None:
    count, length = codes.shape
    needed = count * (length * (4 + 16 + 4) + 4 * tasks + _NAME) + _SLACK
    needed += sum(len(name.encode()) for name in names)
    if (free := shutil.disk_usage(path.parent).free) < needed:
        # The HDF5 library takes the process down with it when it runs into a full disk.
        cause = f"expected room for {needed:,} bytes, got {free:,}"
        raise OSError(errno.ENOSPC, f"no space left on device: {cause}", str(path))
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with replacing(path) as part:
        with h5py.File(part, "w") as file:
            file.attrs.update({k: value for k, value in parameters.items() if value is not None})
            file.create_dataset("ids", data=list(names), dtype=h5py.string_dtype())
            for name, shape, dtype in (
                ("one_hot", (count, 4, length), "i1"),
                ("hypothetical", (count, 4, length), "f4"),
                ("projected", (count, length), "f4"),
                ("logits", (count, tasks), "f4"),
            ):
                file.create_dataset(name, shape, dtype, dcpl=early)
            file.create_dataset("done", (), "i8", data=0)
            letters = _place(file["one_hot"])
        with open(part, "r+b", buffering=0) as raw:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(raw.fileno(), 0, part.stat().st_size)
            for start in range(0, count, ROWS):
                # An ambiguous position has no letter.
                rows = codes[start : start + ROWS, None] == np.arange(4)[:, None]
                _put(raw.fileno(), letters.row(start), rows.astype("i1").tobytes())
