"""`shiftsmooth train explainn`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from modelzoo.cli.options import (
    DataOption,
    EpochsOption,
    LossOption,
    RunOption,
    SeedOption,
    argument,
    names,
    recipe,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(epilog="Example: [b]shiftsmooth train explainn --data my.tsv -o runs/mine[/b]")
def explainn(
    output: RunOption,
    data: DataOption = ["ARID3A", "FOXM1", "GATA3"],  # noqa: B006
    units: Annotated[int, typer.Option(min=1, help="How many units, each with a filter.")] = 100,
    filters: Annotated[
        Literal["random", "jaspar", "jaspar-frozen"],
        typer.Option(help="What the filters start as; frozen ones stay."),
    ] = "random",
    unit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A trained model in the place of units, once for each; it stays as it is.",
            autocompletion=names,
        ),
    ] = None,
    hidden: Annotated[
        int, typer.Option(min=0, help="Nodes of the layer after each such model; 0 for none.")
    ] = 0,
    loss: LossOption = "binary",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Trains an ExplaiNN: a linear model over small networks of one motif each.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.multitask import train_explainn, train_model_units
    from modelzoo.zoo.hub import load

    if unit:
        models = {name: load(name) for name in unit}
        params = recipe("explainn-models", loss, epochs)
        arguments: dict[str, Any] = {"hidden": hidden, "params": params}
        trainer: Callable[..., Path] = partial(train_model_units, models)
    else:
        params = recipe("explainn", loss, epochs)
        arguments = {"units": units, "filters": filters, "params": params}
        trainer = train_explainn
    argument(trainer, data, out=output, seed=seed, progress=errors.is_terminal, **arguments)
    errors.print(f"trained; try it with --model {output}")
