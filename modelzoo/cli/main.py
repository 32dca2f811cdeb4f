"""The `shiftsmooth` command.

Exit codes: 0 fine, 1 the work failed, 2 the call was wrong; 130 interrupted, as of any command.
Torch and the zoo are imported inside the commands, so that help and completion answer at once.
"""

from __future__ import annotations

import csv
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import mean
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal, NoReturn, ParamSpec, TypeVar

from modelzoo.zoo import catalog

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ImportError as error:
    raise SystemExit(f"shiftsmooth: {error}; pip install 'shiftsmooth[all]'") from error

if TYPE_CHECKING:
    from modelzoo.apply.attribute import Attributions
    from modelzoo.sequences import Record
    from modelzoo.training.multitask import MultiTaskParams

app = typer.Typer(
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)

P = ParamSpec("P")
T = TypeVar("T")

Device = Literal["auto", "cpu", "cuda"]


def _names(incomplete: str) -> list[str]:
    """Completes a model's name."""
    return [name for name in catalog.list_models() if name.startswith(incomplete)]


def _readable(path: Path) -> Path:
    """Refuses a file that is not there; typer's own check does not let - pass."""
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
        autocompletion=_names,
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


def main() -> None:
    """Runs the command line; ends the process with one of its exit codes."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    # Wherever in the line --debug stands, it is about the run and not about the command.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        code = app(args=arguments, prog_name="shiftsmooth", standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), 2)
    except BrokenPipeError:
        # The reader has what it wanted (`| head`); closing stdout must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if debug:
            raise
        wrong_call = isinstance(error, catalog.UnknownModelError | FileExistsError)
        _fail(str(error), 2 if wrong_call else 1)
    if code == 130:  # what typer makes of an interrupt
        _fail("interrupted", 130)
    sys.exit(code)


def _fail(message: str, code: int) -> NoReturn:
    errors.print(f"shiftsmooth: {' '.join(message.split())}", markup=False)
    sys.exit(code)


@app.callback(invoke_without_command=True)
def shiftsmooth(
    context: typer.Context,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Transcription-factor models, and attributions that hold still when the window moves."""
    if context.invoked_subcommand is None:
        console.print(context.get_help())
        raise typer.Exit(2)


@app.command(epilog="Example: [b]shiftsmooth models --architecture deepbind[/b]")
def models(
    architecture: Annotated[
        str | None, typer.Option(help="Only the models of this architecture.")
    ] = None,
) -> None:
    """Lists the models and how well each does on its test sets; as TSV into a pipe or file."""
    names = _argument(catalog.list_models, architecture)
    rows = [["name", "architecture", "tasks", "ROC AUC", "shipped"]]
    for info in map(catalog.info, names):
        scores = [
            f"{dataset} {metrics['roc_auc']:.3f}"
            for dataset, metrics in info.scores.items()
            if "roc_auc" in metrics
        ]
        shipped = "yes" if info.shipped else "no, on the Hub"
        rows.append(
            [info.name, info.architecture, ", ".join(info.tasks), ", ".join(scores), shipped]
        )
    if not console.is_terminal:
        csv.writer(sys.stdout, delimiter="\t", lineterminator="\n").writerows(rows)
        return
    table = Table(*rows[0])
    for row in rows[1:]:
        table.add_row(*row)
    console.print(table)


@app.command(
    epilog="Example: [b]shiftsmooth predict peaks.fa.gz -m moe-arid3a-foxm1-gata3 -o out.tsv[/b]"
)
def predict(
    sequences: SequencesArgument,
    model: ModelOption,
    genome: GenomeOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A TSV file; standard output by default.")
    ] = None,
    device: DeviceOption = "auto",
) -> None:
    """Writes logit, probability and gate weights of every sequence, as TSV, in the file's order.

    Records that cannot be used are named on standard error and left out, and the exit code is 1.
    """
    from modelzoo.apply import predict as prediction

    loaded = _load(model, device)
    rejects = _Rejects()
    records = _records(sequences, genome, prediction.LONGEST, rejects)
    used = 0
    with _written(output) as file:
        file.write("\t".join(prediction.header(loaded)) + "\n")
        for made in _progress(prediction.predict(loaded, records), "predicting"):
            file.write("\t".join(prediction.row(made)) + "\n")
            used += 1
    errors.print(f"{used} predicted, {rejects.count} skipped")
    if rejects.count:
        raise typer.Exit(1)


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

    loaded = _load(model, device)
    rejects = _Rejects()
    names, codes = collect(_records(sequences, genome, LONGEST, rejects), rejects)
    attributions = _argument(
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
    attributions.run(lambda chunks: _progress(chunks, "attributing"))
    attributions.save_npz()
    _draw_logos(attributions, output, top, str(model))
    errors.print(f"{len(names)} attributed, {rejects.count} skipped; see {output / 'index.html'}")
    if rejects.count:
        raise typer.Exit(1)


@app.command(epilog="Example: [b]shiftsmooth motifs peaks.fa -o found[/b]")
def motifs(
    output: RunOption,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SEQS", help="FASTA or .seq file of one length; or ARID3A, FOXM1 or GATA3."
        ),
    ] = None,
    from_attributions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Not from sequences but from the attributions.h5 of `shiftsmooth attribute`.",
        ),
    ] = None,
    units: Annotated[
        int | None, typer.Option(min=1, help="Motifs to look for in SEQS, 100 by default.")
    ] = None,
    release: Annotated[str, typer.Option(help="JASPAR's, to name motifs by.")] = "JASPAR2026",
    group: Annotated[
        str, typer.Option(help="Taxonomic group of it, such as vertebrates or plants; or all.")
    ] = "vertebrates",
    seed: SeedOption = 0,
) -> None:
    """Finds motifs and names them: in sequences against their shuffles, or in attributions.

    Writes motifs (MEME, TSV), logos, JASPAR matches, instances, syntax, and index.html to look
    through them. Training on sequences, run again after a kill, goes on where it was.
    """
    options: dict[str, Any] = {
        "release": release,
        "group": None if group == "all" else group,
        "progress": errors.is_terminal,
    }
    if source is not None and from_attributions is None:
        from modelzoo.discovery.from_sequences import discover

        page = _argument(discover, source, output, units=units or 100, seed=seed, **options)
    elif source is None and from_attributions is not None:
        from modelzoo.discovery.from_attributions import motifs_of_attributions

        if units is not None:
            raise typer.BadParameter("attributions decide how many", param_hint="--units")
        page = _argument(motifs_of_attributions, from_attributions, output, **options)
    else:
        raise typer.BadParameter("expected either SEQS or --from-attributions")
    console.print(f"Look at {page}", soft_wrap=True)


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
            autocompletion=_names,
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
        from modelzoo.studies.planted import evaluate as planted

        page = planted.evaluate(
            output, quick=quick, seed=seed, workers=workers, progress=errors.is_terminal
        )
        console.print(f"Look at {page}", soft_wrap=True)
        return
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
        workers=workers,
        device=_chosen(device),
        progress=errors.is_terminal,
    )
    console.print(f"Look at {page}", soft_wrap=True)


train = typer.Typer(help="Trains models, or searches for their hyper-parameters.")
app.add_typer(train, name="train")


@train.command(epilog="Example: [b]shiftsmooth train expert GATA3 --seed 1 -o runs/gata3[/b]")
def expert(
    source: SourceArgument,
    output: RunOption,
    architecture: Annotated[
        Literal["deepbind", "tower", "danq-expert"],
        typer.Option(help="A tower is deeper, and slower to train; a DanQ expert is recurrent."),
    ] = "deepbind",
    params: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="TOML of hyper-parameters; those found for the factor by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    patience: Annotated[
        int, typer.Option(min=1, help="Stop after so many epochs that bring nothing.")
    ] = 5,
) -> None:
    """Trains one expert on peaks against their dinucleotide shuffles.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.expert import PARAMS, train_expert

    chosen = None
    if params is not None:
        chosen = _argument(PARAMS[architecture].from_toml, params.read_text(encoding="utf-8"))
    _argument(
        train_expert,
        source,
        out=output,
        architecture=architecture,
        params=chosen,
        seed=seed,
        patience=patience,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")


@train.command(epilog="Example: [b]shiftsmooth train moe ARID3A FOXM1 GATA3 -o runs/moe[/b]")
def moe(
    experts: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERTS",
            help="Factors, for their DeepBind experts; or names or folders of any experts.",
            autocompletion=_names,
        ),
    ],
    output: RunOption,
    peaks: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="A file of peaks to train on, once for each; the experts' factors by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    precision: Annotated[
        Literal["float32", "bfloat16"],
        typer.Option(help="Of the experts while the gate learns; bfloat16 can halve the time."),
    ] = "float32",
    epochs: Annotated[int, typer.Option(min=1, help="The most epochs.")] = 500,
) -> None:
    """Trains the gated mixture of experts that stay as they are.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.architectures.deepbind import Expert
    from modelzoo.datasets.chipseq import FACTORS, task_of
    from modelzoo.training.mixture import GateParams, named, train_moe
    from modelzoo.zoo.hub import load

    loaded: list[Expert] = []
    for name in experts:
        model = load(f"deepbind-{name.lower()}" if name in FACTORS else name)
        if not isinstance(model, Expert):
            raise typer.BadParameter(f"{name} is no expert", param_hint="EXPERTS")
        loaded.append(model)
    _argument(
        train_moe,
        named(loaded),
        out=output,
        sources={task_of(path): path for path in peaks} if peaks else None,
        params=GateParams(precision=precision, epochs=epochs),
        seed=seed,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")


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


@train.command(epilog="Example: [b]shiftsmooth train explainn --data my.tsv -o runs/mine[/b]")
def explainn(
    output: RunOption,
    data: DataOption = ["ARID3A", "FOXM1", "GATA3"],  # noqa: B006
    units: Annotated[int, typer.Option(min=1, help="How many units, each with a filter.")] = 100,
    filters: Annotated[
        Literal["random", "jaspar", "jaspar-frozen"],
        typer.Option(help="What the filters start as; frozen ones stay."),
    ] = "random",
    unit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A trained model in the place of units, once for each; it stays as it is.",
            autocompletion=_names,
        ),
    ] = None,
    hidden: Annotated[
        int, typer.Option(min=0, help="Nodes of the layer after each such model; 0 for none.")
    ] = 0,
    loss: LossOption = "binary",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Trains an ExplaiNN: a linear model over small networks of one motif each.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.multitask import train_explainn, train_model_units
    from modelzoo.zoo.hub import load

    if unit:
        models = {name: load(name) for name in unit}
        params = _multitask_params("explainn-models", loss, epochs)
        arguments: dict[str, Any] = {"hidden": hidden, "params": params}
        trainer: Callable[..., Path] = partial(train_model_units, models)
    else:
        params = _multitask_params("explainn", loss, epochs)
        arguments = {"units": units, "filters": filters, "params": params}
        trainer = train_explainn
    _argument(trainer, data, out=output, seed=seed, progress=errors.is_terminal, **arguments)
    errors.print(f"trained; try it with --model {output}")


@train.command(epilog="Example: [b]shiftsmooth train baseline danq -o runs/danq[/b]")
def baseline(
    name: Annotated[
        Literal["cnn1", "cnn1exp", "deepcnn", "danq", "deepstarr", "dnabert"],
        typer.Argument(metavar="NAME", help="cnn1, cnn1exp, deepcnn, danq, deepstarr or dnabert."),
    ],
    output: RunOption,
    data: DataOption = ["ARID3A", "FOXM1", "GATA3"],  # noqa: B006
    bert: Annotated[
        str | None,
        typer.Option(
            help="For dnabert: the folder or repository of its BERT; DNABERT's on the Hub by "
            "default."
        ),
    ] = None,
    loss: LossOption = "binary",
    epochs: EpochsOption = None,
    seed: SeedOption = 0,
) -> None:
    """Trains a baseline: one of the ExplaiNN paper's networks, or DNABERT.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.multitask import train_baseline

    _argument(
        train_baseline,
        name,
        data,
        out=output,
        bert=bert,
        params=_multitask_params(name, loss, epochs),
        seed=seed,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")


@train.command(epilog="Example: [b]shiftsmooth train argminn rest -o runs/rest[/b]")
def argminn(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A simulation, spi1, tal-gata, e2f6, rest or a .toml file of one; ARID3A, FOXM1 or"
            " GATA3; or a FASTA or .seq file of peaks.",
        ),
    ],
    output: RunOption,
    seed: SeedOption = 0,
    initialisations: Annotated[
        int, typer.Option(min=1, help="How many to train; validation chooses one.")
    ] = 3,
) -> None:
    """Trains ARGMINN, whose filters are motifs, on planted motifs or on peaks.

    Run again after a kill, it goes on where it was.
    """
    from modelzoo.training.argminn import train_argminn

    _argument(
        train_argminn,
        source,
        out=output,
        seed=seed,
        initialisations=initialisations,
        progress=errors.is_terminal,
    )
    errors.print(f"trained; try it with --model {output}")


@train.command(epilog="Example: [b]shiftsmooth train search GATA3 --trials 40 -o found[/b]")
def search(
    source: SourceArgument,
    output: RunOption,
    trials: Annotated[int, typer.Option(min=1, help="How many in all.")] = 40,
    seed: SeedOption = 0,
    storage: Annotated[
        Path | None, typer.Option(help="Optuna journal; with it, a stopped search goes on.")
    ] = None,
) -> None:
    """Searches for an expert's hyper-parameters, by validation AUC alone."""
    from modelzoo.training.search import search

    best = _argument(
        search,
        source,
        trials,
        out=output,
        seed=seed,
        storage=storage,
        progress=errors.is_terminal,
    )
    console.print(best.to_toml(), end="", markup=False, highlight=False)


@app.command(epilog="Example: [b]shiftsmooth demo -o demo[/b]")
def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", file_okay=False, help="A folder; made if need be.")
    ] = Path("demo"),
    model: ModelOption = "moe-arid3a-foxm1-gata3",
) -> None:
    """Shows predictions, gate weights and logos on sequences with planted GATA motifs.

    Needs no network and less than a minute.
    """
    from modelzoo.apply.predict import header
    from modelzoo.studies import demo as demonstration

    loaded = _load(model, "cpu")
    with errors.status("predicting and attributing"):
        done = demonstration.run(loaded, output)
    table = Table("mean over", *header(loaded)[1:], title=f"{model} on simulated sequences")
    for label, predictions in (("planted", done.planted), ("plain", done.plain)):
        columns = zip(*(prediction.numbers for prediction in predictions))
        table.add_row(label, *(f"{mean(column):.3f}" for column in columns))
    console.print(table)
    for method, value in done.found.items():
        console.print(f"{method}: tells motif positions from others with AUROC {value:.3f}")
    console.print(f"Look at {done.page}", soft_wrap=True)


@app.command(epilog="Example: [b]shiftsmooth publish deepbind-gata3 --repo-id me/gata3[/b]")
def publish(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A model of the catalog.", autocompletion=_names),
    ],
    repo_id: Annotated[str, typer.Option(metavar="OWNER/REPO", help="Made if there is none.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
) -> None:
    """Uploads a model to the Hugging Face Hub: configuration, weights and model card.

    Signs in with HF_TOKEN, or as `hf auth login` did.
    """
    from modelzoo.zoo import hub

    if "/" not in repo_id:
        raise typer.BadParameter(f"{repo_id!r}; expected OWNER/REPO", param_hint="--repo-id")
    console.print(hub.publish(name, repo_id, private=private))


def _argument(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Returns the function's value; a ValueError is the call's fault."""
    try:
        return function(*args, **kwargs)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _load(name: str, device: Device) -> Any:
    """Returns a model on the device asked for."""
    from modelzoo.zoo.hub import load

    return load(name, device=_chosen(device))


def _chosen(device: Device) -> str:
    """Returns the device's name as torch knows it."""
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise typer.BadParameter("cuda; no CUDA device is available", param_hint="--device")
    return "cuda" if available and device != "cpu" else "cpu"


class _Rejects:
    """Names on standard error the records that cannot be used, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: ValueError) -> None:
        self.count += 1
        errors.print(f"skipped: {error}", markup=False)


def _records(
    sequences: Path, genome: Path | None, longest: int, rejects: _Rejects
) -> Iterator[Record]:
    """Returns an iterator over the records that can be used."""
    from modelzoo.sequences import read_sequences

    def short(record: Record) -> bool:
        length = len(record.sequence)
        if length > longest:
            rejects(
                ValueError(f"{record.name!r} has {length} positions; expected {longest} at most")
            )
        return length <= longest

    return filter(short, _argument(read_sequences, sequences, genome, reject=rejects))


def _multitask_params(recipe: str, loss: str, epochs: int | None) -> MultiTaskParams:
    """Returns what a recipe says, with what the command line says instead."""
    from modelzoo.training.multitask import MultiTaskParams

    given = {} if epochs is None else {"epochs": epochs}
    return MultiTaskParams.of(recipe, loss=loss, **given)


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


def _progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Returns the items, counted on standard error if that is a terminal."""
    from rich.progress import track

    return track(
        items,
        description,
        total=total,
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


@contextmanager
def _written(path: Path | None) -> Iterator[IO[str]]:
    """Standard output, or a file that is there only once it is whole."""
    if path is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            yield file
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
