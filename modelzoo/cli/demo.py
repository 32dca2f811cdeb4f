"""`shiftsmooth demo`."""

from __future__ import annotations

from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.table import Table

import modelzoo
from modelzoo.cli.options import ModelOption, example, load
from modelzoo.cli.terminal import console, errors

app = typer.Typer()


@app.command(**example("shiftsmooth demo -o demo"))
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; created if missing.")
    ] = Path("demo"),
    model: ModelOption = "moe-arid3a-foxm1-gata3",
) -> None:
    """Show predictions, gate weights and logos on sequences with planted GATA motifs.

    And which of the zoo's factors they look like.

    Needs no network and less than a minute.
    """
    from modelzoo.studies import demo as demonstration

    loaded = load(model, "cpu")
    with errors.status("predicting and attributing"):
        done = demonstration.run(loaded, output)
    table = Table(
        "mean over",
        *modelzoo.predict(loaded, ()).columns[1:],
        title=f"{model} on simulated sequences",
    )
    for label, predictions in (("planted", done.planted), ("plain", done.plain)):
        columns = zip(*(prediction.numbers for prediction in predictions))
        table.add_row(label, *(f"{mean(column):.3f}" for column in columns))
    console.print(table)
    alike = ", ".join(f"{factor} {value:.2f}" for factor, value in done.factors.items())
    console.print(f"The planted sequences look like: {alike}")
    for method, value in done.found.items():
        console.print(f"{method}: tells motif positions from others with AUROC {value:.3f}")
    console.print(f"Look at {done.page}", soft_wrap=True)
