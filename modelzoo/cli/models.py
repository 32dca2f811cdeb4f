"""`shiftsmooth models`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from modelzoo.cli.options import argument, example
from modelzoo.cli.terminal import console
from modelzoo.datasets import chipseq
from modelzoo.zoo import catalog

app = typer.Typer()


@app.command(**example("shiftsmooth models --architecture deepbind"))
def models(
    architecture: Annotated[
        str | None, typer.Option(help="Only the models of this architecture.")
    ] = None,
) -> None:
    """List the models and how well each does on its own factors' test sets.

    Into a pipe or file as TSV, with the ROC AUC of every data set it was judged on.
    """
    infos = [catalog.info(name) for name in argument(catalog.list_models, architecture)]
    if console.is_terminal:
        console.print(_table(infos))
        return
    rows = csv.writer(sys.stdout, delimiter="\t", lineterminator="\n")
    rows.writerow(
        ["name", "architecture", "tasks", "factors", "cell lines", "own AUC", "ROC AUC", "shipped"]
    )
    for info in infos:
        scores = {name: s["roc_auc"] for name, s in info.scores.items() if "roc_auc" in s}
        rows.writerow(
            [
                info.name,
                info.architecture,
                ", ".join(info.tasks),
                ", ".join(info.sets),
                ", ".join(_cells(info)),
                _own(info),
                ", ".join(f"{name} {score:.3f}" for name, score in scores.items()),
                "yes" if info.shipped else "no, on the Hub",
            ]
        )


def _cells(info: catalog.ModelInfo) -> list[str]:
    """Return the cell lines of its data sets, each once."""
    return list(dict.fromkeys(cell for name in info.sets if (cell := chipseq.cell_line(name))))


def _own(info: catalog.ModelInfo) -> str:
    return "" if info.own_auc is None else f"{info.own_auc:.3f}"


def _table(infos: list[catalog.ModelInfo]) -> Table:
    """Return what fits a terminal of 80 columns, with names that can be copied."""
    table = Table("name", "factors", "cell lines", "own AUC", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for info in infos:
        factors, cells = _short(info.sets, "factors"), _short(_cells(info), "cell lines")
        table.add_row(info.name, factors, cells, _own(info))
    return table


def _short(names: Sequence[str], what: str) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} {what}" if names else ""
