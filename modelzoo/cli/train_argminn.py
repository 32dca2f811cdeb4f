"""`shiftsmooth train argminn`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelzoo.cli.options import RunOption, SeedOption, argument
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(epilog="Example: [b]shiftsmooth train argminn rest -o runs/rest[/b]")
def argminn(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A simulation, spi1, tal-gata, e2f6, rest or a .toml file of one; ARID3A, FOXM1 or"
            " GATA3; or a FASTA or .seq file of peaks.",
        ),
    ],
    output: RunOption,
    seed: SeedOption = 0,
    initialisations: Annotated[
        int, typer.Option(min=1, help="How many to train; validation chooses one.")
    ] = 3,
) -> None:
    """Trains ARGMINN, whose filters are motifs, on planted motifs or on peaks.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.argminn import train_argminn

    argument(
        train_argminn,
        source,
        out=output,
        seed=seed,
        initialisations=initialisations,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
