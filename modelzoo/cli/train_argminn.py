"""`shiftsmooth train argminn`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelzoo.cli.options import RunOption, SeedOption, argument, example
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(**example("shiftsmooth train argminn rest -o runs/rest"))
def argminn(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A simulation ({simulations}, or a .toml file of one); a factor ({factors}); or a "
            "FASTA or .seq file of peaks.",
        ),
    ],
    output: RunOption,
    seed: SeedOption = 0,
    initialisations: Annotated[
        int, typer.Option(min=1, help="How many to train; validation chooses one.")
    ] = 3,
) -> None:
    """Train ARGMINN, whose filters are motifs, on planted motifs or on peaks.

    After a kill, the same command resumes.
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
