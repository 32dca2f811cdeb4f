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
from modelzoo.sequences import Interval
from modelzoo.sequences import columns as one_hot_columns
from modelzoo.tracks.npz import save_npz
from modelzoo.tracks.placed import columns
from modelzoo.tracks.trial import refuse_damaged

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


class Attributed(NamedTuple):
    """A sequence of a run.

    Attributes:
        name: The record's.
        output: What the model says, for the task that is explained.
        one_hot: (4, L).
        hypothetical: What each letter would contribute, (4, L).
        spread: (L,), in a run that has it.
        interval: Where it lies, if it is from a genome.
    """

    name: str
    output: float
    one_hot: Tensor
    hypothetical: Tensor
    spread: np.ndarray | None
    interval: Interval | None


class AttributionsFile:
    """The file of one run.

    It holds `ids` (n,), `one_hot` (n, 4, L) with N all zero, `hypothetical` (n, 4, L): what each
    letter would contribute, `projected` (n, L): what the letter present contributes, and `logits`
    (n, tasks). Sequences from a genome have `chrom`, `start`, `end`, `strand`, and the group
    `sizes` has the length of each chromosome. `spread` (n, L), where it was asked for, is the
    standard deviation over shifts of what the letter present contributes. Attributes of the file
    are the run's parameters, and what else is known about it.

    Args:
        folder: Where the file is, or is to be; created if missing.
        parameters: Everything that the results depend on; None where it was left to the default.
        names: The sequences' names.
        codes: The sequences, (n, L), as of `modelzoo.sequences.encode`.
        tasks: The names of the model's outputs; the parameter `task` is one of them.
        overwrite: Start anew where the folder holds another run.
        intervals: Where the sequences lie, if they are from a genome.
        sizes: The length of every chromosome of it.
        about: What else is to be said of the run, such as model and version.

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
        intervals: Sequence[Interval] | None = None,
        sizes: Mapping[str, int] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.tasks = list(tasks)
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
            given = {key: value for key, value in parameters.items() if value is not None}
            known = {"tasks": list(tasks), "parameters": sorted(given)}
            attributes = {**(about or {}), **given, **known}
            _lay_out(self.path, attributes, names, codes, len(tasks), intervals, sizes or {})
            self._take_up(made_here=True)

    def _take_up(self, *, made_here: bool = False) -> None:
        """Find the datasets of the file, which must be that of this run."""
        if not self.path.exists():
            raise FileNotFoundError(self.path)
        hint = "write elsewhere, or start anew with --overwrite"
        if not made_here:
            refuse_damaged(self.path, hint)
        try:
            with h5py.File(self.path) as file:
                found = {key: file.attrs[key] for key in file.attrs["parameters"]}
                shapes = [*_SHAPES, *(["spread"] if "spread" in file else [])]
                self._places = {name: _place(file[name]) for name in shapes}
                if not made_here:
                    self._refuse_other_shapes(file)
        except Exception as error:  # h5py has no common base for what is wrong with a file
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

    def _refuse_other_shapes(self, file: h5py.File) -> None:
        """Raise an error unless what is read later can be, and fits together."""
        ids, (count, _, length) = file["ids"], file["hypothetical"].shape
        ids.asstr()[:1]
        shapes = {
            "one_hot": (count, 4, length),
            "hypothetical": (count, 4, length),
            "projected": (count, length),
            "spread": (count, length),
            "logits": (count, len(self.tasks)),
            "done": (),
        }
        for name, place in self._places.items():
            expected = {"one_hot": "int8", "done": "int64"}.get(name, "float32")
            if place.shape != shapes[name] or place.dtype != expected:
                raise ValueError(f"{name} is {place.dtype} {place.shape}")
        listed = self.intervals
        if len(ids) != count or (listed is not None and len(listed) != count):
            raise ValueError("ids and intervals are not one per sequence")
        self.sizes  # noqa: B018  # can be read

    @property
    def done(self) -> int:
        """How many sequences are attributed."""
        return int(self._read("done"))

    @property
    def about(self) -> dict[str, Any]:
        """The attributes of the file: the run's parameters, and what else is known about it."""
        with h5py.File(self.path) as file:
            return dict(file.attrs)

    @property
    def intervals(self) -> list[Interval] | None:
        """Where the sequences lie in the genome; None if they are from none."""
        with h5py.File(self.path) as file:
            return read_placed(file)

    @property
    def sizes(self) -> dict[str, int]:
        """The length of every chromosome, in the genome's order; empty if there is none."""
        with h5py.File(self.path) as file:
            if "sizes" not in file:
                return {}
            group = file["sizes"]
            return dict(zip(group["chrom"].asstr()[()].tolist(), group["length"][()].tolist()))

    def write(
        self,
        start: int,
        hypothetical: np.ndarray,
        logits: np.ndarray,
        spread: np.ndarray | None = None,
    ) -> None:
        """Write the results of the sequences from `start` on; all before them are done.

        Args:
            start: The row of the first.
            hypothetical: Shape (rows, 4, L).
            logits: Shape (rows, tasks).
            spread: Shape (rows, L), in a run that has it.
        """
        stop = start + len(logits)
        with np.errstate(invalid="ignore"):  # `not_finite` tells
            projected = (hypothetical * self._read("one_hot", start, stop)).sum(1)
        results = {"hypothetical": hypothetical, "projected": projected, "logits": logits}
        if spread is not None:
            results["spread"] = spread
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

    def top(self, count: int) -> Iterator[Attributed]:
        """Yield the sequences with the highest outputs.

        Args:
            count: How many at most, the highest first.
        """
        with h5py.File(self.path) as file:
            intervals, logits = read_placed(file), file["logits"][:, self.target]
            for row in np.argsort(-logits, kind="stable")[:count].tolist():
                yield _attributed(file, row, float(logits[row]), intervals)

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


def read_one(path: Path, wanted: str | None = None) -> tuple[Attributed, dict[str, Any]]:
    """Return a sequence of a finished run, and the attributes of the run's file.

    Args:
        path: The file.
        wanted: The sequence's name, or `chrom:start-end` of its window; by default the sequence
            with the highest output.

    Raises:
        ValueError: The file is of no finished run, or has no such sequence, or several.
    """
    try:
        file = h5py.File(path)
    except OSError as error:
        raise ValueError(f"{path}: expected a file of attributions ({error})") from error
    with file:
        if missing := {"ids", "done", "one_hot", "hypothetical", "logits"} - set(file):
            raise ValueError(f"{path}: expected a file of attributions, got no {min(missing)}")
        about = dict(file.attrs)
        names, intervals = file["ids"].asstr()[()].tolist(), read_placed(file)
        if (done := int(file["done"][()])) < len(names):
            raise ValueError(f"{path}: expected all of {len(names)} sequences, got {done}")
        outputs = file["logits"][:, list(about["tasks"]).index(about["task"])]
        if wanted is None:
            rows = [int(np.argmax(outputs))]
        else:
            places = map(str, intervals or names)
            rows = [row for row, told in enumerate(zip(names, places)) if wanted in told]
        if len(rows) != 1:
            got = "none" if not rows else f"{len(rows)}, of which chrom:start-end tells one"
            raise ValueError(f"peak: expected one called {wanted!r}, got {got}")
        return _attributed(file, rows[0], float(outputs[rows[0]]), intervals), about


def _attributed(
    file: h5py.File, row: int, output: float, intervals: list[Interval] | None
) -> Attributed:
    return Attributed(
        file["ids"].asstr()[row],
        output,
        torch.from_numpy(file["one_hot"][row]).float(),
        torch.from_numpy(file["hypothetical"][row]),
        file["spread"][row] if "spread" in file else None,
        None if intervals is None else intervals[row],
    )


def read_placed(file: h5py.File) -> list[Interval] | None:
    """Return where the sequences of a file lie in the genome; None if they are from none."""
    if "chrom" not in file:
        return None
    chrom, strand, names = (file[n].asstr()[()].tolist() for n in ("chrom", "strand", "ids"))
    return list(
        map(Interval, chrom, file["start"][()].tolist(), file["end"][()].tolist(), strand, names)
    )


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
    path: Path,
    attributes: Mapping[str, Any],
    names: Sequence[str],
    codes: np.ndarray,
    tasks: int,
    intervals: Sequence[Interval] | None,
    sizes: Mapping[str, int],
) -> None:
    count, length = codes.shape
    per_letter = 4 + 16 + 4 + (4 if attributes.get("spread") else 0)
    needed = count * (length * per_letter + 4 * tasks + _NAME) + _SLACK
    needed += sum(len(name.encode()) for name in names)
    if intervals is not None:
        needed += count * (2 * 8 + 2 * _NAME) + len(sizes) * (8 + 2 * _NAME)
    if (free := shutil.disk_usage(path.parent).free) < needed:
        # The HDF5 library takes the process down with it when it runs into a full disk.
        cause = f"expected room for {needed:,} bytes, got {free:,}"
        raise OSError(errno.ENOSPC, f"no space left on device: {cause}", str(path))
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    shapes: dict[str, tuple[int, ...]] = {
        "hypothetical": (count, 4, length),
        "projected": (count, length),
        "logits": (count, tasks),
    }
    if attributes.get("spread"):
        shapes["spread"] = (count, length)
    with replacing(path) as part:
        with h5py.File(part, "w") as file:
            file.attrs.update(attributes)
            text = h5py.string_dtype()
            file.create_dataset("ids", data=list(names), dtype=text)
            if intervals is not None:
                for name, values in columns(intervals).items():
                    if name != "name":  # which is the id
                        kind = "i8" if name in ("start", "end") else text
                        file.create_dataset(name, data=values, dtype=kind)
                file.create_dataset("sizes/chrom", data=list(sizes), dtype=text)
                file.create_dataset("sizes/length", data=list(sizes.values()), dtype="i8")
            file.create_dataset("one_hot", (count, 4, length), "i1", dcpl=early)
            for name, shape in shapes.items():
                file.create_dataset(name, shape, "f4", dcpl=early)
            file.create_dataset("done", (), "i8", data=0)
            letters = _place(file["one_hot"])
        with open(part, "r+b", buffering=0) as raw:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(raw.fileno(), 0, part.stat().st_size)
            for start in range(0, count, ROWS):
                # An ambiguous position has no letter.
                rows = one_hot_columns(codes[start : start + ROWS], ambiguous=0).numpy()
                _put(raw.fileno(), letters.row(start), rows.astype("i1").tobytes())
