"""`shiftsmooth predict`."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import typer

import modelzoo
from modelzoo.cli.options import (
    BatchOption,
    DeviceOption,
    GenomeOption,
    ModelOption,
    SequencesArgument,
    TableOption,
    argument,
    distinct,
    example,
    load,
)
from modelzoo.cli.terminal import Rejects, errors, progress
from modelzoo.files import written

app = typer.Typer()


@app.command(**example("shiftsmooth predict peaks.fa.gz -m moe-arid3a-foxm1-gata3 -o out.tsv"))
def predict(
    sequences: SequencesArgument,
    model: ModelOption,
    genome: GenomeOption = None,
    output: TableOption = None,
    batch_size: BatchOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Write logit, probability and gate weights of every sequence, as TSV, in the file's order.

    Records that cannot be used are named on standard error and left out, and the exit code is 1.
    """
    from modelzoo.tracks.tsv import write_tsv

    distinct(output, sequences, genome)
    rejects = Rejects()
    made = argument(
        modelzoo.predict,
        load(model, device),
        sequences,
        genome=genome,
        batch_size=batch_size,
        reject=rejects,
    )
    with written(output) if output else nullcontext(sys.stdout) as file:
        rows = (prediction.cells() for prediction in progress(made, "predicting"))
        count = write_tsv(file, made.columns, rows)
        file.flush()
    errors.print(f"{count} predicted, {rejects.count} skipped")
    if rejects.count:
        raise typer.Exit(1)
