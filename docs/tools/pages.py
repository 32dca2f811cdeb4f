"""Writes the pages that are made from the packages: the zoo's models and the command line's help.

`conf.py` does it before every build, so these pages cannot lag behind the catalog and the commands.
"""

import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from statistics import fmean
from typing import Any

import typer.main
from safetensors import safe_open
from typer.testing import CliRunner

from modelzoo.cli.main import app
from modelzoo.datasets.chipseq import cell_line
from modelzoo.zoo import catalog
from modelzoo.zoo.card import METRICS, model_card

SHOWN = ("roc_auc", "average_precision")
SPEED = "How long a thousand attributions take is told [below](#side-by-side)."
COMMANDS = typer.main.get_command(app)


def write(folder: Path) -> None:
    """Writes all made pages.

    Args:
        folder: Holds nothing else afterwards; pages that are as they should be stay untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    models = [catalog.info(name) for name in catalog.list_models()]
    made = {"models": zoo(models), "commands": command_line()}
    # Without the front matter of a card, which is the Hub's.
    made |= {info.name: model_card(info).text.lstrip() for info in models}
    for old in folder.glob("*.md"):
        if old.stem not in made:
            old.unlink()
    for name, text in made.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def zoo(models: list[catalog.ModelInfo]) -> str:
    """Returns the table of the models and the links to their pages."""
    if not models:
        return "The catalog of this version is empty.\n"
    simulated = [info for info in models if any("accuracy" in s for s in info.scores.values())]
    measured = [info for info in models if info not in simulated]
    lines = _about(measured) if measured else []
    if simulated:
        own = f"{METRICS['accuracy']} on new sequences"
        rows = [
            [
                _link(info),
                info.architecture,
                ", ".join(info.sets),
                _own(info, "accuracy"),
                _size(info),
            ]
            for info in simulated
        ]
        lines += ["## Models of planted motifs\n"]
        lines += _rows(["model", "architecture", "simulation", own, "parameters"], rows)
    toctree = ["", "```{toctree}", ":hidden:", *(f"_made/{info.name}" for info in models), "```"]
    return "\n".join(lines + toctree) + "\n"


def _about(models: list[catalog.ModelInfo]) -> list[str]:
    """Returns a table per question: what models predict, how well, and how large they are."""
    predicts, inside, size = [], [], []
    for info in models:
        cells = dict.fromkeys(cell for name in info.sets if (cell := cell_line(name)))
        predicts.append([_link(info), info.architecture, ", ".join(info.sets), ", ".join(cells)])
        inside.append([_link(info), *(_own(info, metric) for metric in SHOWN)])
        size.append([_link(info), _size(info), "yes" if info.shipped else "no"])
    lines = ["## What each model predicts\n"]
    lines += _rows(["model", "architecture", "factors", "cell lines"], predicts)
    lines += ["## How good on its own factors\n"]
    lines += [
        "The mean over the test sets of the factors that a model was trained on. "
        "[Below](#factors-that-no-model-has-seen): how good on others.\n"
    ]
    lines += _rows(["model", *(METRICS[metric] for metric in SHOWN)], inside)
    lines += ["## Size and speed\n", f"{SPEED}\n"]
    return lines + _rows(["model", "parameters", "shipped"], size)


def _own(info: catalog.ModelInfo, metric: str) -> str:
    own = [info.scores[name][metric] for name in info.sets if name in info.scores]
    return _number(fmean(own) if own else None)


def _size(info: catalog.ModelInfo) -> str:
    """Returns how many numbers the weights have, by their file's header; "" if not shipped."""
    if not info.shipped:
        return ""
    with safe_open(info.weights, "numpy") as file:
        return f"{sum(prod(file.get_slice(key).get_shape()) for key in file.keys()):,}"  # noqa: SIM118


def _rows(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows]] + [""]


def _link(info: catalog.ModelInfo) -> str:
    return f"[{info.name}](_made/{info.name}.md)"


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def command_line() -> str:
    """Returns what `--help` says, of every command."""
    parts = []
    for words, _ in commands():
        text = help_text(words)
        title = " ".join(["shiftsmooth", *words])
        parts.append(f"## {title}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[list[str], str]]:
    """Yields the words of every command and the first sentence of its help."""

    def below(command: Any, words: list[str]) -> Iterator[tuple[list[str], str]]:
        for name, child in getattr(command, "commands", {}).items():
            yield [*words, name], " ".join(child.help.split("\n\n")[0].split())
            yield from below(child, [*words, name])

    return below(COMMANDS, [])


def help_text(words: list[str]) -> str:
    """Returns the help of a command, as wide as a page of the site has room for, without colours.

    Args:
        words: The command, such as `["train", "expert"]`.
    """
    environment = {"TERMINAL_WIDTH": "84", "COLUMNS": "84", "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="shiftsmooth", env=environment, color=False
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return "\n".join(line.strip("\n").rstrip() for line in plain.splitlines()).strip("\n")
