"""What the zoo holds: `catalog.json`, read and typed.

The file is built from the shipped weights and the recipes they were trained by, never edited by
hand: `python -m modelzoo.zoo.catalog` writes it, and `--check` fails where it has drifted.
"""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelzoo.files import sha256

ROOT = Path(__file__).parent
CATALOG = ROOT / "catalog.json"
WEIGHTS = ROOT / "weights"
RECIPES = ROOT / "recipes"
OWNER = "shiftsmooth"  # the Hub organisation that holds the catalog's repositories

Scores = Mapping[str, Mapping[str, float]]


class UnknownModelError(ValueError):
    """No model has that name; the message says which there are, and which is nearest."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        super().__init__(f"no model is called {name!r}{hint} There are: {', '.join(known)}")


@dataclass(frozen=True)
class ModelInfo:
    """One entry of the catalog.

    Attributes:
        name: What `modelzoo.load` is asked for.
        architecture: A key of `modelzoo.architectures.ARCHITECTURES`.
        config: The arguments its class is constructed with.
        tasks: The names of the output columns.
        file: The weights' file name, under `modelzoo/zoo/weights` where they are shipped.
        sha256: The sum of that file. Bytes with another sum are never loaded.
        repo_id: The repository on the Hugging Face Hub with the same file.
        scores: Metrics by data set, measured once on the test files.
    """

    name: str
    architecture: str
    config: Mapping[str, Any]
    tasks: tuple[str, ...]
    file: str
    sha256: str
    repo_id: str
    scores: Scores

    @property
    def revision(self) -> str:
        """The tag under which the Hub keeps exactly these bytes, whatever is published later."""
        return f"sha256-{self.sha256[:16]}"

    @property
    def weights(self) -> Path:
        """Where the weights lie if they are shipped with this installation."""
        return WEIGHTS / self.file

    @property
    def shipped(self) -> bool:
        """Whether this installation has the weights; else they are on the Hub only."""
        return self.weights.is_file()

    @property
    def recipe(self) -> dict[str, Any]:
        """How the model was made: command, seed, data sums, versions, validation score, date."""
        path = RECIPES / f"{self.name}.json"
        return json.loads(path.read_text(encoding="utf-8"))


def read() -> dict[str, ModelInfo]:
    """Returns the catalog's entries by name, in the file's order."""
    entries = json.loads(CATALOG.read_text(encoding="utf-8"))
    return {
        entry["name"]: ModelInfo(**{**entry, "tasks": tuple(entry["tasks"])}) for entry in entries
    }


def list_models(architecture: str | None = None) -> list[str]:
    """Returns the names of the models, of all or of one architecture.

    Args:
        architecture: Keep only models of this architecture, e.g. `"deepbind"`.

    Example:
        >>> import modelzoo
        >>> "deepbind-gata3" in modelzoo.list_models("deepbind")
        True
    """
    models = read().values()
    known = sorted({model.architecture for model in models})
    if architecture is not None and architecture not in known:
        raise ValueError(f"architecture is {architecture!r}; expected one of {', '.join(known)}")
    return [model.name for model in models if architecture in (None, model.architecture)]


def info(name: str) -> ModelInfo:
    """Returns the catalog's entry for a model.

    Args:
        name: A name that `list_models` returns.

    Example:
        >>> import modelzoo
        >>> info = modelzoo.info("deepbind-gata3")
        >>> info.architecture, info.tasks
        ('deepbind', ('GATA3',))
    """
    models = read()
    if name not in models:
        raise UnknownModelError(name, models)
    return models[name]


def build() -> str:
    """Returns the text of `catalog.json` for the recipes and weights in this source tree."""
    entries = []
    for path in sorted(RECIPES.glob("*.json")):
        recipe = json.loads(path.read_text(encoding="utf-8"))
        file = f"{path.stem}.safetensors"
        # What is too large to ship lives on the Hub only; its recipe says which bytes it is.
        sum_ = recipe.get("sha256") or sha256((WEIGHTS / file).read_bytes())
        entries.append(
            {
                "name": path.stem,
                "architecture": recipe["architecture"],
                "config": recipe["config"],
                "tasks": recipe["tasks"],
                "file": file,
                "sha256": sum_,
                "repo_id": f"{OWNER}/{path.stem}",
                "scores": recipe["scores"],
            }
        )
    return json.dumps(entries, indent=2) + "\n"


def main() -> None:
    """Writes `catalog.json`, or says whether it is up to date."""
    parser = argparse.ArgumentParser(
        prog="python -m modelzoo.zoo.catalog", description=main.__doc__
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    text = build()
    if not parser.parse_args().check:
        CATALOG.write_text(text, encoding="utf-8")
    elif CATALOG.read_text(encoding="utf-8") != text:
        sys.exit(f"{CATALOG.name} has drifted; run python -m modelzoo.zoo.catalog")


if __name__ == "__main__":
    main()
