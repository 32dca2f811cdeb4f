"""`shiftsmooth predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated

import typer

import modelzoo
from modelzoo.cli.options import (
    DeviceOption,
    GenomeOption,
    ModelOption,
    SequencesArgument,
    argument,
    example,
    load,
)
from modelzoo.cli.terminal import Rejects, errors, progress

app = typer.Typer()


@app.command(**example("shiftsmooth predict peaks.fa.gz -m moe-arid3a-foxm1-gata3 -o out.tsv"))
def predict(
    sequences: SequencesArgument,
    model: ModelOption,
    genome: GenomeOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A TSV file; standard output by default.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Write logit, probability and gate weights of every sequence, as TSV, in the file's order.

    Records that cannot be used are named on standard error and left out, and the exit code is 1.
    """
    from modelzoo.tracks.tsv import write_tsv

    rejects = Rejects()
    made = argument(modelzoo.predict, load(model, device), sequences, genome=genome, reject=rejects)
    with _written(output) as file:
        rows = (prediction.cells() for prediction in progress(made, "predicting"))
        count = write_tsv(file, made.columns, rows)
    errors.print(f"{count} predicted, {rejects.count} skipped")
    if rejects.count:
        raise typer.Exit(1)


@contextmanager
def _written(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there only once it is whole."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
