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
    BatchSizeOption,
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
    example,
    load,
    runs,
    window,
)
from modelzoo.cli.terminal import Rejects, errors, progress

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
    batch_size: BatchSizeOption = None,
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
            with _written(target) as file:
                count = write_tsv(file, made.columns, (one.cells() for one in found))
        errors.print(f"{count} predicted, {rejects}")
        skipped += rejects.count
    if skipped:
        raise typer.Exit(1)


@contextmanager
def _written(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there only once it is whole.

    A pipe or a device is written to: it cannot be replaced.
    """
    from modelzoo.files import replacing

    if path is None or str(path) == "-":
        yield sys.stdout
        sys.stdout.flush()
    elif path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as file:
            yield file
    else:
        with replacing(path) as part, part.open("w", encoding="utf-8") as file:
            yield file
