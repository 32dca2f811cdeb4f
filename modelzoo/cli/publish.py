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
        str | None,
        typer.Argument(metavar="NAME", help="A model of the catalog.", autocompletion=names),
    ] = None,
    repo_id: Annotated[
        str | None, typer.Option(metavar="OWNER/REPO", help="Made if there is none.")
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="OWNER/NAME", help="Upload the explorer instead, as a Space of this name."
        ),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Make the repository private.")
    ] = False,
) -> None:
    """Upload a model to the Hugging Face Hub: configuration, weights and model card.

    Signs in with HF_TOKEN, or as `hf auth login` did.
    """
    from modelzoo.app import space as explorer
    from modelzoo.zoo import hub

    if (name is None) is not (repo_id is None) or (name is None) is (space is None):
        raise typer.BadParameter("expected NAME with --repo-id, or --space alone")
    for hint, given in (("--repo-id", repo_id), ("--space", space)):
        if given is not None and "/" not in given:
            raise typer.BadParameter(f"{given!r}; expected OWNER/REPO", param_hint=hint)
    if space is not None:
        console.print(explorer.publish(space, private=private))
        return
    assert name is not None and repo_id is not None
    console.print(hub.publish(name, repo_id, private=private))
