"""`shiftsmooth attribute`."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
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
    OverwriteOption,
    QualityOption,
    SeedOption,
    SequencesArgument,
    TrackOption,
    WeightsOption,
    WidthOption,
    argument,
    example,
    named,
    one_of,
    parted,
    runs,
    say_share,
    window,
)
from modelzoo.cli.terminal import Rejects, errors, progress
from modelzoo.jobs import Where

app = typer.Typer()


@app.command(**example("shiftsmooth attribute peaks.fa -m deepbind-gata3 --max-shift 10 -o out"))
@parted
def attribute(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; created if missing.")
    ],
    model: ModelOption,
    sequences: SequencesArgument = None,
    files: FilesOption = None,
    method: Annotated[
        str, typer.Option(**one_of("methods"), help="How to attribute; see above.")
    ] = "shiftsmooth",
    max_shift: Annotated[int, typer.Option(help="Shifts from -N to N.", min=0)] = 5,
    task: Annotated[
        str | None,
        typer.Option(help="The output to explain, by name or number; the first by default."),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="What to write besides attributions.h5, once for each: {formats}, hits. npz by "
            "default.",
        ),
    ] = None,
    spread: Annotated[
        bool, typer.Option("--spread", help="Also the standard deviation over shifts.")
    ] = False,
    quality: QualityOption = True,
    seed: SeedOption = 0,
    top: Annotated[int, typer.Option(help="How many sequences to draw.", min=0)] = 20,
    genome: GenomeOption = None,
    width: WidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    weights: WeightsOption = None,
    layout: InputOption = None,
    track: TrackOption = None,
    bins: BinsOption = None,
    batch_size: BatchOption = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    *,
    where: Where,
) -> None:
    """Attribute a model's prediction to the letters of sequences of one length.

    Writes attributions.h5; by default one_hot.npz and hypothetical.npz for `modisco motifs -s -a`;
    logos of the sequences with the highest outputs, and index.html to look through them, in a
    genome browser if they are intervals. After a kill, the same command resumes.

    Methods: {methods}.
    """
    from modelzoo.apply.hits import FDR, write_run_hits
    from modelzoo.reports.attributions import write_attributions_page
    from modelzoo.tracks.hits import SEQLET

    loaded = named(model, device, where, weights=weights, input=layout, track=track, bins=bins)
    chosen = formats or ["npz"]
    skipped = 0
    for path, folder in runs(sequences, files, output, ""):
        assert folder is not None  # the output is required
        rejects = Rejects()
        file = argument(
            modelzoo.attribute,
            loaded,
            path,
            folder,
            method=method,
            max_shift=max_shift,
            task=task,
            seed=seed,
            genome=genome,
            width=window(width, model, path),
            center=center,
            exclude=exclude,
            spread=spread,
            quality=quality,
            formats=[name for name in chosen if name != "hits"],
            about={"model": model, "command": shlex.join(["shiftsmooth", *where.command])},
            batch_size=batch_size,
            overwrite=overwrite,
            where=where,
            progress=errors.is_terminal,
            reject=rejects,
            track=_counted,
        )
        if where.part is not None:
            say_share(where, folder)
            continue
        with errors.status("writing hits and logos"):
            hits = write_run_hits(file, loaded.load()) if "hits" in chosen else None
            page = write_attributions_page(file, model, top, hits, overwrite=overwrite)
        if hits is not None and not (hits["name"] == SEQLET).any():
            errors.print(f"no seqlet at a false discovery rate of {FDR:g} against shuffles")
        errors.print(f"{file.done} attributed, {rejects}; see {page}")
        skipped += rejects.count
    if skipped:
        raise typer.Exit(1)


def _counted(starts: range) -> Iterable[int]:
    if starts.start:
        errors.print(f"resuming after {starts.start} of {starts.stop}")
    return progress(starts, "attributing", starts.stop - starts.start, starts.step)
