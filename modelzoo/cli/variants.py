"""`shiftsmooth variants`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelzoo.cli.options import (
    BinsOption,
    DeviceOption,
    InputOption,
    ModelOption,
    OverwriteOption,
    QualityOption,
    TrackOption,
    WeightsOption,
    argument,
    example,
    named,
    parted,
    say_share,
)
from modelzoo.cli.terminal import Rejects, errors
from modelzoo.jobs import Where

app = typer.Typer()


@app.command(
    **example("shiftsmooth variants calls.vcf.gz --genome hg38.fa -m deepbind-gata3 -o effects")
)
@parted
def variants(
    vcf: Annotated[
        Path,
        typer.Argument(
            metavar="VCF",
            exists=True,
            dir_okay=False,
            help="Variants, plain, gzipped or bgzipped; alleles in letters.",
        ),
    ],
    genome: Annotated[
        Path,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="The genome that they lie in: FASTA, plain or bgzipped, or 2bit.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; created if missing.")
    ],
    model: ModelOption,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--tasks",
            metavar="TASK",
            help="An output to score, by name or number, once for each; all by default.",
        ),
    ] = None,
    max_shift: Annotated[
        int, typer.Option(help="Windows have the variant up to N off their middle.", min=0)
    ] = 5,
    width: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The width of a window; by default the length that a model of the catalog was "
            "trained on.",
        ),
    ] = None,
    attributions: Annotated[
        bool,
        typer.Option(
            "--attributions", help="Also maps of REF, of ALT and their difference, for one task."
        ),
    ] = False,
    quality: QualityOption = True,
    weights: WeightsOption = None,
    layout: InputOption = None,
    track: TrackOption = None,
    bins: BinsOption = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
    *,
    where: Where,
) -> None:
    """Score variants: ALT minus REF, the mean over the windows that hold them, and its spread.

    Writes effects.tsv, effects.parquet and effects.vcf.gz, the VCF file with effect, spread and z
    in INFO. After a kill, the same command resumes. Alleles that cannot be scored are named on
    standard error and left out, and the exit code is 1.
    """
    from modelzoo.apply.variant_run import VariantRun
    from modelzoo.apply.variants import score

    loaded = named(model, device, where, weights=weights, input=layout, track=track, bins=bins)
    rejects = Rejects()
    run = argument(
        VariantRun,
        loaded,
        vcf,
        output,
        genome=genome,
        tasks=tasks,
        max_shift=max_shift,
        width=width,
        overwrite=overwrite,
        reject=rejects,
    )
    count = argument(
        score,
        run,
        attributions=attributions,
        quality=quality,
        about={"model": model},  # not the command: files are the same whoever did which parts
        where=where,
        progress=errors.is_terminal,
        overwrite=overwrite,
    )
    if count is None:
        say_share(where, output)
        return
    errors.print(f"{count} scored, {rejects}; see {output / 'effects.tsv'}")
    if rejects.count:
        raise typer.Exit(1)
