"""`shiftsmooth evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from modelzoo.cli.options import DeviceOption, SeedOption, chosen, names
from modelzoo.cli.terminal import console, errors
from modelzoo.zoo import catalog

app = typer.Typer()


@app.command(epilog="Example: [b]shiftsmooth evaluate --quick -o report[/b]")
def evaluate(
    what: Annotated[
        Literal["models", "argminn"],
        typer.Argument(
            help="The models on the paper's test sets; or ARGMINN on planted motifs, which trains"
            " it first and takes --quick, --seed and --workers alone."
        ),
    ] = "models",
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; made if need be.")
    ] = Path("report"),
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A model of the catalog, once for each; by default the paper's four.",
            autocompletion=names,
        ),
    ] = None,
    protocol: Annotated[
        Literal["rigorous", "paper"], typer.Option(help="Whose statistics to make.")
    ] = "rigorous",
    quick: Annotated[bool, typer.Option("--quick", help="Small samples, wide intervals.")] = False,
    attributions: Annotated[bool, typer.Option(help="Evaluate attributions as well.")] = True,
    seed: SeedOption = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core by default.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Writes the paper's evaluation: tables, figures and a page, from the models and test files.

    Run again after a kill, it goes on where it was.
    """
    if what == "argminn":
        if model or protocol != "rigorous" or not attributions:
            raise typer.BadParameter("argminn takes --quick, --seed and --workers alone")
        from modelzoo.studies.planted import run as laboratory

        page = laboratory.evaluate(
            output, quick=quick, seed=seed, workers=workers, progress=errors.is_terminal
        )
        console.print(f"Look at {page}", soft_wrap=True)
        return
    from modelzoo.studies.peaks.report import evaluate

    for name in model or ():
        catalog.info(name)
    page = evaluate(
        output,
        protocol=protocol,
        quick=quick,
        models=model,
        attributions=attributions,
        seed=seed,
        workers=workers,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    console.print(f"Look at {page}", soft_wrap=True)
