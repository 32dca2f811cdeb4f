"""What a visitor takes home: the logos as a figure, the numbers as a table, the lines of Python."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from modelzoo.app.explain import (
    MUTAGENESIS,
    MUTATED,
    SHIFTED,
    SINGLE,
    Question,
    contributions,
    deviations,
    has_bars,
    hits,
    mutations,
    shifts,
)
from modelzoo.reports.figures import svg
from modelzoo.sequences import one_hot
from shiftsmooth.plot import Motif, plot_logos, plot_shifts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOVES = 15  # of the window, to either side, in the picture of shifts
_LINES = """\
from modelzoo import one_hot
from modelzoo.attribution.methods import METHODS, maps
from modelzoo.attribution.spread import spread, spread_of
from modelzoo.zoo.adapters import load_any
from shiftsmooth.plot import Motif, plot_logos

model = load_any({model!r})
sequence = {letters!r}
x = one_hot(sequence)
methods = [
{methods}]
scores = {{method.title: maps(model, x, method, target={task})[0] for method in methods}}
bars = {{
{bars}}}
motifs = [{motifs}]
figure = plot_logos(scores, sequence, spread=bars, motifs=motifs)
figure.savefig("logos.svg")
"""


def shown(question: Question) -> tuple[str, ...]:
    """Return the methods that there is room for, by their names in the registry."""
    return SHIFTED + ((MUTAGENESIS,) if len(question.letters) <= MUTATED else ())


def barred(question: Question) -> list[str]:
    """Return those of them that have error bars."""
    return [name for name in shown(question) if has_bars(question, name)]


def logos(question: Question) -> Figure:
    """Return the letters of every method above one axis, with error bars and boxed motifs."""
    model, letters = question.model, question.letters
    rows = {name: question.maps(name) for name in shown(question)}
    titles = {name: model.method(name, question.max_shift).title for name in rows}
    return plot_logos(
        {titles[name]: maps for name, maps in rows.items()},
        letters,
        spread={titles[name]: deviations(question, name) for name in barred(question)},
        motifs=[Motif(hit["start"], hit["stop"], hit["title"]) for hit in hits(question)],
    )


def moved(question: Question) -> Figure:
    """Return how the letters change when the window moves."""
    length = len(question.letters)
    if length < 2:
        raise ValueError(f"sequence: expected 2 letters or more to move a window, got {length}")
    return plot_shifts(
        question.model.module,
        one_hot(question.letters),
        question.task,
        max_shift=question.max_shift,
        moves=min(MOVES, length - 1),
    )


def picture(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a file.

    Args:
        figure: What to draw.
        kind: `"png"` or `"svg"`.
    """
    if kind == "svg":
        return svg(figure, "logos").encode()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def table(question: Question) -> str:
    """Return the numbers of the logos as CSV, one line per position."""
    letters, names = question.letters, shown(question)
    columns = {name: contributions(question.maps(name), letters) for name in names}
    columns |= {f"{name}_deviation": deviations(question, name) for name in barred(question)}
    if MUTAGENESIS in names:
        columns |= {f"to_{base}": row for base, row in zip("ACGT", mutations(question))}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["position", "letter", *columns])
    for position, numbers in enumerate(torch.stack(list(columns.values())).T.tolist()):
        writer.writerow([position, letters[position], *(f"{number:.6g}" for number in numbers)])
    return text.getvalue()


def lines(question: Question) -> str:
    """Return the lines of Python that make the same figure."""
    task, most = question.task, question.max_shift
    methods, bars = [], []
    for name in shown(question):
        method = question.model.method(name, most)
        having = f".having(max_shift={most})" if "max_shift" in method.parameters else ""
        methods.append(f'    METHODS["{name}"]{having},\n')
    for name in barred(question):
        made = f"spread(model, x, {task}, {most})[0]"
        if name in SINGLE:
            moved = shifts(question, name)
            made = f'spread_of(model, x, METHODS["{SINGLE[name]}"], {task}, {moved})[0]'
        bars.append(f"    {question.model.method(name, most).title!r}: {made},\n")
    boxes = [f"Motif({hit['start']}, {hit['stop']}, {hit['title']!r})" for hit in hits(question)]
    return _LINES.format(
        model=question.model.name,
        letters=question.letters,
        methods="".join(methods),
        task=task,
        bars="".join(bars),
        motifs=", ".join(boxes),
    )


def data(name: str) -> str:
    """Return the text of a file of this folder: of the page, or of the Space."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
