"""What the zoo holds: one recipe per model, `recipes/NAME.json`, read and typed.

A recipe says how a model was made, which bytes its weights are, and how well it does.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

WEIGHTS = Path(__file__).parent / "weights"
RECIPES = Path(__file__).parent / "recipes"
LENGTH = 101  # of the sequences in the ChIP-seq files
OWNER = "shiftsmooth"  # the Hub organisation that holds the catalog's repositories
SPACE = f"{OWNER}/explorer"  # where the explorer runs there

Scores = Mapping[str, Mapping[str, float]]


class UnknownModelError(ValueError):
    """No model has that name; the message names the nearest one and lists all."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        super().__init__(f"no model is called {name!r}{hint} There are: {', '.join(known)}")


@dataclass(frozen=True)
class ModelInfo:
    """One entry of the catalog.

    Attributes:
        name: The name that `modelzoo.load` takes.
        architecture: A key of `modelzoo.architectures.ARCHITECTURES`.
        config: The arguments its class is constructed with.
        tasks: The names of the output columns.
        sha256: The checksum of the weights. Bytes with another checksum are never loaded.
        scores: Metrics by data set, measured once on the test files.
        recipe: How the model was made: command, seed, checksums of the data, versions, validation
            score, date; and all of the above.
    """

    name: str
    architecture: str
    config: Mapping[str, Any]
    tasks: tuple[str, ...]
    sha256: str
    scores: Scores
    recipe: Mapping[str, Any] = field(repr=False)

    @property
    def length(self) -> int | None:
        """The length of the sequences it was trained on, where the recipe tells."""
        if "length" in self.config:
            return int(self.config["length"])
        return LENGTH if self.recipe.get("data") else None

    @property
    def sets(self) -> tuple[str, ...]:
        """The data sets, or the simulation, that it was trained on: its tasks or its experts'."""
        experts = self.config.get("experts", {}).values()
        tasks = dict.fromkeys(task for expert in experts for task in expert["tasks"])
        return tuple(tasks) or self.tasks

    @property
    def own_auc(self) -> float | None:
        """The mean ROC AUC on the test sets of what it was trained on; None where there is none."""
        own = [self.scores[name].get("roc_auc") for name in self.sets if name in self.scores]
        known = [auc for auc in own if auc is not None]
        return fmean(known) if known else None

    @property
    def file(self) -> str:
        """The name of the weights' file, under `modelzoo/zoo/weights` if they are shipped."""
        return f"{self.name}.safetensors"

    @property
    def repo_id(self) -> str:
        """The repository on the Hugging Face Hub with the same file."""
        return f"{OWNER}/{self.name}"

    @property
    def revision(self) -> str:
        """The tag under which the Hub keeps exactly these bytes, whatever is published later."""
        return f"sha256-{self.sha256[:16]}"

    @property
    def weights(self) -> Path:
        """The path of the weights, if they are shipped with this installation."""
        return WEIGHTS / self.file

    @property
    def shipped(self) -> bool:
        """Whether this installation has the weights; otherwise they are on the Hub only."""
        return self.weights.is_file()


def model_name(architecture: str, *factors: str) -> str:
    """Return the catalog's name for a model of an architecture and its factors.

    Example:
        >>> from modelzoo.zoo.catalog import model_name
        >>> model_name("moe", "ARID3A", "FOXM1")
        'moe-arid3a-foxm1'
    """
    return "-".join([architecture, *map(str.lower, factors)])


def read() -> dict[str, ModelInfo]:
    """Return the catalog's entries by name, in alphabetical order."""
    return {name: _entry(name) for name in _names()}


def list_models(architecture: str | None = None) -> list[str]:
    """Return the names of the models, of all or of one architecture.

    Args:
        architecture: Keep only models of this architecture, e.g. `"deepbind"`.

    Example:
        >>> import modelzoo
        >>> "deepbind-gata3" in modelzoo.list_models("deepbind")
        True
    """
    if architecture is None:
        return _names()
    models = read().values()
    known = sorted({model.architecture for model in models})
    if architecture not in known:
        raise ValueError(f"architecture: expected one of {', '.join(known)}, got {architecture!r}")
    return [model.name for model in models if model.architecture == architecture]


def info(name: str) -> ModelInfo:
    """Return the catalog's entry for a model.

    Args:
        name: A name that `list_models` returns.

    Example:
        >>> import modelzoo
        >>> info = modelzoo.info("deepbind-gata3")
        >>> info.architecture, info.tasks
        ('deepbind', ('GATA3',))
    """
    if name not in (names := _names()):
        raise UnknownModelError(name, names)
    return _entry(name)


def _names() -> list[str]:
    return sorted(path.stem for path in RECIPES.glob("*.json"))


def _entry(name: str) -> ModelInfo:
    recipe = json.loads((RECIPES / f"{name}.json").read_text(encoding="utf-8"))
    return ModelInfo(
        name=name,
        architecture=recipe["architecture"],
        config=recipe["config"],
        tasks=tuple(recipe["tasks"]),
        sha256=recipe["sha256"],
        scores=recipe["scores"],
        recipe=recipe,
    )
