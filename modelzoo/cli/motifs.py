"""`shiftsmooth motifs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from modelzoo.cli.options import (
    CenterOption,
    DeviceOption,
    ExcludeOption,
    GenomeOption,
    PeakWidthOption,
    RunOption,
    SeedOption,
    argument,
    chosen,
    example,
    parted,
    peaks,
    say_share,
)
from modelzoo.cli.terminal import console, errors
from modelzoo.jobs import Where

app = typer.Typer()


@app.command(**example("shiftsmooth motifs peaks.fa -o found"))
@parted
def motifs(
    output: RunOption,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SEQS",
            help="FASTA or .seq file of one length; intervals with --genome; or one of {factors}.",
        ),
    ] = None,
    from_attributions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Not from sequences but from the attributions.h5 of `shiftsmooth attribute`.",
        ),
    ] = None,
    units: Annotated[
        int | None, typer.Option(min=1, help="Motifs to look for in SEQS, 100 by default.")
    ] = None,
    release: Annotated[str, typer.Option(help="JASPAR's, to name motifs by.")] = "JASPAR2026",
    group: Annotated[
        str, typer.Option(help="Taxonomic group of it, such as vertebrates or plants; or all.")
    ] = "vertebrates",
    seed: SeedOption = 0,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
    *,
    where: Where,
) -> None:
    """Find motifs and name them: in sequences against their shuffles, or in attributions.

    Writes motifs (MEME, TSV), logos, JASPAR matches, instances, syntax, and index.html to look
    through them. After a kill, the same command resumes the training on sequences, which is no
    list of parts; TF-MoDISco on attributions is one part.
    """
    page: Path | None
    options: dict[str, Any] = {
        "release": release,
        "group": None if group == "all" else group,
        "progress": errors.is_terminal,
    }
    if source is not None and from_attributions is None:
        if where.asked:
            raise typer.BadParameter("a training has no parts; expected --from-attributions")
        from modelzoo.discovery.from_sequences import discover

        found = peaks([source], genome, width, center, exclude)[0]
        options |= {"units": units or 100, "seed": seed, "device": chosen(device)}
        page = argument(discover, found, output, **options)
    elif source is None and from_attributions is not None:
        from modelzoo.discovery.from_attributions import motifs_of_attributions

        if units is not None:
            raise typer.BadParameter("attributions decide how many", param_hint="--units")
        page = argument(motifs_of_attributions, from_attributions, output, where=where, **options)
    else:
        raise typer.BadParameter("expected either SEQS or --from-attributions")
    if page is None:
        say_share(where, output)
    else:
        console.print(f"Look at {page}", soft_wrap=True)
