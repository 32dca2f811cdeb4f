"""`shiftsmooth train`: the group of its commands."""

from __future__ import annotations

import typer

from modelzoo.cli import (
    train_argminn,
    train_baseline,
    train_expert,
    train_explainn,
    train_moe,
    train_search,
)

app = typer.Typer(name="train", help="Train models, or search for their hyper-parameters.")
for command in (
    train_expert,
    train_moe,
    train_explainn,
    train_baseline,
    train_argminn,
    train_search,
):
    app.add_typer(command.app)
