"""`attributions.h5`: attributions of many sequences, in a file that a killed run takes up again.

The whole file is laid out before the first attribution. Afterwards a run only changes numbers in
place, so that a kill cannot leave the file unreadable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from modelzoo.tracks.npz import save_npz

ROWS = 64  # sequences that are copied at once


class AttributionsFile:
    """The file of one run.

    It holds `ids` (n,), `one_hot` (n, 4, L) with N all zero, `hypothetical` (n, 4, L): what each
    letter would contribute, `projected` (n, L): what the letter present contributes, and `logits`
    (n, tasks). The run's parameters are attributes of the file.

    Args:
        path: Where the file is, or is to be; its folder is made if need be.
        parameters: What the results depend on.
        names: The sequences' names.
        codes: The sequences, (n, L), as of `modelzoo.sequences.encode`.
        tasks: The names of the model's outputs; the parameter `task` is one of them.

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
    ) -> None:
        self.path, self.parameters = path, parameters
        self.target = tasks.index(parameters["task"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _lay_out(path, parameters, names, codes, len(tasks))
        with h5py.File(path) as file:
            found = {key: file.attrs.get(key) for key in parameters}
        if found != parameters:
            raise ValueError(
                f"{path} is of another run: expected {dict(parameters)}, got {found}; remove it"
                " or write elsewhere"
            )

    @property
    def done(self) -> int:
        """How many sequences are attributed."""
        with h5py.File(self.path) as file:
            return int(file["done"][()])

    def write(self, start: int, hypothetical: np.ndarray, logits: np.ndarray) -> None:
        """Write the results of the sequences from `start` on; all before them are done.

        Args:
            start: The row of the first.
            hypothetical: Shape (rows, 4, L).
            logits: Shape (rows, tasks).
        """
        rows = slice(start, start + len(logits))
        with h5py.File(self.path, "r+") as file:
            file["hypothetical"][rows] = hypothetical
            file["projected"][rows] = (hypothetical * file["one_hot"][rows]).sum(1)
            file["logits"][rows] = logits
            file.flush()  # before it is said to be done
            file["done"][()] = rows.stop

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


def _lay_out(
    path: Path, parameters: Mapping[str, Any], names: Sequence[str], codes: np.ndarray, tasks: int
) -> None:
    count, length = codes.shape
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    partial = path.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        file.attrs.update(parameters)
        file.create_dataset("ids", data=list(names), dtype=h5py.string_dtype())
        one_hot = file.create_dataset("one_hot", (count, 4, length), "i1")
        for start in range(0, count, ROWS):
            # An ambiguous position has no letter.
            rows = slice(start, start + ROWS)
            one_hot[rows] = codes[rows, None] == np.arange(4)[:, None]
        for name, shape in (
            ("hypothetical", (count, 4, length)),
            ("projected", (count, length)),
            ("logits", (count, tasks)),
        ):
            file.create_dataset(name, shape, "f4", dcpl=early)
        file.create_dataset("done", (), "i8", data=0)
    partial.replace(path)
