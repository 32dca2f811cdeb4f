"""The arguments and options that several commands share, and what a wrong one leads to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar

import typer

from modelzoo.zoo import catalog

if TYPE_CHECKING:
    from modelzoo.training.multitask import MultiTaskParams

P = ParamSpec("P")
T = TypeVar("T")

Device = Literal["auto", "cpu", "cuda"]


def names(incomplete: str) -> list[str]:
    """Return the models' names that begin like this, to complete one."""
    return [name for name in catalog.list_models() if name.startswith(incomplete)]


def _readable(path: Path) -> Path:
    """Refuse a file that is not there; typer's own check does not let - pass."""
    if str(path) != "-" and not path.is_file():
        raise typer.BadParameter(f"no such file: {str(path)!r}")
    return path


SequencesArgument = Annotated[
    Path,
    typer.Argument(
        metavar="SEQS",
        callback=_readable,
        help="FASTA, .seq or BED file, each also as .gz; or - for FASTA from standard input.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="A name that `shiftsmooth models` lists, a folder, or owner/repo on the Hub.",
        autocompletion=names,
    ),
]
GenomeOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="FASTA of the genome that a BED file's intervals lie in."
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE", help="ARID3A, FOXM1 or GATA3; or a FASTA or .seq file of peaks."
    ),
]
RunOption = Annotated[
    Path, typer.Option("--output", "-o", file_okay=False, help="The folder to write.")
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same result.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the model runs; auto: CUDA if there is.")]
DataOption = Annotated[
    list[str],
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A TSV or CSV table of id, sequence and a label a task; or, once for each, factors "
        "or files of peaks.",
    ),
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="The most epochs; the recipe's by default.")
]
LossOption = Annotated[
    Literal["binary", "multiclass", "mse", "poisson", "pearson"],
    typer.Option(help="What a table's labels are; multiclass takes a column of 0 and 1 a class."),
]


def argument(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return the function's value; a ValueError is the call's fault."""
    try:
        return function(*args, **kwargs)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def load(name: str, device: Device) -> Any:
    """Return a model on the device asked for."""
    from modelzoo.zoo import hub

    return hub.load(name, device=chosen(device))


def chosen(device: Device) -> str:
    """Return the device's name as torch knows it."""
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise typer.BadParameter("cuda; no CUDA device is available", param_hint="--device")
    return "cuda" if available and device != "cpu" else "cpu"


def recipe(name: str, loss: str, epochs: int | None) -> MultiTaskParams:
    """Return what a recipe says, with what the command line says instead."""
    from modelzoo.training.multitask import MultiTaskParams

    given = {} if epochs is None else {"epochs": epochs}
    return MultiTaskParams.of(name, loss=loss, **given)
