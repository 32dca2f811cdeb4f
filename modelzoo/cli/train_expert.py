"""`shiftsmooth train expert`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from modelzoo.cli.options import (
    CenterOption,
    DeviceOption,
    ExcludeOption,
    GenomeOption,
    PeakWidthOption,
    RunOption,
    SeedOption,
    SourceArgument,
    argument,
    chosen,
    example,
    one_of,
    peaks,
)
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command(**example("shiftsmooth train expert GATA3 --seed 1 -o runs/gata3"))
def expert(
    source: SourceArgument,
    output: RunOption,
    architecture: Annotated[
        str,
        typer.Option(
            **one_of("experts"),
            help="One of {experts}. A tower is deeper, and slower to train; a DanQ expert is "
            "recurrent.",
        ),
    ] = "deepbind",
    params: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="TOML of hyper-parameters; those found for the factor by default.",
        ),
    ] = None,
    negatives: Annotated[
        Literal["shuffles", "others", "both"] | None,
        typer.Option(
            help="What peaks are told from: their dinucleotide shuffles, peaks of other factors, "
            "or both, half and half. As in the recipe by default.",
        ),
    ] = None,
    augment: Annotated[
        Literal["none", "shifts", "mutations", "both"] | None,
        typer.Option(
            help="Change sequences at random while training: roll them by up to 10 bases, change "
            "5 % of their letters, or both. As in the recipe by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1, help="Stop after this many epochs without a better score; 5 by default."
        ),
    ] = None,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train one expert on peaks against negatives.

    Peaks of other factors that have 40 bases in common with one of SOURCE are no negatives.

    After a kill, the same command resumes.
    """
    from modelzoo.datasets.peaks import task_of
    from modelzoo.training.expert import Recipe, train_expert

    if params is None:
        recipe = Recipe.found(task_of(source), architecture)
    else:
        recipe = argument(Recipe.from_toml, params.read_text(encoding="utf-8"), architecture)
    given: dict[str, Any] = {"negatives": negatives, "augment": augment, "patience": patience}
    changed = {name: value for name, value in given.items() if value is not None}
    recipe = recipe._replace(params=replace(recipe.params, **changed))
    argument(
        train_expert,
        peaks([source], genome, width, center, exclude)[0],
        out=output,
        architecture=architecture,
        recipe=recipe,
        seed=seed,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
