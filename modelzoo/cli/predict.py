"""`shiftsmooth predict`."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

import modelzoo
from modelzoo.cli.options import (
    BatchOption,
    BinsOption,
    CenterOption,
    DeviceOption,
    ExcludeOption,
    FilesOption,
    GenomeOption,
    InputOption,
    ModelOption,
    SequencesArgument,
    TrackOption,
    WeightsOption,
    WidthOption,
    argument,
    distinct,
    example,
    load,
    runs,
    window,
    writable,
)
from modelzoo.cli.terminal import Rejects, errors, progress
from modelzoo.files import written

app = typer.Typer()

FORMATS = ("tsv", "parquet", "h5ad")


def _known(formats: list[str] | None) -> list[str]:
    if wrong := [name for name in formats or () if name not in FORMATS]:
        raise typer.BadParameter(f"expected some of {', '.join(FORMATS)}, got {wrong[0]!r}")
    return formats or ["tsv"]


@app.command(**example("shiftsmooth predict peaks.fa.gz -m moe-arid3a-foxm1-gata3 -o out.tsv"))
def predict(
    model: ModelOption,
    sequences: SequencesArgument = None,
    files: FilesOption = None,
    genome: GenomeOption = None,
    width: WidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="A TSV file, standard output by default; for several files a folder.",
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            callback=_known,
            help="tsv, parquet or h5ad, once for each; they lie beside each other.",
        ),
    ] = None,
    weights: WeightsOption = None,
    layout: InputOption = None,
    track: TrackOption = None,
    bins: BinsOption = None,
    batch_size: BatchOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Write logit, probability and gate weights of every sequence, as TSV, in the file's order.

    Records that cannot be used are named on standard error and left out, and the exit code is 1.
    """
    from modelzoo.apply.predict import save_tables
    from modelzoo.tracks.tsv import write_tsv

    loaded = load(model, device, weights=weights, input=layout, track=track, bins=bins)
    chosen = formats or []
    tables = [name for name in chosen if name != "tsv"]
    if tables and output is None:
        raise typer.BadParameter("expected a file, for other formats", param_hint="--output")
    skipped = 0
    for path, target in runs(sequences, files, output, ".tsv"):
        target = writable(target)
        distinct(target, path, genome)
        rejects = Rejects()
        made = argument(
            modelzoo.predict,
            loaded,
            path,
            genome=genome,
            width=window(width, model, path),
            center=center,
            exclude=exclude,
            batch_size=batch_size,
            reject=rejects,
        )
        found = progress(made, "predicting")
        if tables and target is not None:
            found = list(found)
            save_tables(made, found, target, tables, {"model": model})
            count = len(found)
        if "tsv" in chosen:
            with written(target) if target else nullcontext(sys.stdout) as file:
                count = write_tsv(file, made.columns, (one.cells() for one in found))
                file.flush()
        errors.print(f"{count} predicted, {rejects}")
        skipped += rejects.count
    if skipped:
        raise typer.Exit(1)
