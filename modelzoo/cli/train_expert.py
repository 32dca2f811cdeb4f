"""`shiftsmooth train expert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from modelzoo.cli.options import RunOption, SeedOption, SourceArgument, argument
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(epilog="Example: [b]shiftsmooth train expert GATA3 --seed 1 -o runs/gata3[/b]")
def expert(
    source: SourceArgument,
    output: RunOption,
    architecture: Annotated[
        Literal["deepbind", "tower", "danq-expert"],
        typer.Option(help="A tower is deeper, and slower to train; a DanQ expert is recurrent."),
    ] = "deepbind",
    params: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="TOML of hyper-parameters; those found for the factor by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after so many epochs that bring nothing.")
    ] = 5,
) -> None:
    """Trains one expert on peaks against their dinucleotide shuffles.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.expert import PARAMS, train_expert

    chosen = None
    if params is not None:
        chosen = argument(PARAMS[architecture].from_toml, params.read_text(encoding="utf-8"))
    argument(
        train_expert,
        source,
        out=output,
        architecture=architecture,
        params=chosen,
        seed=seed,
        patience=patience,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
