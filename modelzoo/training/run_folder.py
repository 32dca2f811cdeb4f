"""How a model was made, and the folder it is written to: all of it, or nothing."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from modelzoo.architectures.pretrained import Pretrained
from modelzoo.files import write_atomically

LIBRARIES = ("torch", "numpy", "tangermeme", "safetensors", "scikit-learn")


def record(command: str, seed: int, sources: Iterable[Path], **more: Any) -> dict[str, Any]:
    """Return what is needed to make a model again.

    Args:
        command: The command line that makes it.
        seed: Its seed.
        sources: The files it was trained on.
        more: Anything JSON-able besides: parameters, validation score, epochs.
    """
    return {
        "command": command,
        "seed": seed,
        "threads": torch.get_num_threads(),
        "data": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sources},
        "versions": {library: version(library) for library in LIBRARIES},
        "date": datetime.now(UTC).date().isoformat(),
        **more,
    }


def partial(out: Path) -> Path:
    """Return the folder in which a run works until it is done, made if need be.

    Raises:
        FileExistsError: ``out`` is there already; nothing is ever overwritten.
    """
    if out.exists():
        raise FileExistsError(f"out: {out} exists already; remove it, or write elsewhere")
    folder = out.with_name(f"{out.name}.partial")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def finish(out: Path, model: Pretrained, training: Mapping[str, Any]) -> Path:
    """Write the model and how it was made, then move the working folder to ``out``.

    The folder holds ``config.json``, ``model.safetensors`` and ``training.json``.
    """
    folder = partial(out)
    model.save_pretrained(folder)
    write_atomically(folder / "training.json", (json.dumps(training, indent=2) + "\n").encode())
    checkpoint(out).unlink(missing_ok=True)
    os.replace(folder, out)
    return out


def checkpoint(out: Path) -> Path:
    """Return the file a run to ``out`` resumes from."""
    return partial(out) / "checkpoint.safetensors"
