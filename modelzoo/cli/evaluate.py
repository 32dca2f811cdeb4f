"""`shiftsmooth evaluate`: of the models, of ARGMINN, or of attribution methods against truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from modelzoo.cli.options import DeviceOption, SeedOption, chosen, example, names, parted, say_share
from modelzoo.cli.terminal import console, errors
from modelzoo.jobs import Where
from modelzoo.zoo import catalog


class _Models(TyperGroup):
    """A group whose command `models` may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Add the command where options come first."""
        if not args or (args[0].startswith("-") and args[0] not in ("-h", "--help")):
            args = ["models", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="evaluate",
    cls=_Models,
    help="Write the paper's evaluation, as tables, figures and a page. `evaluate` alone is "
    "`evaluate models`.",
)

OutputOption = Annotated[
    Path, typer.Option("--output", "-o", file_okay=False, help="A folder; created if missing.")
]


@app.command(**example("shiftsmooth evaluate models --quick -o report"))
@parted
def models(
    output: OutputOption = Path("report"),
    model: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A model of the catalog, with one -m for each; the paper's four by default.",
            autocompletion=names,
        ),
    ] = None,
    protocol: Annotated[
        Literal["rigorous", "paper"], typer.Option(help="Which statistics to compute.")
    ] = "rigorous",
    quick: Annotated[bool, typer.Option("--quick", help="Small samples, wide intervals.")] = False,
    attributions: Annotated[bool, typer.Option(help="Evaluate attributions as well.")] = True,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    *,
    where: Where,
) -> None:
    """Evaluate models on the paper's test files: performance and attributions.

    After a kill, the same command resumes.
    """
    from modelzoo.studies.peaks.evaluate import evaluate

    for name in model or ():
        catalog.info(name)
    page = evaluate(
        output,
        protocol=protocol,
        quick=quick,
        models=model,
        attributions=attributions,
        seed=seed,
        where=where,
        device=chosen(device),
        progress=errors.is_terminal,
    )
    _say(page, where, output)


@app.command(**example("shiftsmooth evaluate argminn --quick -o planted"))
@parted
def argminn(
    output: OutputOption = Path("report"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Hardly train; shows that everything works.")
    ] = False,
    seed: SeedOption = 0,
    *,
    where: Where,
) -> None:
    """Train ARGMINN and other models on planted motifs, and measure what they find.

    After a kill, the same command resumes.
    """
    from modelzoo.studies.planted.evaluate import evaluate

    page = evaluate(
        output,
        quick=quick,
        seed=seed,
        where=where,
        progress=errors.is_terminal,
    )
    _say(page, where, output)


@app.command(**example("shiftsmooth evaluate benchmark --quick -o benchmark"))
@parted
def benchmark(
    output: OutputOption = Path("report"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Hardly train; shows that everything works.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, max=999, help="Models of each kind on each set; by default 3, 1 if quick."
        ),
    ] = None,
    seed: SeedOption = 0,
    *,
    where: Where,
) -> None:
    """Compare attribution methods on models and sequences whose truth is known.

    Nine architectures learn eight sets of known rules, and each method explains the same sequences.
    After a kill, the same command resumes. With more --seeds it adds to what is there.
    """
    from modelzoo.studies.benchmark.evaluate import evaluate

    page = evaluate(
        output,
        quick=quick,
        seeds=seeds,
        seed=seed,
        where=where,
        progress=errors.is_terminal,
    )
    _say(page, where, output)


def _say(page: Path | None, where: Where, output: Path) -> None:
    if page is None:
        say_share(where, output)
    else:
        console.print(f"Look at {page}", soft_wrap=True)
