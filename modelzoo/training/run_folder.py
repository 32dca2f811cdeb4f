"""The folder that a training ends in: all of it, or nothing; and how the model was made.

| file | what it holds |
|---|---|
| `config.json`, `model.safetensors` | the model |
| `training.json` | how it was made: the same for equal runs |
| `times.json` | when, and how long it took |
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import statistics
import warnings
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch

from modelzoo.architectures.pretrained import Pretrained
from modelzoo.datasets.examples import Examples
from modelzoo.errors import WorkError
from modelzoo.files import sha256, write_atomically
from modelzoo.training.checkpoints import Checkpoint, refuse_damaged, refuse_other
from modelzoo.training.fit import History
from modelzoo.training.params import TrainingParams

LIBRARIES = ("torch", "numpy", "tangermeme", "safetensors", "scikit-learn")
_IDENTITY = "run.json"


class Run:
    """A training on its way to a folder. The work is what is done inside `with`.

    Everything that can be wrong with a call is found before: a `ValueError` inside becomes a
    `WorkError`. The working folder, `out` with `.partial` behind its name, is made at the beginning
    of the work. It stays where the work fails after an epoch, to resume from.

    Args:
        out: The folder to make.
        identity: All that the result depends on, see `identity`.

    Raises:
        FileExistsError: `out` is there already; nothing is ever overwritten.
        ValueError: What a stopped run has left is of a run with another identity, or damaged.
    """

    def __init__(self, out: str | Path, identity: Mapping[str, Any]) -> None:
        self.out = Path(out)
        self.folder = partial(self.out)
        self.checkpoint = Checkpoint(self.folder / "checkpoint.safetensors", identity)
        note = self.folder / _IDENTITY
        if note.exists():
            refuse_other(self.folder, read_json(note), identity)
        elif foreign := [p for p in self.folder.glob("*") if p.suffix != ".part"]:
            raise ValueError(f"out: expected no file of something else, got {foreign[0]}")
        for path in self._checkpoints(self.folder):
            refuse_damaged(path)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / _IDENTITY, _json(self.checkpoint.identity))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not self._checkpoints(self.folder):
            (self.folder / _IDENTITY).unlink(missing_ok=True)
            with suppress(OSError):  # it holds something else
                self.folder.rmdir()
        if isinstance(error, ValueError):
            raise WorkError(str(error)) from error

    def finish(
        self,
        model: Pretrained,
        history: History,
        params: TrainingParams,
        *data: Examples,
        command: str,
        seed: int,
        **more: Any,
    ) -> Path:
        """Write the model and how it was made, and move all to `out`, which is returned.

        Args:
            model: The trained model.
            history: Its training.
            params: Its hyper-parameters.
            data: What it was trained on. A source that has changed since is warned of.
            command: The command line that makes it.
            seed: Its seed.
            more: Anything JSON-able besides, such as the validation score.
        """
        sources = {path: found for part in data for path, found in part.sources.items()}
        for path, found in sources.items():
            if not path.is_file() or sha256(path.read_bytes()) != found:
                warnings.warn(
                    f"{path} has changed during the training; the model is of its former content",
                    stacklevel=2,
                )
        training = {
            "command": command,
            "seed": seed,
            "threads": torch.get_num_threads(),
            "device": next(model.parameters()).device.type,
            "data": {path.name: found for path, found in sources.items()},
            "versions": {library: version(library) for library in LIBRARIES},
            **more,
            "epochs": len(history.scores),
            "params": dataclasses.asdict(params),
        }
        times: dict[str, Any] = {"date": datetime.now(UTC).date().isoformat()}
        if history.seconds:
            times["processor_seconds_an_epoch"] = statistics.median(history.seconds)
        model.save_pretrained(self.folder)
        write_atomically(self.folder / "training.json", _json(training))
        write_atomically(self.folder / "times.json", _json(times))
        os.replace(self.folder, self.out)
        for path in (*self._checkpoints(self.out), self.out / _IDENTITY):
            path.unlink(missing_ok=True)
        return self.out

    @staticmethod
    def _checkpoints(folder: Path) -> list[Path]:
        return [p for p in folder.glob("*.safetensors") if p.name != "model.safetensors"]


def partial(out: Path) -> Path:
    """Return the folder in which a run to `out` works until it is done; it is not made here.

    Raises:
        FileExistsError: `out` is there already.
    """
    if out.exists():
        raise FileExistsError(f"out: {out} exists already; remove it, or write elsewhere")
    return out.with_name(f"{out.name}.partial")


def identity(
    model: Pretrained, params: TrainingParams, seed: int, *data: Examples, **more: Any
) -> dict[str, Any]:
    """Return all that the result of a training depends on, for runs to be told apart by.

    Args:
        model: The untrained model; of its weights, those of frozen parts count as well.
        params: Its hyper-parameters.
        seed: Its seed.
        data: What it is trained on: what the first epoch sees, and what is held out.
        more: Anything JSON-able besides.
    """
    return {
        "architecture": model.architecture,
        "config": model.config,
        "initial weights": _digest(*(t.cpu().numpy() for t in model.state_dict().values())),
        "data": [data_digest(part, seed) for part in data],
        "seed": seed,
        "device": next(model.parameters()).device.type,
        **dataclasses.asdict(params),
        **more,
    }


def data_digest(data: Examples, seed: int) -> str:
    """Return a checksum of what the first epoch sees and what is held out."""
    (codes, labels), (held_out, known) = data.epoch(0, seed), data.held_out
    return _digest(np.array(data.tasks), codes, labels.numpy(), held_out, known.numpy())


def _digest(*arrays: np.ndarray) -> str:
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a run has written to a file; a damaged one is named."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("it holds no object")
        return found
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: expected JSON, got a damaged file ({error}); remove it"
        ) from error
