"""`shiftsmooth train moe`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
    names,
    peaks,
)
from modelzoo.cli.terminal import errors

if TYPE_CHECKING:
    from modelzoo.architectures.expert import Expert

app = typer.Typer()


@app.command(**example("shiftsmooth train moe ARID3A FOXM1 GATA3 -o runs/moe"))
def moe(
    experts: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERTS",
            help="Data sets, for their DeepBind experts; or names or folders of any experts.",
            autocompletion=names,
        ),
    ],
    output: RunOption,
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--peaks",
            exists=True,
            dir_okay=False,
            help="A file of peaks to train on, with one --peaks for each; those of the experts' "
            "factors by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(help="Of the experts while the gate is trained; bfloat16 can halve the time."),
    ] = "float32",
    epochs: Annotated[int, typer.Option(min=1, help="The most epochs.")] = 500,
    per_factor: Annotated[
        int | None,
        typer.Option(min=1, help="The most peaks of each factor to train on; all by default."),
    ] = None,
    shuffles: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Shuffles of each peak, each embedded once, which epochs take in turn; a new one "
            "in every epoch by default.",
        ),
    ] = None,
    genome: GenomeOption = None,
    width: PeakWidthOption = None,
    center: CenterOption = None,
    exclude: ExcludeOption = None,
    device: DeviceOption = "auto",
) -> None:
    """Train the gate of a mixture over frozen experts.

    After a kill, the same command resumes.
    """
    from modelzoo.architectures.expert import Expert
    from modelzoo.datasets.chipseq import sets
    from modelzoo.training.mixture import GateParams, named, train_moe
    from modelzoo.zoo.hub import load

    loaded: list[Expert] = []
    for name in experts:
        model = load(f"deepbind-{name.lower()}" if name in sets("train") else name)
        if not isinstance(model, Expert):
            raise typer.BadParameter(f"{name} is no expert", param_hint="EXPERTS")
        loaded.append(model)
    argument(
        train_moe,
        named(loaded),
        out=output,
        sources=peaks(files or (), genome, width, center, exclude) or None,
        params=GateParams(
            precision=precision, epochs=epochs, per_factor=per_factor, shuffles=shuffles
        ),
        seed=seed,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")
