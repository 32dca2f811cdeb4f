"""`shiftsmooth train baseline`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from modelzoo.cli.options import (
    DataOption,
    EpochsOption,
    LossOption,
    RunOption,
    SeedOption,
    argument,
    recipe,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(epilog="Example: [b]shiftsmooth train baseline danq -o runs/danq[/b]")
def baseline(
    name: Annotated[
        Literal["cnn1", "cnn1exp", "deepcnn", "danq", "deepstarr", "dnabert"],
        typer.Argument(metavar="NAME", help="cnn1, cnn1exp, deepcnn, danq, deepstarr or dnabert."),
    ],
    output: RunOption,
    data: DataOption = ["ARID3A", "FOXM1", "GATA3"],  # noqa: B006
    bert: Annotated[
        str | None,
        typer.Option(
            help="For dnabert: the folder or repository of its BERT; DNABERT's on the Hub by "
            "default."
        ),
    ] = None,
    loss: LossOption = "binary",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Trains a baseline: one of the ExplaiNN paper's networks, or DNABERT.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.multitask import train_baseline

    argument(
        train_baseline,
        name,
        data,
        out=output,
        bert=bert,
        params=recipe(name, loss, epochs),
        seed=seed,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
