"""`shiftsmooth predict`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    named,
    parted,
    runs,
    say_share,
    window,
    writable,
)
from modelzoo.cli.terminal import Rejects, errors, progress
from modelzoo.files import is_stream, written
from modelzoo.jobs import Job, Where

if TYPE_CHECKING:
    from modelzoo.apply.inputs import Named, Source
    from modelzoo.apply.predict import Predictions

app = typer.Typer()

FORMATS = ("tsv", "parquet", "h5ad")


def _known(formats: list[str] | None) -> list[str]:
    if wrong := [name for name in formats or () if name not in FORMATS]:
        raise typer.BadParameter(f"expected some of {', '.join(FORMATS)}, got {wrong[0]!r}")
    return formats or ["tsv"]


@app.command(**example("shiftsmooth predict peaks.fa.gz -m moe-arid3a-foxm1-gata3 -o out.tsv"))
@parted
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
    *,
    where: Where,
) -> None:
    """Write logit, probability and gate weights of every sequence, as TSV, in the file's order.

    Records that cannot be used are named on standard error and left out, and the exit code is 1.
    After a kill, the same command resumes what it had begun with more than 2,048 sequences.
    """
    from modelzoo.apply.inputs import Source

    chosen = formats or []
    if output is None and [name for name in chosen if name != "tsv"]:
        raise typer.BadParameter("expected a file, for other formats", param_hint="--output")
    loaded = named(model, device, where, weights=weights, input=layout, track=track, bins=bins)
    skipped = 0
    for path, target in runs(sequences, files, output, ".tsv"):
        target = writable(target)
        distinct(target, path, genome)
        rejects = Rejects()
        from_file = Source(path, genome, window(width, model, path), center, exclude)
        with _predicted(loaded, from_file, target, where, batch_size, rejects) as made:
            if made is None:
                say_share(where, target)
                continue
            count = _write(made, target, chosen, model)
        errors.print(f"{count} predicted, {rejects}")
        skipped += rejects.count
    if skipped:
        raise typer.Exit(1)


@contextmanager
def _predicted(
    model: Named,
    source: Source,
    target: Path | None,
    where: Where,
    batch_size: int | None,
    rejects: Rejects,
) -> Iterator[Predictions | None]:
    """Yield the predictions of a file; None where this is a job of many."""
    from modelzoo.apply.inputs import is_pipe
    from modelzoo.apply.predict import predict_in_parts

    if target is None or str(source.path) == "-" or is_pipe(source.path) or is_stream(target):
        if where.asked:
            raise typer.BadParameter("expected files for SEQS and --output, to work in parts")
        made = None
    else:
        made = argument(predict_in_parts, model, source, batch_size=batch_size)
    if made is None or (len(made.works) < 2 and not where.asked):
        yield argument(
            modelzoo.predict,
            model.load(),
            source.path,
            **source.options(),
            batch_size=batch_size,
            reject=rejects,
        )
        return
    assert target is not None
    with Job(target, where) as job:
        contents = job.contents(
            made.works,
            made.key,
            description="predicting",
            progress=errors.is_terminal,
            on_gpu=model.device == "cuda",
        )
        yield None if contents is None else made.taken(contents, rejects)


def _write(made: Predictions, target: Path | None, formats: list[str], model: str) -> int:
    """Write predictions in the formats asked for; return how many there are."""
    from modelzoo.apply.prediction_tables import saving
    from modelzoo.tracks.tsv import write_tsv

    found = progress(made, "predicting")
    tables = [name for name in formats if name != "tsv"]
    with ExitStack() as stack:
        if tables and target is not None:
            saved = saving(made, found, target, tables, {"model": model})
            found = stack.enter_context(closing(saved))
        if "tsv" not in formats:
            return sum(1 for _ in found)
        file = stack.enter_context(written(target)) if target else sys.stdout
        count = write_tsv(file, made.columns, (one.cells() for one in found))
        file.flush()
    return count
