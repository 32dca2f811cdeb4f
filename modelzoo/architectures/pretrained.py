"""What every architecture of the zoo shares with the Hub: its name in `config.json`, no pickles.

A class registers itself where it is defined, and `registered` tells which there are:

    @register
    class DeepBind(Expert):
        architecture = "deepbind"
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from huggingface_hub import PyTorchModelHubMixin
from torch import nn


class Pretrained(nn.Module, PyTorchModelHubMixin):
    """A `PyTorchModelHubMixin` whose saved folders `modelzoo.load` can read back.

    Attributes:
        architecture: The class's key in `ARCHITECTURES`, in `config.json` and in the catalog.
    """

    architecture: ClassVar[str]
    config: dict[str, Any]
    _hub_mixin_config: dict[str, Any]

    def _save_pretrained(self, save_directory: Path) -> None:
        super()._save_pretrained(save_directory)
        config = {"architecture": self.architecture, **self._hub_mixin_config}
        text = json.dumps(config, indent=2) + "\n"
        (save_directory / "config.json").write_text(text, encoding="utf-8")

    @classmethod
    def _load_as_pickle(cls, model: Any, model_file: str, *args: Any, **kwargs: Any) -> Any:
        # The mixin falls back to a pickle where a repository has no safetensors.
        raise ValueError(f"{model_file} is a pickle; only model.safetensors is ever loaded")


Model = TypeVar("Model", bound=Pretrained)

#: Every architecture by its name. Classes add themselves, with `register`.
ARCHITECTURES: dict[str, type[Pretrained]] = {}


def register(cls: type[Model]) -> type[Model]:
    """Add a class to `ARCHITECTURES` under its own name; a class decorator."""
    if cls.architecture in ARCHITECTURES:
        raise ValueError(f"architecture: expected a new name, got {cls.architecture!r}")
    ARCHITECTURES[cls.architecture] = cls
    return cls


def registered(kind: type[Model]) -> dict[str, type[Model]]:
    """Return the architectures of one kind by name, e.g. `registered(Expert)`.

    Args:
        kind: The base class, such as `expert.Expert` or `baseline.Baseline`.
    """
    return {name: cls for name, cls in ARCHITECTURES.items() if issubclass(cls, kind)}


def checked_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a model's outputs after checking that they are some."""
    if isinstance(tasks, str) or not tasks:
        raise ValueError(f"tasks: expected names, at least one, got {tasks!r}")
    return tuple(tasks)
