"""What every architecture of the zoo shares with the Hub: its name in `config.json`, no pickles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from huggingface_hub import PyTorchModelHubMixin


class Pretrained(PyTorchModelHubMixin):
    """A `PyTorchModelHubMixin` whose saved folders `modelzoo.load` can read back.

    Attributes:
        architecture: The class's key in `modelzoo.architectures.ARCHITECTURES`.
    """

    architecture: ClassVar[str]
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


def checked_tasks(tasks: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a model's outputs after checking that they are some."""
    if isinstance(tasks, str) or not tasks:
        raise ValueError(f"tasks: expected names, at least one, got {tasks!r}")
    return tuple(tasks)
