"""`shiftsmooth app`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelzoo.cli.options import argument, example, names
from modelzoo.cli.terminal import errors

app = typer.Typer()


@app.command("app", **example("shiftsmooth app --model moe-arid3a-foxm1-gata3 --port 8000"))
def explorer(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            "-m",
            metavar="NAME",
            help="A model to choose from, once for each, as for --model of predict; by default all "
            "that are shipped.",
            autocompletion=names,
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 7860,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on; only this machine reaches 127.0.0.1."),
    ] = "127.0.0.1",
    share_nothing: Annotated[
        bool,
        typer.Option("--share-nothing", help="Refuse a --host that other machines can reach."),
    ] = False,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Also serve tools for assistants, at /mcp.")
    ] = False,
) -> None:
    """Open the explorer: paste a sequence, see the prediction, the letters and the gate.

    A page for the browser, which needs nothing but this server. Ends with Ctrl-C.
    """
    try:
        from modelzoo.app.server import LOOPBACK, serve
    except ImportError as error:
        raise typer.BadParameter(f"{error}; pip install 'shiftsmooth[app]'") from error
    if share_nothing and host not in LOOPBACK:
        raise typer.BadParameter(
            f"expected one of {', '.join(LOOPBACK)} with --share-nothing, got {host!r}",
            param_hint="--host",
        )
    errors.print(f"The explorer is at http://{host}:{port}", markup=False)
    argument(serve, models or (), host=host, port=port, tools=mcp)
