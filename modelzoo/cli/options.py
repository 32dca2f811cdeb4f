"""The arguments and options that several commands share, and what a wrong one leads to.

Which architectures, methods, simulations and losses there are, stands in their registries. These
import torch, so they are read when a command runs, or its own help or completion is asked for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand

from modelzoo.zoo import catalog

if TYPE_CHECKING:
    from modelzoo.datasets.peaks import Source
    from modelzoo.training.multitask import MultiTaskParams

P = ParamSpec("P")
T = TypeVar("T")

Device = Literal["auto", "cpu", "cuda"]


def names(incomplete: str) -> list[str]:
    """Return the models' names that begin like this, to complete one."""
    return [name for name in catalog.list_models() if name.startswith(incomplete)]


def _experts() -> Iterable[str]:
    from modelzoo.architectures import registered
    from modelzoo.architectures.expert import Expert

    return registered(Expert)


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
    from modelzoo.datasets.planted import simulations

    return simulations()


def _formats() -> Iterable[str]:
    from modelzoo.tracks.formats import FORMATS

    return FORMATS


REGISTRIES: dict[str, Callable[[], Iterable[str]]] = {
    "experts": _experts,
    "baselines": _baselines,
    "factors": _factors,
    "losses": _losses,
    "formats": _formats,
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
    if str(path) == "-":
        if sys.stdin is None:
            raise typer.BadParameter("standard input is closed")
    elif not path.exists():
        raise typer.BadParameter(f"no such file: {str(path)!r}")
    elif path.is_dir():
        raise typer.BadParameter(f"expected a file, got a folder: {str(path)!r}")
    return path


def _all_readable(paths: list[Path] | None) -> list[Path]:
    return [_readable(path) for path in paths or ()]


def writable(path: Path | None) -> Path | None:
    """Refuse a file in a folder that is not there; - is standard output."""
    if path is None or str(path) == "-":
        if sys.stdout is None:
            raise typer.BadParameter("standard output is closed")
        return None
    if not path.parent.is_dir():
        raise typer.BadParameter(f"no such folder: {str(path.parent)!r}")
    if path.is_dir():
        raise typer.BadParameter(f"expected a file, got a folder: {str(path)!r}")
    return path


def distinct(output: Path | None, *inputs: Path | None) -> None:
    """Refuse an output that is one of the inputs, under whatever name."""
    for given in inputs:
        if output and given and output.is_file() and given.exists() and output.samefile(given):
            raise typer.BadParameter(
                f"expected another file than the input, got {str(output)!r}", param_hint="--output"
            )


SequencesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="SEQS...",
        callback=_all_readable,
        help="FASTA, .seq, BED, narrowPeak or broadPeak files, or .tsv or .csv tables with chrom, "
        "start and end, each also as .gz; or - for FASTA from standard input. Each of several "
        "files has its own results.",
    ),
]
FilesOption = Annotated[
    Path | None,
    typer.Option(
        "--files", exists=True, dir_okay=False, help="A text file with the names of more files."
    ),
]
WidthOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Of the windows around intervals; by default the length that a model of the catalog "
        "was trained on.",
    ),
]
PeakWidthOption = Annotated[
    int | None,
    typer.Option(
        "--width", min=1, help="Of the windows around intervals; by default, all of an interval."
    ),
]
CenterOption = Annotated[
    Literal["summit", "middle"] | None,
    typer.Option(help="Of a window; by default the summit where the file has one."),
]
ExcludeOption = Annotated[
    Path | None,
    typer.Option(
        exists=True, dir_okay=False, help="BED of regions; windows that overlap one are left out."
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="For module:callable: .safetensors, or a state dict without other objects.",
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        metavar="LAYOUT",
        help="The layout that the model takes: (B,4,L), (B,L,4) or (B,1,4,L).",
    ),
]
TrackOption = Annotated[
    str | None,
    typer.Option(
        "--track", metavar="N", help="The output track to use, from 0; or first:last+1 for a mean."
    ),
]
BinsOption = Annotated[
    str | None, typer.Option("--bins", metavar="FIRST:LAST+1", help="The output bins to average.")
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="NAME",
        help="A name that `shiftsmooth models` lists, a folder, or owner/repo on the Hub; or your "
        "own, module:callable or file.py:callable, which imports your code.",
        autocompletion=names,
    ),
]
TableOption = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        callback=writable,
        help="A TSV file; standard output by default, and for -.",
    ),
]
BatchOption = Annotated[
    int | None,
    typer.Option(min=1, help="The most sequences at once; by default, what fits their length."),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Start anew where the folder holds another run.")
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; one per core by default.")
]
GenomeOption = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        help="The genome that intervals lie in: FASTA, plain or bgzipped, or 2bit.",
    ),
]
SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="One of {factors}; or a FASTA, .seq, BED or narrowPeak file of peaks.",
    ),
]
RunOption = Annotated[
    Path, typer.Option("--output", "-o", file_okay=False, help="The folder to write.")
]
SeedOption = Annotated[int, typer.Option(min=0, help="The same seed gives the same result.")]
DeviceOption = Annotated[Device, typer.Option(help="Where the model runs; auto: CUDA if there is.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data",
        metavar="SOURCE",
        help="A TSV or CSV table of id, sequence and one label per task; or factors or files of "
        "peaks, with one --data for each. With --genome, tables are of chrom, start and end. "
        "{factors} by default.",
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


def load(name: str, device: Device, **options: Any) -> Any:
    """Return a model on the device asked for.

    Args:
        name: What `--model` is given.
        device: What `--device` is given.
        options: See `modelzoo.zoo.adapters.load_any`.
    """
    from modelzoo.zoo.adapters import load_any
    from modelzoo.zoo.hub import WeightsError

    try:
        return load_any(name, device=chosen(device), **options)
    except WeightsError:  # the call is right, the file is not
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def runs(
    given: list[Path] | None, files: Path | None, output: Path | None, suffix: str
) -> list[tuple[Path, Path | None]]:
    """Return each file of sequences with the path of its results.

    The results of a single file are the output itself. Those of one of several files lie in the
    output folder, under the file's name.

    Args:
        given: On the command line.
        files: A list of more.
        output: What `--output` is given.
        suffix: Of each of several results.
    """
    listed = files.read_text(encoding="utf-8").splitlines() if files else []
    paths = [*(given or ()), *(_readable(Path(line)) for line in listed if line.strip())]
    if not paths:
        raise typer.BadParameter("expected at least one file of sequences", param_hint="SEQS")
    if len(paths) == 1:
        return [(paths[0], output)]
    if output is None:
        raise typer.BadParameter("expected a folder, for several files", param_hint="--output")
    stems = [Path(path.name.removesuffix(".gz")).stem for path in paths]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise typer.BadParameter(f"expected names that differ, got {twice[0]!r} again")
    output.mkdir(parents=True, exist_ok=True)
    return [(path, output / f"{stem}{suffix}") for path, stem in zip(paths, stems)]


def peaks(
    sources: Iterable[str | Path],
    genome: Path | None,
    width: int | None,
    center: Any,
    exclude: Path | None,
) -> list[Source]:
    """Return sources of peaks; those that are files of intervals, with their genome.

    Args:
        sources: Data sets and files.
        genome: What `--genome` is given.
        width: What `--width` is given.
        center: What `--center` is given.
        exclude: What `--exclude` is given.
    """
    from modelzoo.datasets.peaks import Windows
    from modelzoo.sequences.intervals import holds_intervals

    given = {"genome": genome, "width": width, "center": center, "exclude": exclude}
    listed = list(sources)
    intervals = [path for path in listed if holds_intervals(path)]
    for name, value in given.items():
        if value is not None and (not intervals or genome is None):
            wanted = "a file of intervals, and its --genome"
            raise typer.BadParameter(f"expected {wanted}, got none", param_hint=f"--{name}")
    if genome is None:
        return [*listed]
    return [
        Windows(path, genome, width, center, exclude) if path in intervals else path
        for path in listed
    ]


def window(width: int | None, model: str, sequences: Path) -> int | None:
    """Return the width of the windows around a file's intervals; None for other files."""
    from modelzoo.apply.inputs import trained_width
    from modelzoo.sequences.intervals import holds_intervals

    return width or (trained_width(model) if holds_intervals(sequences) else None)


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
