"""The arguments and options that several commands share, and what a wrong one leads to.

Which architectures, methods, simulations and losses there are, stands in their registries. These
import torch, so they are read when a command runs, or its own help or completion is asked for.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand

from modelzoo.cli.terminal import errors
from modelzoo.jobs import Where
from modelzoo.zoo import catalog

if TYPE_CHECKING:
    from modelzoo.apply.inputs import Named
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


def _scans() -> Iterable[str]:
    from modelzoo.tracks.scanned import FORMATS

    return FORMATS


REGISTRIES: dict[str, Callable[[], Iterable[str]]] = {
    "experts": _experts,
    "baselines": _baselines,
    "factors": _factors,
    "losses": _losses,
    "formats": _formats,
    "methods": _methods,
    "scans": _scans,
    "simulations": _simulations,
}


class Command(TyperCommand):
    """A command in whose help `{methods}` and the like stand for what a registry holds.

    Its option `--ray`, if it has one, may come without a value.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Give `--ray` the value that it may go without."""
        for index in [i for i, word in enumerate(args) if word == "--ray"]:
            if args[index + 1 : index + 2] in ([], *([w] for w in args if w.startswith("-"))):
                args[index] = f"--ray={RAY_HERE}"
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, with the lists filled in and each paragraph in one line."""
        paragraphs = _with_lists(self.help or "").split("\n\n")
        self.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        for parameter in self.params:
            text = getattr(parameter, "help", None) or ""
            parameter.help = _with_lists(text)  # type: ignore[attr-defined]
        super().format_help(ctx, formatter)


def _with_lists(text: str) -> str:
    return re.sub(r"{(\w+)}", lambda found: ", ".join(REGISTRIES[found[1]]()), text)


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
        help="The width of the windows around intervals; by default the length that a model of the "
        "catalog was trained on.",
    ),
]
PeakWidthOption = Annotated[
    int | None,
    typer.Option(
        "--width",
        min=1,
        help="The width of the windows around intervals; by default, all of an interval.",
    ),
]
CenterOption = Annotated[
    Literal["summit", "middle"] | None,
    typer.Option(help="The center of a window; by default the summit where the file has one."),
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
QualityOption = Annotated[
    bool,
    typer.Option(
        "--quality/--no-quality",
        help="Say in quality.json how far the run can be trusted, at a tenth of its cost.",
    ),
]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Start anew where the folder holds another run.")
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
DeviceOption = Annotated[
    Device, typer.Option(help="Where the model runs; auto takes a GPU if there is one.")
]
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


RAY_HERE = "auto"  # the value of --ray alone
SLURM = "slurm"  # the value of --part in a job array
MERGE = "merge"  # the value of --part by which `shiftsmooth merge` calls a command
_WHERE: dict[str, Any] = {
    "workers": Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes; by default one per core, for inputs that take a while."
        ),
    ],
    "devices": Annotated[
        Literal["all"] | None, typer.Option(help="all: a process for each GPU of this machine.")
    ],
    "part": Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Do the share of job I of N, for `shiftsmooth merge`; slurm takes the numbers "
            "that Slurm gives to a job of an array.",
        ),
    ],
    "ray": Annotated[
        str | None,
        typer.Option(
            metavar="[ADDRESS]",
            help="Work on a Ray cluster that shares this folder; without an address the one of "
            "RAY_ADDRESS, or else one on this machine.",
        ),
    ],
    "gpus_per_worker": Annotated[
        float, typer.Option(min=0, help="With --ray: GPUs of each task; a fraction shares one.")
    ],
    "part_timeout": Annotated[
        float | None,
        typer.Option(min=1, metavar="SECONDS", help="Begin a part again that takes longer."),
    ],
}
_FLAGS = {f"--{name.replace('_', '-')}" for name in _WHERE}


def parted(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where its parts are done, as the argument `where`.

    Args:
        command: A function with the argument `where`, a `modelzoo.jobs.Where`.
    """

    @wraps(command)
    def wrapped(**given: Any) -> None:
        told = {name: given.pop(name) for name in _WHERE}
        command(**given, where=_where(**told))

    own = inspect.signature(command, eval_str=True)
    defaults = {"gpus_per_worker": 0.0}
    added = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind
        )
        for name, kind in _WHERE.items()
    ]
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name != "where"
    ]
    both = [*kept, *added]
    wrapped.__signature__ = own.replace(parameters=both)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {one.name: one.annotation for one in both}
    del wrapped.__wrapped__
    return wrapped


def _where(
    workers: int | None,
    devices: str | None,
    part: str | None,
    ray: str | None,
    gpus_per_worker: float,
    part_timeout: float | None,
) -> Where:
    ways = {"--workers": workers, "--devices": devices, "--ray": ray}
    if len(given := [name for name, value in ways.items() if value is not None]) > 1:
        raise typer.BadParameter(f"expected one of them, got {' and '.join(given)}")
    if gpus_per_worker and ray is None:
        raise typer.BadParameter("expected --ray with it", param_hint="--gpus-per-worker")
    engine = None
    if ray is not None:
        try:
            import ray as _  # noqa: F401
        except ImportError:
            raise typer.BadParameter(
                "expected Ray; pip install 'shiftsmooth[ray]'", param_hint="--ray"
            ) from None
        from modelzoo.on_ray import OnRay

        engine = OnRay(None if ray == RAY_HERE else ray, gpus_per_worker, part_timeout)
    return Where(
        workers=workers,
        gpus=0 if devices is None else _gpus(),
        part=None if part in (None, MERGE) else _share(str(part)),
        engine=engine,
        timeout=part_timeout,
        only_merge=part == MERGE,
        command=told(sys.argv[1:]),
    )


def _gpus() -> int:
    import torch

    if not (count := torch.cuda.device_count()):
        raise typer.BadParameter(
            "expected a GPU that CUDA can use for 'all', got none on this machine;"
            " --workers N takes its cores",
            param_hint="--devices",
        )
    return count


def _share(part: str) -> tuple[int, int]:
    """Return (i, n) of `i/n`, or of the job array that this process is in."""
    if part == SLURM:
        return _slurm(os.environ)
    match = re.fullmatch(r"(\d+)/(\d+)", part, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise typer.BadParameter(
            f"expected I/N with I from 1 to N, or {SLURM}, got {part!r}", param_hint="--part"
        )
    return int(match[1]), int(match[2])


def _slurm(environment: Mapping[str, str]) -> tuple[int, int]:
    names = ("ID", "COUNT", "MIN", "STEP")
    found = [environment.get(f"SLURM_ARRAY_TASK_{name}", "") for name in names]
    number, count, first, step = (int(text) if text.isdecimal() else None for text in found)
    if number is None or count is None:
        raise typer.BadParameter("slurm; this is no job of an array", param_hint="--part")
    index, rest = divmod(number - (1 if first is None else first), step or 1)
    if rest or not 0 <= index < count:
        raise typer.BadParameter(
            f"slurm; expected {count} jobs with numbers in a row, got number {number}; give "
            "--part I/N",
            param_hint="--part",
        )
    return index + 1, count


def told(words: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a command without the options that say where it works."""
    kept: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        flag, has_value, _ = word.partition("=")
        if flag not in _FLAGS:
            kept.append(word)
        elif left and not has_value and not (flag == "--ray" and left[0].startswith("-")):
            del left[0]
    return tuple(kept)


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
    return named(name, device, Where(), **options).load()


def named(name: str, device: Device, where: Where, **options: Any) -> Named:
    """Return how workers load a model, which this process has loaded.

    Args:
        name: What `--model` is given.
        device: What `--device` is given.
        where: Where the work is done: elsewhere, the device may be one that is not here.
        options: See `modelzoo.zoo.adapters.load_any`.
    """
    from modelzoo.apply.inputs import Named
    from modelzoo.zoo.hub import WeightsError

    model = Named(name, device if where.elsewhere else chosen(device), **options)
    try:
        model.anew("cpu" if where.elsewhere else model.device)
    except WeightsError:  # the call is right, the file is not
        raise
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return model


def say_share(where: Where, output: Path | None) -> None:
    """Say what is left to do after the job of an array."""
    assert where.part is not None
    number, of = where.part
    errors.print(f"share {number} of {of} is done; after all: shiftsmooth merge {output}")


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
