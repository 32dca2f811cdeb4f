"""`shiftsmooth attribute`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from modelzoo.cli.options import (
    DeviceOption,
    GenomeOption,
    ModelOption,
    SeedOption,
    SequencesArgument,
    argument,
    load,
    records,
)
from modelzoo.cli.terminal import Rejects, errors, progress

if TYPE_CHECKING:
    from modelzoo.apply.attribute import Attributions

app = typer.Typer()


@app.command(
    epilog="Example: [b]shiftsmooth attribute peaks.fa -m deepbind-gata3 --max-shift 10 -o out[/b]"
)
def attribute(
    sequences: SequencesArgument,
    model: ModelOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; made if need be.")
    ],
    method: Annotated[
        Literal["gradient", "smoothgrad", "shiftsmooth", "shiftsmooth-ig", "shift-and-noise"],
        typer.Option(
            help="How to attribute: shifts of the gradient, of Integrated Gradients, or with noise."
        ),
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
    """Attributes a model's prediction to the letters of sequences of one length.

    Writes attributions.h5; one_hot.npz and hypothetical.npz for `modisco motifs -s -a`; logos of
    the sequences with the highest logits, and index.html to look through them. Run again after a
    kill, it goes on where it was.
    """
    from modelzoo.apply.attribute import Attributions, collect
    from modelzoo.apply.predict import LONGEST

    loaded = load(model, device)
    rejects = Rejects()
    names, codes = collect(records(sequences, genome, LONGEST, rejects), rejects)
    attributions = argument(
        Attributions,
        output,
        loaded,
        names,
        codes,
        method=method,
        max_shift=max_shift,
        task=task,
        seed=seed,
    )
    if attributions.done:
        errors.print(f"going on after {attributions.done} of {len(names)}")
    attributions.run(lambda chunks: progress(chunks, "attributing"))
    attributions.save_npz()
    _draw_logos(attributions, output, top, str(model))
    errors.print(f"{len(names)} attributed, {rejects.count} skipped; see {output / 'index.html'}")
    if rejects.count:
        raise typer.Exit(1)


def _draw_logos(attributions: Attributions, output: Path, top: int, model: str) -> None:
    """Writes the logos of the sequences with the highest logits, and a page of them."""
    from modelzoo.reports.logo_page import Entry, write_page
    from shiftsmooth.plot import plot_logos

    folder = output / "logos"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    entries = []
    for rank, (name, logit, one_hot, scores) in enumerate(attributions.top(top), start=1):
        figure = plot_logos(scores, one_hot)
        # A record may be named anything; a file may not.
        safe = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)[:80]
        figure.savefig(folder / f"{rank:03d}_{safe}.svg")
        entries.append(Entry(name, {"logit": f"{logit:.3f}"}, figure))
    told = ("method", "max_shift", "task")
    facts = {"model": model, **{key: str(attributions.parameters[key]) for key in told}}
    write_page(output / "index.html", "Attributions", facts, entries)
