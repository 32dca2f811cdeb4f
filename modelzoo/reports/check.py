"""The page that tells whether a model needs ShiftSmooth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from modelzoo.files import write_atomically
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Table
from shiftsmooth.check import Check

_EDGES = {
    "circular": "Windows are rolled, which joins the two ends of a sequence: positions near them "
    "see a junction that no real window has. Intervals with their genome have real flanks.",
    "flanks": "Windows move over the real sequence around them.",
}


def write_check_page(
    folder: Path, found: Check, figure: Figure, model: str, command: str = ""
) -> Path:
    """Write `index.html` and `check.json`; return the page.

    Args:
        folder: Where; created if missing.
        found: What to tell.
        figure: Of one sequence, moved, as `shiftsmooth.plot.plot_shifts` draws it.
        model: The model's name.
        command: The command line that makes the page.
    """
    folder.mkdir(parents=True, exist_ok=True)
    page = Page("Does this model need ShiftSmooth?")
    needed = "needed" if found.needed else "not needed"
    page.facts({"model": model, "ShiftSmooth": needed, "N": str(found.max_shift)})
    page.summary([found.verdict])
    page.made_by(command)
    page.figure(figure, "shifts", "The first sequence, moved in its window by -15 to 15 positions.")
    page.paragraph(_EDGES[found.edges])
    page.heading("Which layer does it")
    page.paragraph(f"The total stride is {found.total_stride}.")
    if found.breaks:
        page.table(
            _table("breaks", "Functions that depend on where the window begins, in order.", [
                {"module": b.module or "the model", "class": b.kind, "function": b.function,
                 "how": b.how, "stride": str(b.stride)}
                for b in found.breaks
            ])
        )  # fmt: skip
    else:
        page.paragraph("No function of the model depends on where the window begins.")
    page.heading("When the window moves")
    page.table(
        _table("moves", "The prediction's move is a share of its spread over sequences.", [
            {"positions": str(s), "prediction, median": _told(found.prediction[s][0]),
             "95 %": _told(found.prediction[s][1]), "largest": _told(found.prediction[s][2]),
             "gradient, correlation": _told(found.gradient[s]),
             "ShiftSmooth, correlation": _told(found.smoothed[s])}
            for s in found.prediction
        ])
    )  # fmt: skip
    if found.strands is not None:
        page.paragraph(
            f"On the other strand the prediction moves by {found.strands:.3f} of its spread."
        )
    page.heading("Which N")
    page.table(
        _table("stability", "Correlation of maps after moves by 1 to 3 positions.", [
            {"N": str(n), "sequences that choose N": _told(a), "the other half": _told(b),
             "predicted": _told(found.predicted[n])}
            for n, (a, b) in found.stability.items()
        ])
    )  # fmt: skip
    page.paragraph(
        f"Of the gradient's power, {found.varying:.0%} differs between windows. The prediction "
        "comes from the gradients of single windows alone."
    )
    page.heading("What changes")
    facts = {
        "gradients": f"{found.gradients} without sharing",
        "seconds, one gradient": f"{found.seconds[0]:.3f}",
        "seconds, ShiftSmooth": f"{found.seconds[1]:.3f}",
        "sharing": found.sharing,
    }
    if found.mutagenesis is not None:
        before, after = (_told(value) for value in found.mutagenesis)
        facts = {"agreement with mutagenesis": f"{before} before, {after} after"} | facts
    page.facts(facts)
    write_atomically(folder / "check.json", f"{found.to_json()}\n".encode())
    return page.write(folder / "index.html")


def _told(value: float) -> str:
    return f"{value:.3f}"


def _table(name: str, caption: str, rows: Sequence[Mapping[str, str]]) -> Table:
    columns = [(head, lambda row, head=head: row[head]) for head in rows[0]]
    return Table(name, caption, columns, [dict(row) for row in rows])
