"""Writes the pages that are made from the packages: the zoo's models and the command line's help.

`conf.py` does it before every build, so these pages cannot lag behind the catalog and the commands.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import typer.main
from typer.testing import CliRunner

from modelzoo.cli.main import app
from modelzoo.datasets.chipseq import OOD_FACTORS, cell_line
from modelzoo.zoo import catalog
from modelzoo.zoo.card import METRICS, model_card

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
    lines = _table([info for info in models if info not in simulated], "roc_auc")
    lines += _table(simulated, "accuracy")
    toctree = ["", "```{toctree}", ":hidden:", *(f"_made/{info.name}" for info in models), "```"]
    return "\n".join(lines + toctree) + "\n"


def _table(models: list[catalog.ModelInfo], metric: str) -> list[str]:
    """Returns a table of models with a line above it, if any."""
    if not models:
        return []
    unseen = [name for name in OOD_FACTORS if any(name in info.scores for info in models)]
    lines = [
        f"{METRICS[metric]} on the test sets of a model's own factors, their mean where there are"
        f" several{', and on factors that no model was trained on' if unseen else ''}:\n",
        "| model | architecture | factors | cell lines | own | " + " | ".join(unseen) + " |",
        "|---" * (5 + len(unseen)) + "|",
    ]
    for info in models:
        own = [info.scores[name][metric] for name in info.sets if name in info.scores]
        scores = [fmean(own) if own else None]
        scores += [info.scores.get(name, {}).get(metric) for name in unseen]
        cells = ["" if score is None else f"{score:.3f}" for score in scores]
        cells_of = dict.fromkeys(cell for name in info.sets if (cell := cell_line(name)))
        row = [f"[{info.name}](_made/{info.name}.md)", info.architecture]
        row += [", ".join(info.sets), ", ".join(cells_of)]
        lines.append("| " + " | ".join(row + cells) + " |")
    return [*lines, ""]


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
    """Returns the help of a command, without colours.

    Args:
        words: The command, such as `["train", "expert"]`.
    """
    environment = {"TERMINAL_WIDTH": "96", "COLUMNS": "96", "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(
        app, [*words, "--help"], prog_name="shiftsmooth", env=environment, color=False
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    return "\n".join(line.strip("\n").rstrip() for line in plain.splitlines()).strip("\n")
