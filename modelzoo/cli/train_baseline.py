"""`shiftsmooth train baseline`."""

from __future__ import annotations

from typing import Annotated

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
    one_of,
    peaks,
    recipe,
    sources,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(**example("shiftsmooth train baseline danq -o runs/danq"))
def baseline(
    name: Annotated[str, typer.Argument(**one_of("baselines"), help="One of {baselines}.")],
    output: RunOption,
    data: DataOption = None,
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
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train a baseline: one of the ExplaiNN paper's networks, or DNABERT.

    After a kill, the same command resumes.
    """
    from modelzoo.training.multitask import train_baseline

    argument(
        train_baseline,
        name,
        peaks(sources(data), genome, width, center, exclude),
        out=output,
        bert=bert,
        params=recipe(name, loss, epochs),
        seed=seed,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
