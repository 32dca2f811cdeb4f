"""The page of the benchmark: its prose, and the order of its tables and figures."""

from __future__ import annotations

import matplotlib

from modelzoo.reports.figures import STYLE
from modelzoo.reports.page import Page
from modelzoo.studies.benchmark import figures, tables
from modelzoo.studies.benchmark.methods import COMPARED, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.settings import Settings
from modelzoo.studies.benchmark.summaries import ALL, Q_VALUE, Found

ABOUT = (
    "Models are trained on sequences whose rules are known. Each method then explains the same "
    "positives of the test sequences. Of every pair of set and model with all its seeds, only "
    "those are looked at whose validation AUC is {learned} or more: a model that has not learned a "
    "rule cannot show it."
)
ABOUT_MEASURES = (
    "AUROC, average precision and recall: whether the positions that decide the label come first, "
    "by size. AUROC over decoys: the same against the positions of a motif that is planted in half "
    "of all sequences and means nothing. Faithfulness: rank correlation with in-silico "
    "mutagenesis. Stability: correlation when the window moves by 1 and 3 bases over the real "
    "sequence. An evaluation is a forward pass of one sequence, and a gradient costs three; "
    "nothing is counted as shared between shifts."
)
ABOUT_FRONTIER = (
    "A method is on the frontier if no other is as cheap and as good in average precision, "
    "faithfulness and stability."
)
ABOUT_GAINS = (
    "Paired differences on the same sequences; 95 % intervals from resampled sequences, and q "
    "values (Benjamini and Hochberg) over all methods, models and measures. Where q is above 0.05, "
    "no bar is drawn."
)
ABOUT_PREDICTED = (
    "The audit (shiftsmooth.check) looks at validation sequences. The varying share of the "
    "gradient's power gives one prediction, the correlation of single windows another."
)


def show(page: Page, found: Found, settings: Settings) -> None:
    """Add everything to a page.

    Args:
        page: The page.
        found: What was measured.
        settings: How much was measured.
    """
    with matplotlib.rc_context(STYLE):
        page.paragraph(ABOUT.format(learned=settings.learned))
        page.items(findings(found, settings))
        page.heading("Models and sets")
        page.table(tables.set_table(settings.sets))
        page.table(tables.model_table(found.models))
        if not found.gains:
            page.paragraph("No model learned its set, so there is nothing to explain.")
            return
        page.heading("Methods")
        page.paragraph(ABOUT_MEASURES)
        page.paragraph(ABOUT_FRONTIER)
        page.figure(
            figures.budget_figure(found.methods),
            "budget",
            "Quality against the cost of a sequence; numbers: N, 0 is the gradient. Left out: "
            "Grad-CAM, and the agreement of mutagenesis with itself.",
        )
        page.table(tables.method_table(found.methods))
        page.heading("What ShiftSmooth adds")
        page.paragraph(ABOUT_GAINS)
        page.figure(
            figures.gain_figure(found.gains),
            "gains",
            f"{COMPARED[SHIFTED].method.title} minus the gradient, by model.",
        )
        page.table(tables.class_table(found))
        for method in dict.fromkeys(row["method"] for row in found.gains):
            page.table(tables.gain_table(found, method), folded=method != SHIFTED)
        page.table(tables.best_table(found))
        page.table(tables.set_gain_table(found.sets), folded=True)
        page.heading("Predicted and measured")
        page.paragraph(ABOUT_PREDICTED)
        page.figure(
            figures.predicted_figure(found.checks), "predicted", "One point for each model."
        )
        page.table(tables.check_table(found.checks))
        page.heading("Models that learned nothing")
        page.table(tables.sanity_table(found.sanity))


def findings(found: Found, settings: Settings) -> list[str]:
    """Return how much was measured and what was found, each number from the tables."""
    learned = sum(row["learned"] for row in found.models)
    seeds = f"{settings.seeds} {'seed' if settings.seeds == 1 else 'seeds'}"
    told = [
        f"Measured: {len(settings.models)} models with {seeds} on {len(settings.sets)} sets of "
        f"{settings.train:,} training sequences, at most "
        f"{settings.epochs} epochs; {settings.explained} positives of each set are explained. "
        f"{learned} of {sum(row['seeds'] for row in found.models)} models learned their set."
    ]
    for metric, what in (
        ("stability", "stability under window moves"),
        ("average_precision", "average precision on the truth"),
        ("faithfulness", "agreement with mutagenesis"),
    ):
        own = [r for r in found.gains if r["method"] == SHIFTED and r["metric"] == metric]
        parts = {
            "raises": [r for r in own if r["q"] <= Q_VALUE and r["difference"] > 0],
            "lowers": [r for r in own if r["q"] <= Q_VALUE and r["difference"] < 0],
            "has no sure effect on": [r for r in own if r["q"] > Q_VALUE],
        }
        for verb, rows in parts.items():
            listed = [
                f"{MODELS[r['model']].title} ({r['gradient']:.3f}, {r['difference']:+.3f})"
                for r in sorted(rows, key=lambda r: -abs(r["difference"]))
                if r["model"] != ALL
            ]
            if listed:
                name = COMPARED[SHIFTED].method.title
                told.append(f"{name} {verb} {what}: {', '.join(listed)}.")
        sure = [
            r
            for r in found.gains
            if (r["model"], r["metric"]) == (ALL, metric)
            and r["q"] <= Q_VALUE
            and r["difference"] > 0
        ]
        if sure:
            most = max(sure, key=lambda r: r["difference"])
            told.append(
                f"Over all models, {COMPARED[most['method']].method.title} gains most in {what}: "
                f"{most['difference']:+.3f} ({most['low']:+.3f}, {most['high']:+.3f})."
            )
    best = [r["title"] for r in found.methods if r["frontier"]]
    if best:
        told.append(f"On the frontier: {', '.join(dict.fromkeys(best))}.")
    return [text.replace("-0.", "−0.").replace("-1.", "−1.") for text in told]
