"""The page of a run of attributions: the logos of the sequences with the highest logits."""

from __future__ import annotations

import re
from pathlib import Path

from modelzoo.reports.figures import svg
from modelzoo.reports.page import Page
from modelzoo.tracks.h5 import AttributionsFile
from shiftsmooth.plot import plot_logos


def write_attributions_page(file: AttributionsFile, model: str, top: int) -> Path:
    """Write logos, and a page to look through them, beside the file; return the page.

    Args:
        file: A finished run.
        model: The model's name.
        top: How many logos, of the highest logits.
    """
    folder = file.path.parent / "logos"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    page = Page("Attributions")
    told = ("method", "max_shift", "task")
    page.facts({"model": model, **{key: str(file.parameters[key]) for key in told}})
    for rank, (name, logit, one_hot, scores) in enumerate(file.top(top), start=1):
        figure = plot_logos(scores, one_hot)
        # A record may be named anything; a file may not.
        safe = re.sub(r"[^\w.+-]", "_", name, flags=re.ASCII)[:80]
        logo = folder / f"{rank:03d}_{safe}.svg"
        logo.write_text(svg(figure, logo.stem), encoding="utf-8")
        page.card(f"rank-{rank}", name, {"logit": f"{logit:.3f}"}, figure)
    return page.write(file.path.with_name("index.html"))
