"""`attributions.h5`: attributions of many sequences, in a file that a killed run takes up again.

The whole file is laid out before the first attribution. Afterwards a run only changes numbers in
place, so that a kill cannot leave the file unreadable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from torch import Tensor

from modelzoo.sequences import Interval
from modelzoo.tracks.npz import save_npz
from modelzoo.tracks.placed import columns

ROWS = 64  # sequences that are copied at once


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
        path: Where the file is, or is to be; its folder is made if need be.
        parameters: What the results depend on.
        names: The sequences' names.
        codes: The sequences, (n, L), as of `modelzoo.sequences.encode`.
        tasks: The names of the model's outputs; the parameter `task` is one of them.
        intervals: Where the sequences lie, if they are from a genome.
        sizes: The length of every chromosome of it.
        about: What else is to be said of the run, such as model and version.

    Raises:
        ValueError: The file is of another run.
    """

    def __init__(
        self,
        path: Path,
        parameters: Mapping[str, Any],
        names: Sequence[str],
        codes: np.ndarray,
        tasks: Sequence[str],
        *,
        intervals: Sequence[Interval] | None = None,
        sizes: Mapping[str, int] | None = None,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self.tasks = list(tasks)
        self.path, self.parameters = path, parameters
        self.target = tasks.index(parameters["task"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            attributes = {**(about or {}), **parameters, "tasks": list(tasks)}
            _lay_out(path, attributes, names, codes, len(tasks), intervals, sizes or {})
        with h5py.File(path) as file:
            found = {key: file.attrs.get(key) for key in parameters}
        if found != parameters:
            differ = [
                f"{key} is {found[key]} there and {value} here"
                for key, value in parameters.items()
                if found[key] != value
            ]
            raise ValueError(
                f"{path} is of another run: {'; '.join(differ)}. Overwrite it or write elsewhere"
            )

    @property
    def done(self) -> int:
        """How many sequences are attributed."""
        with h5py.File(self.path) as file:
            return int(file["done"][()])

    @property
    def about(self) -> dict[str, Any]:
        """The attributes of the file: the run's parameters, and what else is known about it."""
        with h5py.File(self.path) as file:
            return dict(file.attrs)

    @property
    def intervals(self) -> list[Interval] | None:
        """Where the sequences lie in the genome; None if they are from none."""
        with h5py.File(self.path) as file:
            if "chrom" not in file:
                return None
            text = [file[name].asstr()[()].tolist() for name in ("chrom", "strand", "ids")]
            start, end = file["start"][()].tolist(), file["end"][()].tolist()
        chrom, strand, names = text
        return list(map(Interval, chrom, start, end, strand, names))

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
        rows = slice(start, start + len(logits))
        with h5py.File(self.path, "r+") as file:
            file["hypothetical"][rows] = hypothetical
            file["projected"][rows] = (hypothetical * file["one_hot"][rows]).sum(1)
            file["logits"][rows] = logits
            if spread is not None:
                file["spread"][rows] = spread
            file.flush()  # before it is said to be done
            file["done"][()] = rows.stop

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
        intervals = self.intervals
        with h5py.File(self.path) as file:
            logits = file["logits"][:, self.target]
            for row in np.argsort(-logits, kind="stable")[:count].tolist():
                yield Attributed(
                    file["ids"].asstr()[row],
                    float(logits[row]),
                    torch.from_numpy(file["one_hot"][row]).float(),
                    torch.from_numpy(file["hypothetical"][row]),
                    file["spread"][row] if "spread" in file else None,
                    None if intervals is None else intervals[row],
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
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
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
        one_hot = file.create_dataset("one_hot", (count, 4, length), "i1")
        for start in range(0, count, ROWS):
            # An ambiguous position has no letter.
            rows = slice(start, start + ROWS)
            one_hot[rows] = codes[rows, None] == np.arange(4)[:, None]
        shapes = {"hypothetical": (count, 4, length), "projected": (count, length)}
        shapes["logits"] = (count, tasks)
        if attributes.get("spread"):
            shapes["spread"] = (count, length)
        for name, shape in shapes.items():
            file.create_dataset(name, shape, "f4", dcpl=early)
        file.create_dataset("done", (), "i8", data=0)
    partial.replace(path)
