"""`shiftsmooth scan`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

import modelzoo
from modelzoo.cli.options import (
    BinsOption,
    DeviceOption,
    InputOption,
    ModelOption,
    QualityOption,
    TrackOption,
    WeightsOption,
    argument,
    example,
    named,
    parted,
    say_share,
)
from modelzoo.cli.terminal import errors
from modelzoo.jobs import Where

app = typer.Typer()


@app.command(**example("shiftsmooth scan genome.fa -m deepbind-gata3 --step 10 -o scan"))
@parted
def scan(
    genome: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="FASTA, plain or bgzipped, or 2bit."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; created if missing.")
    ],
    model: ModelOption,
    step: Annotated[
        int, typer.Option(min=1, help="Bases from the start of a window to that of the next.")
    ] = 1,
    width: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The width of a window; by default the length that a model of the catalog was "
            "trained on.",
        ),
    ] = None,
    regions: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="BED or a table of what to scan; all by default."
        ),
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="The output, by name or number; the first by default.")
    ] = None,
    strands: Annotated[int, typer.Option(min=1, max=2, help="2 averages over both strands.")] = 2,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="What to write, once for each: {scans}. bigwig by default.",
        ),
    ] = None,
    quality: QualityOption = True,
    weights: WeightsOption = None,
    layout: InputOption = None,
    track: TrackOption = None,
    bins: BinsOption = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the tracks that the folder holds.")
    ] = False,
    device: DeviceOption = "auto",
    *,
    where: Where,
) -> None:
    """Slide a model along a genome: a prediction per window, an attribution per base.

    Writes predictions.bw and attributions.bw, or the files of other formats. A base is averaged
    over all windows that hold it. After a kill, the same command resumes.
    """
    from modelzoo.tracks.scanned import chosen

    formats = formats or ["bigwig"]
    wanted = argument(chosen, formats)
    loaded = named(model, device, where, weights=weights, input=layout, track=track, bins=bins)
    tracks = argument(
        modelzoo.scan,
        loaded,
        genome,
        output,
        step=step,
        width=width,
        regions=regions,
        task=task,
        strands=strands,
        quality=quality,
        formats=formats,
        about={"command": shlex.join(["shiftsmooth", *where.command])},
        where=where,
        overwrite=overwrite,
        progress=errors.is_terminal,
    )
    if tracks is None:
        say_share(where, output)
        return
    errors.print(f"see {' and '.join(str(path) for one in wanted for path in one.paths(output))}")
