"""The arguments and options that several commands share, and what a wrong one leads to.

Which architectures, methods, simulations and losses there are, stands in their registries. These
import torch, so they are read when a command runs, or its own help or completion is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand

from modelzoo.zoo import catalog

if TYPE_CHECKING:
    from modelzoo.training.multitask import MultiTaskParams

P = ParamSpec("P")
T = TypeVar("T")

Device = Literal["auto", "cpu", "cuda"]


def names(incomplete: str) -> list[str]:
    """Return the models' names that begin like this, to complete one."""
    return [name for name in catalog.list_models() if name.startswith(incomplete)]


def _experts() -> Iterable[str]:
    from modelzoo.training.expert import PARAMS

    return PARAMS


def _baselines() -> Iterable[str]:
    from modelzoo.architectures import registered
    from modelzoo.architectures.baseline import Baseline

    return [*registered(Baseline), "dnabert"]


def _factors() -> Iterable[str]:
    from modelzoo.datasets.chipseq import FACTORS

    return FACTORS


def _losses() -> Iterable[str]:
    from modelzoo.training.losses import LOSSES

    return LOSSES


def _methods() -> Iterable[str]:
    from modelzoo.attribution.methods import METHODS

    return METHODS


def _simulations() -> Iterable[str]:
    from modelzoo.datasets.planted.simulation import simulations

    return simulations()


REGISTRIES: dict[str, Callable[[], Iterable[str]]] = {
    "experts": _experts,
    "baselines": _baselines,
    "factors": _factors,
    "losses": _losses,
    "methods": _methods,
    "simulations": _simulations,
}


class Command(TyperCommand):
    """A command in whose help `{methods}` and the like stand for what a registry holds."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the lists filled in and each paragraph in one line."""
        paragraphs = (self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        for parameter in self.params:
            text = getattr(parameter, "help", None) or ""
            parameter.help = re.sub(  # type: ignore[attr-defined]
                r"{(\w+)}", lambda found: ", ".join(REGISTRIES[found[1]]()), text
            )
        super().format_help(ctx, formatter)


def example(line: str) -> dict[str, Any]:
    """Return the arguments of a command, whose help ends with an example.

    Args:
        line: The example.
    """
    return {"cls": Command, "epilog": f"Example: [b]{line}[/b]"}


def one_of(registry: str) -> dict[str, Any]:
    """Return the arguments of an option that takes a name of a registry.

    Args:
        registry: A key of `REGISTRIES`.
    """

    def checked(name: str) -> str:
        known = list(REGISTRIES[registry]())
        if name not in known:
            raise typer.BadParameter(f"expected one of {', '.join(known)}, got {name!r}")
        return name

    def complete(incomplete: str) -> list[str]:
        return [name for name in REGISTRIES[registry]() if name.startswith(incomplete)]

    return {"metavar": "NAME", "callback": checked, "autocompletion": complete}


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
    typer.Argument(metavar="SOURCE", help="One of {factors}; or a FASTA or .seq file of peaks."),
]
RunOption = Annotated[
    Path, typer.Option("--output", "-o", file_okay=False, help="The folder to write.")
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same result.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the model runs; auto: CUDA if there is.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A TSV or CSV table of id, sequence and one label per task; or factors or files of "
        "peaks, with one --data for each. {factors} by default.",
    ),
]
EpochsOption = Annotated[
    int | None, typer.Option(min=1, help="The most epochs; the recipe's by default.")
]
LossOption = Annotated[
    str,
    typer.Option(
        **one_of("losses"),
        help="For the labels of a table: {losses}. multiclass takes one column of 0 and 1 per "
        "class.",
    ),
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


def sources(data: list[str] | None) -> list[str]:
    """Return what to train on: what is given, or else the factors."""
    return data or list(_factors())


def recipe(name: str, loss: str, epochs: int | None) -> MultiTaskParams:
    """Return what a recipe says, with what the command line says instead."""
    from modelzoo.training.multitask import MultiTaskParams

    given = {} if epochs is None else {"epochs": epochs}
    return MultiTaskParams.of(name, loss=loss, **given)
