"""`shiftsmooth train argminn`."""

from __future__ import annotations

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
    argument,
    chosen,
    example,
    peaks,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(**example("shiftsmooth train argminn rest -o runs/rest"))
def argminn(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A simulation ({simulations}, or a .toml file of one); a factor ({factors}); or a "
            "FASTA, .seq, BED or narrowPeak file of peaks.",
        ),
    ],
    output: RunOption,
    seed: SeedOption = 0,
    initialisations: Annotated[
        int, typer.Option(min=1, help="How many to train; validation chooses one.")
    ] = 3,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train ARGMINN, whose filters are motifs, on planted motifs or on peaks.

    After a kill, the same command resumes.
    """
    from modelzoo.training.argminn import train_argminn

    argument(
        train_argminn,
        peaks([source], genome, width, center, exclude)[0],
        out=output,
        seed=seed,
        initialisations=initialisations,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
