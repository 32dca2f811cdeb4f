"""What a run of a method says about itself, from a sample of its sequences.

`shiftsmooth.quality` measures; here is what it has to know of a method: what a call of it costs,
over how many windows it averages, and whether its contributions sum to a difference of outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from modelzoo.attribution.methods import METHODS, Method, finished, importance, raw_maps
from modelzoo.files import write_atomically
from shiftsmooth.quality import GRADIENT, SAMPLE, Quality, evenly
from shiftsmooth.quality import quality as measured

FILE = "quality.json"


def quality(
    model: nn.Module,
    x: Tensor,
    target: int = 0,
    method: Method = METHODS["gradient"],
    *,
    run: int,
    contributions: Tensor | None = None,
    outputs: Tensor | None = None,
    names: Sequence[str] = (),
    tasks: Sequence[str] = (),
    seed: int = 0,
) -> Quality:
    """Return what a run says about itself.

    Args:
        model: In eval mode.
        x: A sample of the run's sequences, on the model's device, (n, 4, L).
        target: The column of the outputs that is explained.
        method: How.
        run: How many sequences, or windows, the run explains in all.
        contributions: What the run found for the sample, (n, L); by default they are found here.
        outputs: What the model says of the sample, (n, tasks); by default it is asked here.
        names: Of the sequences of the sample.
        tasks: Names of the outputs.
        seed: Of noise and shuffles.

    Example:
        >>> import modelzoo
        >>> model, x = modelzoo.load("deepbind-gata3"), modelzoo.one_hot(["ACAGATAAGA"] * 4)
        >>> quality(model, x, run=1000)["window stability"].count
        4
    """
    on = method.on(model, target)

    def explain(given: Tensor, rows: Tensor) -> Tensor:
        with torch.enable_grad():
            raw = raw_maps(on, given, method.rows, seed)
        return importance(finished(method, raw, given, corrected=True), given)

    if contributions is None:
        contributions = explain(x, torch.arange(len(x)))
    if outputs is None:
        with torch.no_grad():
            outputs = model(x)
    windows = 2 * method.parameters.get("max_shift", 0) + 1
    cost = GRADIENT * method.copies
    return measured(
        explain,
        lambda given, rows: model(given)[:, target],
        x,
        contributions,
        outputs,
        run=run * (cost + 1),
        cost=cost,
        target=target,
        tasks=tasks,
        names=names,
        windows=windows,
        complete=method.baseline,
        setup=2 * GRADIENT * windows if windows > 1 else 0,
    )


def sampled(total: int) -> list[int]:
    """Return the numbers of the sequences that are looked at, of all of a run's."""
    return evenly(total, SAMPLE).tolist()


def write_quality(folder: Path, found: Quality | None) -> None:
    """Write what a run says about itself into its folder; None takes away what is there."""
    if found is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_atomically(folder / FILE, f"{found.to_json()}\n".encode())


def read_quality(folder: Path) -> Quality | None:
    """Return what the run in a folder says about itself; None if it says nothing."""
    path = folder / FILE
    return Quality.of_json(path.read_text("utf-8")) if path.is_file() else None
