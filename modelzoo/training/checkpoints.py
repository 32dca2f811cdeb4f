"""What is kept after every epoch, so that a run can resume; and whose checkpoint it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from modelzoo.files import write_atomically

Scores = list[float | None]


@dataclass(frozen=True)
class Checkpoint:
    """A file to resume a run from, and all that the run's result depends on.

    Attributes:
        path: The file.
        identity: What tells the run from others; anything JSON-able.
    """

    path: Path
    identity: Mapping[str, Any]

    def write(
        self,
        model: nn.Module,
        best: Mapping[str, Tensor],
        optimizer: torch.optim.Optimizer,
        scores: Scores,
    ) -> None:
        """Write weights, the best weights so far, the optimizer's state and the scores."""
        tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
        tensors |= {f"best.{key}": value for key, value in best.items()}
        for index, state in optimizer.state_dict()["state"].items():
            tensors |= {
                f"optimizer.{index}.{key}": torch.as_tensor(value)
                for key, value in state.items()
                if value is not None
            }
        # safetensors refuses tensors that share memory
        tensors = {key: value.detach().clone().contiguous() for key, value in tensors.items()}
        metadata = {"identity": json.dumps(self.identity), "scores": json.dumps(scores)}
        write_atomically(self.path, _ordered(save(tensors, metadata)))

    def read(
        self, model: nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[Scores, dict[str, Tensor]]:
        """Load weights and the optimizer's state; return the scores and the best weights.

        Raises:
            ValueError: The file is damaged, or belongs to another run.
        """
        with _opened(self.path) as file, _whole(self.path):
            identity, scores = (json.loads(file.metadata()[k]) for k in ("identity", "scores"))
            identity, scores = dict(identity), list(scores)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        refuse_other(self.path, identity, self.identity)
        with _whole(self.path):
            model.load_state_dict(_under("model.", tensors))
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in _under("optimizer.", tensors).items():
                index, _, name = key.partition(".")
                state.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict(optimizer.state_dict() | {"state": state})
        return scores, _under("best.", tensors)


def _ordered(data: bytes) -> bytes:
    """Return the same file with its metadata in order; the library's order is another each time."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def refuse_damaged(path: Path) -> None:
    """Raise a `ValueError` where the file is no whole checkpoint."""
    with _opened(path):
        pass


def refuse_other(path: Path, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise a `ValueError` where what is at a path comes from another run.

    Args:
        path: What to name in the message.
        found: The identity of the run that it comes from.
        expected: The identity of this run: all that its result depends on.
    """
    expected = json.loads(json.dumps(expected))  # tuples are lists there
    names = [n for n in {**expected, **found} if found.get(n) != expected.get(n)]
    if names:
        raise ValueError(
            f"{path} belongs to another run, which differs in: {', '.join(names)}; remove it, or"
            " write elsewhere"
        )


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        raise ValueError(
            f"{path}: expected a checkpoint, got a damaged file ({error}); remove it"
        ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            if not {"identity", "scores"} <= (file.metadata() or {}).keys():
                raise ValueError(f"{path}: expected a checkpoint, got another file; remove it")
            yield file
    except SafetensorError as error:
        raise ValueError(
            f"{path}: expected a checkpoint, got a damaged file ({error}); remove it"
        ) from error


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
