"""The page of a run of attributions: a genome browser, or logos, of the highest outputs."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from modelzoo.attribution.quality import read_quality
from modelzoo.files import write_atomically
from modelzoo.reports.browser import Shown, add_browser, add_logos
from modelzoo.reports.figures import svg
from modelzoo.reports.page import Page
from modelzoo.reports.quality import add_quality
from modelzoo.sequences import AMBIGUOUS
from modelzoo.tracks.h5 import Attributed, AttributionsFile
from shiftsmooth.plot import plot_logos

if TYPE_CHECKING:
    from pandas import DataFrame


def write_attributions_page(
    file: AttributionsFile,
    model: str,
    top: int,
    hits: DataFrame | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Write logos, and a page to look through them, beside the file; return the page.

    Args:
        file: A finished run.
        model: The model's name.
        top: How many sequences to show, of the highest outputs.
        hits: As of `modelzoo.tracks.hits.placed_hits`, to show in the genome browser.
        overwrite: Remove the logos of a run that was here before.
    """
    folder = file.path.parent / "logos"
    folder.mkdir(exist_ok=True)
    if overwrite and not folder.is_symlink():
        for old in folder.glob("[0-9][0-9][0-9]_*.svg"):
            old.unlink()
    page = Page("Attributions")
    told = ("method", "max_shift", "task")
    page.facts({"model": model, **{key: str(file.parameters[key]) for key in told}})
    quality = read_quality(file.path.parent)
    count = (
        f"{file.done:,} sequences are explained; those with the {top} highest outputs are shown."
    )
    page.summary([count])
    page.made_by(str(file.about.get("command", "")))
    if quality is not None:
        page.summary([f"Can this be trusted? {quality.verdict.capitalize()}, from a sample."])
        add_quality(page, quality)
        page.heading("Sequences")
    output = str(file.about.get("output", "logit"))
    shown = []
    for rank, one in enumerate(file.top(top), start=1):
        # A record may be named anything; a file may not.
        safe = re.sub(r"[^\w.+-]", "_", one.name, flags=re.ASCII)[:80]
        logo = folder / f"{rank:03d}_{safe}.svg"
        figure = plot_logos(one.hypothetical, one.one_hot)
        write_atomically(logo, svg(figure, logo.stem).encode())
        shown.append(_shown(one, output))
    unit = f"contribution to the {output}, against the mean base"
    if shown and file.sizes:
        add_browser(page, shown, file.sizes, unit=unit, total=file.done, hits=hits)
    else:
        add_logos(page, shown, unit=unit, total=file.done)
    return page.write(file.path.with_name("index.html"))


def _shown(one: Attributed, output: str) -> Shown:
    present = one.one_hot.any(0).numpy()
    codes = one.one_hot.argmax(0).numpy().astype("u1")
    codes[~present] = AMBIGUOUS
    contributions = (one.hypothetical * one.one_hot).sum(0).numpy()
    facts = {output: f"{one.output:.3f}"}
    if output == "logit":
        # the models of the zoo are trained on peaks against shuffles
        chance = 1 / (1 + math.exp(-one.output))
        facts = {"score": f"{one.output:.1f} (log-odds peak against shuffle, P {chance:.3f})"}
    return Shown(one.name, facts, codes, contributions, one.spread, one.interval)
