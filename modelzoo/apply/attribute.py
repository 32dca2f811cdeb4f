"""Attributions of many sequences, into one HDF5 file that a killed run takes up again.

The file is laid out whole before the first attribution: afterwards a run changes numbers in place
and nothing of the structure, so that there is no moment at which a kill could leave it unreadable.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import h5py
import numpy as np
import torch
from captum.attr import IntegratedGradients, NoiseTunnel
from torch import Tensor, nn

from modelzoo.architectures.layers import UNKNOWN
from modelzoo.attribution.methods import NOISE, SAMPLES, STEPS
from modelzoo.sequences import Record, Reject, columns, encode
from shiftsmooth import ShiftSmooth

Method = Literal["gradient", "smoothgrad", "shiftsmooth", "shiftsmooth-ig", "shift-and-noise"]

CHUNK = 64  # sequences between two notes of how far the run is


class Attributions:
    """The file `attributions.h5` of one run.

    It holds `ids` (n,), `one_hot` (n, 4, L) with N all zero, `hypothetical` (n, 4, L): what each
    letter would contribute, `projected` (n, L): what the letter present contributes, and `logits`
    (n, tasks). The run's parameters are attributes of the file.

    Args:
        folder: Where the file is, or is to be; made if need be.
        model: In eval mode.
        names: The sequences' names.
        codes: The sequences, (n, L), as of `modelzoo.sequences.encode`.
        method: `"gradient"`, `"smoothgrad"`, `"shiftsmooth"`; `"shiftsmooth-ig"`, ShiftSmooth over
            Integrated Gradients; or `"shift-and-noise"`, SmoothGrad's noise around ShiftSmooth.
        max_shift: N of ShiftSmooth; the two methods without shifts do not look at it.
        task: The name of the output that is explained; the model's first by default.
        seed: Of the noise.

    Raises:
        ValueError: An argument does not fit, or the folder holds another run.
    """

    def __init__(
        self,
        folder: str | Path,
        model: nn.Module,
        names: Sequence[str],
        codes: np.ndarray,
        *,
        method: Method = "shiftsmooth",
        max_shift: int = 5,
        task: str | None = None,
        seed: int = 0,
    ) -> None:
        tasks: Any = model.tasks
        if method not in get_args(Method):
            raise ValueError(f"method: expected one of {', '.join(get_args(Method))}, got {method}")
        if task is not None and task not in tasks:
            raise ValueError(f"task: expected one of {', '.join(tasks)}, got {task!r}")
        if len(codes) == 0:
            raise ValueError("codes: expected at least one sequence, got none")
        shifted = method.startswith("shift")
        if shifted and not 0 <= max_shift < codes.shape[1]:
            raise ValueError(f"max_shift: expected 0 to {codes.shape[1] - 1}, got {max_shift}")
        self.model, self.codes, self.seed = model, codes, seed
        self.max_shift = max_shift if shifted else 0
        self.method = method
        self.target = 0 if task is None else tasks.index(task)
        self.parameters: dict[str, Any] = {
            "method": method,
            "max_shift": self.max_shift,
            "task": tasks[self.target],
            "seed": seed,
            "inputs": _digest(model, names, codes),
        }
        self.path = Path(folder) / "attributions.h5"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            self._lay_out(names, len(tasks))
        with h5py.File(self.path) as file:
            found = {key: file.attrs.get(key) for key in self.parameters}
        if found != self.parameters:
            raise ValueError(
                f"{self.path} is of another run: expected {self.parameters}, got {found}; remove it"
                " or write elsewhere"
            )

    @property
    def done(self) -> int:
        """How many sequences are attributed."""
        with h5py.File(self.path) as file:
            return int(file["done"][()])

    def run(self, track: Callable[[Iterable[int]], Iterable[int]] = iter) -> None:
        """Attributes the sequences that are left.

        Args:
            track: Wraps the numbers of the chunks to do, such as a progress bar.
        """
        for start in track(range(self.done, len(self.codes), CHUNK)):
            codes = self.codes[start : start + CHUNK]
            x = columns(codes).to(next(self.model.parameters()).device)
            hypothetical = self._hypothetical(x, start)
            with torch.no_grad():
                logits = self.model(x)
            rows = slice(start, start + len(codes))
            with h5py.File(self.path, "r+") as file:
                file["hypothetical"][rows] = hypothetical
                file["projected"][rows] = (hypothetical * _present(codes)).sum(1)
                file["logits"][rows] = logits.cpu().numpy()
                file.flush()  # before it is said to be done
                file["done"][()] = rows.stop

    def save_npz(self) -> tuple[Path, Path]:
        """Writes the pair of files that `modisco motifs -s -a` takes; returns their paths."""
        paths = self.path.with_name("one_hot.npz"), self.path.with_name("hypothetical.npz")
        with h5py.File(self.path) as file:
            for path in paths:
                _save_npz(path, file[path.stem])
        return paths

    def top(self, count: int) -> Iterator[tuple[str, float, Tensor, Tensor]]:
        """Yields name, logit, one-hot and hypothetical scores of those with the highest logits.

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

    def _hypothetical(self, x: Tensor, start: int) -> np.ndarray:
        """The map, less its mean over the letters (Majdandzic et al. 2023)."""
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
        return (maps - maps.mean(1, keepdim=True)).detach().cpu().numpy()

    def _lay_out(self, names: Sequence[str], tasks: int) -> None:
        count, length = self.codes.shape
        early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        partial = self.path.with_suffix(".partial")
        with h5py.File(partial, "w") as file:
            file.attrs.update(self.parameters)
            file.create_dataset("ids", data=list(names), dtype=h5py.string_dtype())
            one_hot = file.create_dataset("one_hot", (count, 4, length), "i1")
            for start in range(0, count, CHUNK):
                rows = slice(start, start + CHUNK)
                one_hot[rows] = _present(self.codes[rows])
            for name, shape in (
                ("hypothetical", (count, 4, length)),
                ("projected", (count, length)),
                ("logits", (count, tasks)),
            ):
                file.create_dataset(name, shape, "f4", dcpl=early)
            file.create_dataset("done", (), "i8", data=0)
        partial.replace(self.path)


def collect(records: Iterable[Record], reject: Reject) -> tuple[list[str], np.ndarray]:
    """Returns names (n,) and codes (n, L) of the records that are as long as the first.

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
        raise ValueError("there is no sequence to attribute")
    return names, np.concatenate(rows)


def _present(codes: np.ndarray) -> np.ndarray:
    """(n, 4, L) int8, one where a letter is; an ambiguous position has none."""
    return (codes[:, None] == np.arange(4)[:, None]).astype(np.int8)


def _digest(model: nn.Module, names: Sequence[str], codes: np.ndarray) -> str:
    """Tells runs apart by what they are of: weights, names and sequences."""
    digest = hashlib.sha256(json.dumps([*names, *codes.shape]).encode())
    digest.update(codes.tobytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _save_npz(path: Path, data: h5py.Dataset) -> None:
    """Writes what numpy's `savez` would, a part at a time."""
    header = {
        "descr": np.lib.format.dtype_to_descr(data.dtype),
        "fortran_order": False,
        "shape": data.shape,
    }
    partial = path.with_suffix(".partial")
    with (
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(data), CHUNK):
            file.write(data[start : start + CHUNK].tobytes())
    partial.replace(path)
