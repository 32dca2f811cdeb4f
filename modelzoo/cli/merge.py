"""`shiftsmooth merge`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from modelzoo.cli.options import MERGE, example
from modelzoo.jobs import commands

app = typer.Typer()


@app.command(**example("shiftsmooth merge out.tsv"))
def merge(
    context: typer.Context,
    outputs: Annotated[
        list[Path],
        typer.Argument(metavar="OUTPUT...", help="What the jobs were given as --output."),
    ],
) -> None:
    """Merge what the jobs of an array made, each with its own --part, into their output.

    Does no work of its own: it ends with an error where a part is missing. The same bytes come of
    the command without --part, which also does what is missing.
    """
    for output in outputs:
        found = commands(output)
        if not found:
            raise typer.BadParameter(f"no parts of {str(output)!r} are there")
        for folder, command in found:
            _call(context, folder, [*command, "--part", MERGE])


def _call(context: typer.Context, folder: Path, words: list[str]) -> None:
    """Call a command as it was called, in the folder where it was."""
    os.chdir(folder)
    sys.argv[1:] = words
    code = context.find_root().command.main(args=words, standalone_mode=False)
    if code:
        raise typer.Exit(code)
