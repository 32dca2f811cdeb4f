"""`shiftsmooth check`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelzoo.cli.options import (
    BinsOption,
    DeviceOption,
    GenomeOption,
    InputOption,
    TrackOption,
    WeightsOption,
    WidthOption,
    argument,
    example,
    load,
    names,
    window,
)
from modelzoo.cli.terminal import Rejects, console, errors

app = typer.Typer()


@app.command(**example("shiftsmooth check deepbind-gata3 peaks.fa --picture shifts.png"))
def check(
    model: Annotated[
        str,
        typer.Argument(metavar="MODEL", help="As for --model of predict.", autocompletion=names),
    ],
    sequences: Annotated[
        Path | None,
        typer.Argument(metavar="[SEQUENCES]", help="As for predict; random sequences by default."),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The output to explain, by name or number; the first by default."),
    ] = None,
    max_shift: Annotated[int, typer.Option(help="The largest N to try.", min=1)] = 10,
    genome: GenomeOption = None,
    width: WidthOption = None,
    weights: WeightsOption = None,
    layout: InputOption = None,
    track: TrackOption = None,
    bins: BinsOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", file_okay=False, help="A folder for a page, index.html, check.json."
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(dir_okay=False, help="A file for everything, as JSON.")
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(dir_okay=False, help="A PNG, SVG or PDF: the first sequence, moved."),
    ] = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="End with 3 where the model needs ShiftSmooth.")
    ] = False,
    device: DeviceOption = "auto",
) -> None:
    """Tell whether a model needs ShiftSmooth, with which N, and what in the model is the reason."""
    from modelzoo.apply.check import check as run
    from modelzoo.files import write_atomically
    from modelzoo.reports.check import write_check_page
    from modelzoo.zoo.adapters import task_index
    from shiftsmooth.plot import plot_shifts

    loaded = load(model, device, weights=weights, input=layout, track=track, bins=bins)
    rejects = Rejects()
    found, module, x = argument(
        run,
        loaded,
        sequences,
        task=task,
        max_shift=max_shift,
        genome=genome,
        width=width if sequences is None else window(width, model, sequences),
        reject=rejects,
    )
    console.print(found.verdict, soft_wrap=True, markup=False, highlight=False)
    for broken in found.breaks:
        console.print(f"  {broken}", soft_wrap=True, markup=False, highlight=False)
    if json is not None:
        write_atomically(json, f"{found.to_json()}\n".encode())
    if picture is not None or output is not None:
        target = task_index(module.tasks, task)  # type: ignore[arg-type]
        figure = plot_shifts(module, x[0], target, max_shift=found.max_shift or None)
        if picture is not None:
            figure.savefig(picture)
        if output is not None:
            command = shlex.join(["shiftsmooth", *sys.argv[1:]])
            page = write_check_page(output, found, figure, model, command)
            errors.print(f"see {page}")
    if rejects.count:
        errors.print(f"{rejects}")
    if exit_code and found.needed:
        raise typer.Exit(3)
