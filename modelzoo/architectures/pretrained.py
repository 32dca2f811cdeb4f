"""What every architecture of the zoo shares with the Hub: its name in `config.json`, no pickles.

A class registers itself where it is defined, and `registered` tells which there are:

    @register
    class DeepBind(Expert):
        architecture = "deepbind"
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from huggingface_hub.errors import RemoteEntryNotFoundError
from torch import Tensor, nn

from modelzoo.architectures.arguments import check, checked, length
from modelzoo.architectures.weights import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    fill,
    read_config,
    without_numbers,
)

CALIBRATION = "calibration"  # its key in `config.json`


class Pretrained(nn.Module, PyTorchModelHubMixin):
    """A `PyTorchModelHubMixin` whose saved folders `modelzoo.load` can read back.

    Attributes:
        architecture: The class's key in `ARCHITECTURES`, in `config.json` and in the catalog.
        config: The arguments that rebuild the model, as `config.json` holds them.
        tasks: The names of the outputs.
        calibration: The slope and intercept of each task's logit, after Platt; None where nobody
            has fitted them.
    """

    architecture: ClassVar[str]
    config: dict[str, Any]
    tasks: tuple[str, ...]
    calibration: list[list[float]] | None = None

    def calibrate(self, calibration: Sequence[Sequence[float]] | None) -> None:
        """Set the slope and intercept of each task's logit; None takes them away."""
        if calibration is not None:
            pair = Annotated[Sequence[float], length(2, 2)]
            count = len(self.tasks)
            hint = Annotated[Sequence[pair], length(count, count)]
            calibration = check(CALIBRATION, calibration, hint)
        self.calibration = calibration  # type: ignore[assignment]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities that logits (B, tasks) mean, calibrated where the model is.

        Args:
            logits: What the model gives.
        """
        if self.calibration is None:
            return logits.sigmoid()
        slope, intercept = logits.new_tensor(self.calibration).T
        return (slope * logits + intercept).sigmoid()

    def _save_pretrained(self, save_directory: Path) -> None:
        super()._save_pretrained(save_directory)
        config = {"architecture": self.architecture, **self.config}
        if self.calibration is not None:
            config[CALIBRATION] = self.calibration
        text = json.dumps(config, indent=2) + "\n"
        (save_directory / CONFIG_FILE).write_text(text, encoding="utf-8")

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        map_location: str = "cpu",
        strict: bool = True,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **arguments: Any,
    ) -> Any:
        # The mixin builds a model with its numbers before it looks at the file, and where there is
        # no file it reads a pickle.
        with without_numbers():
            model = cls(**arguments)
        if os.path.isdir(model_id):
            path = os.path.join(model_id, WEIGHTS_FILE)
        else:
            try:
                path = hf_hub_download(
                    model_id,
                    WEIGHTS_FILE,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            except RemoteEntryNotFoundError as error:
                raise ValueError(
                    f"{model_id} has no {WEIGHTS_FILE}; a pickle is never loaded"
                ) from error
        fill(model, Path(path), path)
        config = Path(path).with_name(CONFIG_FILE)
        if config.is_file():
            model.calibrate(read_config(config, str(config)).get(CALIBRATION))
        return model.to(map_location).eval()


Model = TypeVar("Model", bound=Pretrained)

#: Every architecture by its name. Classes add themselves, with `register`.
ARCHITECTURES: dict[str, type[Pretrained]] = {}


def register(cls: type[Model]) -> type[Model]:
    """Add a class to `ARCHITECTURES` under its own name; a class decorator.

    From then on its constructor checks its arguments by its annotations: see `arguments`.
    """
    if "__init__" in vars(cls):
        cls.__init__ = checked(cls.__init__)  # type: ignore[method-assign]
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
