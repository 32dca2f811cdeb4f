"""`shiftsmooth attribute`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

import modelzoo
from modelzoo.cli.options import (
    DeviceOption,
    GenomeOption,
    ModelOption,
    SeedOption,
    SequencesArgument,
    argument,
    example,
    load,
    one_of,
)
from modelzoo.cli.terminal import Rejects, errors, progress

app = typer.Typer()


@app.command(**example("shiftsmooth attribute peaks.fa -m deepbind-gata3 --max-shift 10 -o out"))
def attribute(
    sequences: SequencesArgument,
    model: ModelOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; made if need be.")
    ],
    method: Annotated[
        str, typer.Option(**one_of("methods"), help="How to attribute: {methods}.")
    ] = "shiftsmooth",
    max_shift: Annotated[int, typer.Option(help="Shifts from -N to N.", min=0)] = 5,
    task: Annotated[
        str | None, typer.Option(help="The output to explain; the model's first by default.")
    ] = None,
    seed: SeedOption = 0,
    top: Annotated[int, typer.Option(help="How many logos to draw.", min=0)] = 20,
    genome: GenomeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Attribute a model's prediction to the letters of sequences of one length.

    Writes attributions.h5; one_hot.npz and hypothetical.npz for `modisco motifs -s -a`; logos of
    the sequences with the highest logits, and index.html to look through them. After a kill, the
    same command resumes.
    """
    from modelzoo.reports.attributions import write_attributions_page

    rejects = Rejects()
    file = argument(
        modelzoo.attribute,
        load(model, device),
        sequences,
        output,
        method=method,
        max_shift=max_shift,
        task=task,
        seed=seed,
        genome=genome,
        reject=rejects,
        track=_counted,
    )
    page = write_attributions_page(file, model, top)
    errors.print(f"{file.done} attributed, {rejects.count} skipped; see {page}")
    if rejects.count:
        raise typer.Exit(1)


def _counted(starts: range) -> Iterable[int]:
    if starts.start:
        errors.print(f"resuming after {starts.start} of {starts.stop}")
    return progress(starts, "attributing")
