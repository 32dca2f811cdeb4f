"""The section of a page that tells what a run says about itself."""

from __future__ import annotations

from modelzoo.reports.page import Page
from modelzoo.reports.tables import MISSING, Table
from shiftsmooth.quality import Measure, Quality


def add_quality(page: Page, quality: Quality) -> None:
    """Add the measures of a run, their verdicts, and what to do.

    Args:
        page: Added to.
        quality: What to tell.
    """
    page.heading("Can this be trusted?")
    rows = [_row(measure) for measure in quality.measures]
    columns = [(name, lambda row, name=name: row[name]) for name in rows[0]]
    caption = f"From a sample of {quality.sequences} sequences; overall: {quality.verdict}."
    page.table(Table("quality", caption, columns, rows))
    advice = [f"{m.name}: {m.advice}" for m in quality.measures if m.advice]
    advice += [f"constant output: {name}" for name in quality.constant]
    advice += [f"unlike the others in {what}: {name}" for name, what in quality.unlike]
    if advice:
        page.items(advice)


def _row(measure: Measure) -> dict[str, str]:
    def told(value: float | None) -> str:
        return MISSING if value is None else f"{value:.3f}"

    better = "at most" if measure.good < measure.fair else "at least"
    return {
        "measure": measure.name,
        "value": told(measure.value),
        "worst tenth": told(measure.low),
        "sequences": str(measure.count),
        "verdict": measure.verdict,
        "good": f"{better} {measure.good:g}",
        "fair": f"{better} {measure.fair:g}",
    }
