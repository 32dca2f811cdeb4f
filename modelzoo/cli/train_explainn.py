"""`shiftsmooth train explainn`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from modelzoo.cli.options import (
    CenterOption,
    DataOption,
    DeviceOption,
    EpochsOption,
    ExcludeOption,
    GenomeOption,
    LossOption,
    PeakWidthOption,
    RunOption,
    SeedOption,
    argument,
    chosen,
    example,
    names,
    peaks,
    recipe,
    sources,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(**example("shiftsmooth train explainn --data my.tsv -o runs/mine"))
def explainn(
    output: RunOption,
    data: DataOption = None,
    units: Annotated[int, typer.Option(min=1, help="How many units, each with a filter.")] = 100,
    filters: Annotated[
        Literal["random", "jaspar", "jaspar-frozen"],
        typer.Option(help="What the filters start as; frozen ones are not trained."),
    ] = "random",
    unit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A trained model to take in place of units, with one --unit for each; its weights "
            "stay as they are.",
            autocompletion=names,
        ),
    ] = None,
    hidden: Annotated[
        int, typer.Option(min=0, help="Nodes of the layer after each such model; 0 for none.")
    ] = 0,
    loss: LossOption = "binary",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train an ExplaiNN: a linear model over small networks of one motif each.

    After a kill, the same command resumes.
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
    argument(
        trainer,
        peaks(sources(data), genome, width, center, exclude),
        out=output,
        seed=seed,
        device=chosen(device),
        progress=errors.is_terminal,
        **arguments,
    )
    errors.print(f"trained; try it with --model {output}")
