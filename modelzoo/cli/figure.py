"""`shiftsmooth figure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelzoo.cli.options import argument, example, writable
from modelzoo.cli.terminal import console, errors

app = typer.Typer()


@app.command(**example("shiftsmooth figure explained --peak chr8:100-201 -o figure2.pdf"))
def figure(
    folder: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="What `shiftsmooth attribute` wrote."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A .pdf, .svg or .png file.")],
    peak: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The peak to draw, by its name or the chrom:start-end of its window; the one with "
            "the highest output by default.",
        ),
    ] = None,
    mm: Annotated[
        float,
        typer.Option(min=60, max=1000, help="The figure's width: 89 or 183 in most journals."),
    ] = 183,
) -> None:
    """Draw one peak for a paper, over its genomic positions, and print a paragraph of methods.

    Motifs are boxed where the run has hits (--format hits). Text in PDF and SVG can be edited.
    """
    import pandas

    from modelzoo.reports.paper import methods, peak_figure, save_for_paper
    from modelzoo.tracks.h5 import read_one

    if writable(output) is None:
        raise typer.BadParameter("expected a file, whose name tells the format, got -")
    one, about = argument(read_one, folder / "attributions.h5", peak)
    table = folder / "hits.tsv"
    hits = pandas.read_csv(table, sep="\t") if table.is_file() else None
    if hits is None:
        errors.print(f"no motif is boxed: {table} is made by `attribute --format hits`")
    drawn = peak_figure(one, str(about.get("output", "logit")), hits, width=mm)
    argument(save_for_paper, drawn, output)
    text = methods(about, one.one_hot.shape[1], hits)
    console.print(text, soft_wrap=True, markup=False, highlight=False)
