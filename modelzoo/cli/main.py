"""The `shiftsmooth` command.

Exit codes: 0 fine, 1 the work failed, 2 the call was wrong; 130 interrupted, as of any command.
Torch and the zoo are imported inside the commands, so that help and completion answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib.metadata import version
from typing import Annotated, NoReturn

from modelzoo.zoo import catalog

try:
    import typer

    from modelzoo.cli import (
        attribute,
        check,
        demo,
        evaluate,
        explorer,
        figure,
        merge,
        models,
        motifs,
        predict,
        publish,
        scan,
        train,
        variants,
    )
    from modelzoo.cli.terminal import console, errors
except ImportError as error:
    raise SystemExit(f"shiftsmooth: {error}; pip install 'shiftsmooth[all]'") from error

app = typer.Typer(
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for command in (
    models,
    predict,
    attribute,
    scan,
    variants,
    merge,
    figure,
    check,
    motifs,
    evaluate,
    demo,
    explorer,
    publish,
    train,
):
    app.add_typer(command.app)


def main() -> None:
    """Run the command line, and end the process with one of its exit codes."""
    _keep_streams()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    # Wherever in the line --debug stands, it is about the run and not about the command.
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        code = app(args=arguments, prog_name="shiftsmooth", standalone_mode=False)
    except typer.TyperException as error:
        _fail(error.format_message(), 2)
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        code = 0  # the reader has what it wanted, as in `| head`
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if debug:
            raise
        wrong_call = isinstance(error, catalog.UnknownModelError | FileExistsError)
        _fail(str(error), 2 if wrong_call else 1)
    if code == 130:  # what typer makes of an interrupt
        # Python notes an interrupt of code that came as text, as a dataclass's does, and then ends
        # by that signal whatever the exit code; the next such code takes the note away.
        exec("")
        _fail("interrupted", 130)
    sys.exit(code)


def _keep_streams() -> None:
    """Fill the places of standard streams that are closed, so that no file is opened there."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(null)


def _fail(message: str, code: int) -> NoReturn:
    errors.print(f"shiftsmooth: {' '.join(message.split())}", markup=False)
    sys.exit(code)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"shiftsmooth {version('shiftsmooth')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def shiftsmooth(
    context: typer.Context,
    show_version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
) -> None:
    """Transcription-factor models, and attributions that hold still when the window moves."""
    if context.invoked_subcommand is None:
        console.print(context.get_help())
        raise typer.Exit(2)


if __name__ == "__main__":
    main()
