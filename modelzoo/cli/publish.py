"""`shiftsmooth publish`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelzoo.cli.options import example, names
from modelzoo.cli.terminal import console

app = typer.Typer()


@app.command(**example("shiftsmooth publish deepbind-gata3 --repo-id me/gata3"))
def publish(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A model of the catalog.", autocompletion=names),
    ],
    repo_id: Annotated[str, typer.Option(metavar="OWNER/REPO", help="Created if missing.")],
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
) -> None:
    """Upload a model to the Hugging Face Hub: configuration, weights and model card.

    Signs in with HF_TOKEN, or as `hf auth login` did.
    """
    from modelzoo.zoo import hub

    if "/" not in repo_id:
        raise typer.BadParameter(f"{repo_id!r}; expected OWNER/REPO", param_hint="--repo-id")
    console.print(hub.publish(name, repo_id, private=private))
