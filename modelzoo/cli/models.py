"""`shiftsmooth models`."""

from __future__ import annotations

import csv
import sys
from typing import Annotated

import typer
from rich.table import Table

from modelzoo.cli.options import argument, example
from modelzoo.cli.terminal import console
from modelzoo.zoo import catalog

app = typer.Typer()


@app.command(**example("shiftsmooth models --architecture deepbind"))
def models(
    architecture: Annotated[
        str | None, typer.Option(help="Only the models of this architecture.")
    ] = None,
) -> None:
    """List the models and how well each does on its test sets; as TSV into a pipe or file.

    A terminal shows the lowest and the highest ROC AUC, the TSV that of every data set.
    """
    infos = [catalog.info(name) for name in argument(catalog.list_models, architecture)]
    if console.is_terminal:
        console.print(_table(infos))
        return
    rows = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    rows.writerow(["name", "architecture", "tasks", "ROC AUC", "shipped"])
    for info in infos:
        scores = ", ".join(f"{name} {score:.3f}" for name, score in _scores(info).items())
        shipped = "yes" if info.shipped else f"no; {info.elsewhere}"
        rows.writerow([info.name, info.architecture, ", ".join(info.tasks), scores, shipped])


def _scores(info: catalog.ModelInfo) -> dict[str, float]:
    """Return the ROC AUC on each data set."""
    return {name: s["roc_auc"] for name, s in info.scores.items() if "roc_auc" in s}


def _table(infos: list[catalog.ModelInfo]) -> Table:
    """Return what fits a terminal of 80 columns, with names that can be copied."""
    table = Table("name", "architecture", "tasks", "ROC AUC", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for info in infos:
        scores = sorted(_scores(info).values())
        auc = " to ".join(f"{score:.2f}" for score in dict.fromkeys([*scores[:1], *scores[-1:]]))
        table.add_row(info.name, info.architecture, ", ".join(info.tasks), auc)
    return table
