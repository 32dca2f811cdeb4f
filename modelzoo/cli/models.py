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
    """List the models and how well each does on its test sets; as TSV into a pipe or file."""
    names = argument(catalog.list_models, architecture)
    rows = [["name", "architecture", "tasks", "ROC AUC", "shipped"]]
    for info in map(catalog.info, names):
        scores = [
            f"{dataset} {metrics['roc_auc']:.3f}"
            for dataset, metrics in info.scores.items()
            if "roc_auc" in metrics
        ]
        shipped = "yes" if info.shipped else "no, on the Hub"
        rows.append(
            [info.name, info.architecture, ", ".join(info.tasks), ", ".join(scores), shipped]
        )
    if not console.is_terminal:
        csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(rows)
        return
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)
