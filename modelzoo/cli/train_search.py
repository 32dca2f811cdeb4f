"""`shiftsmooth train search`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelzoo.cli.options import (
    CenterOption,
    DeviceOption,
    ExcludeOption,
    GenomeOption,
    PeakWidthOption,
    RunOption,
    SeedOption,
    SourceArgument,
    argument,
    chosen,
    example,
    peaks,
)
from modelzoo.cli.terminal import console, errors

app = typer.Typer()


@app.command(**example("shiftsmooth train search GATA3 --trials 40 -o found"))
def search(
    source: SourceArgument,
    output: RunOption,
    trials: Annotated[int, typer.Option(min=1, help="How many in all.")] = 40,
    seed: SeedOption = 0,
    storage: Annotated[
        Path | None, typer.Option(help="Optuna journal; with it, a stopped search goes on.")
    ] = None,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Search for an expert's hyper-parameters, by validation AUC alone."""
    from modelzoo.training.search import search

    best = argument(
        search,
        peaks([source], genome, width, center, exclude)[0],
        trials,
        out=output,
        seed=seed,
        storage=storage,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    console.print(best.to_toml(), end="", markup=False, highlight=False)
