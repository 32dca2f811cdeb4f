"""The page of the benchmark: its prose, and the order of its tables and figures."""

from __future__ import annotations

import matplotlib

from modelzoo.reports.figures import STYLE
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Row
from modelzoo.studies.benchmark import figures, tables
from modelzoo.studies.benchmark.methods import COMPARED, ISM, RIVAL, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS
from modelzoo.studies.benchmark.settings import Settings
from modelzoo.studies.benchmark.summaries import ALL, Q_VALUE, Found

ABOUT = (
    "Models are trained on sequences whose rules are known. Each method then explains the same "
    "positives of the test sequences."
)
ABOUT_LEARNED = (
    " Only models are looked at whose validation AUC is {learned} or more: a model that has not "
    "learned a rule cannot show it."
)
ABOUT_RECIPES = (
    "Each model is trained by the recipe of a paper, but for at most {epochs}; the epoch with the "
    "best validation AUC is kept. Recipes that clip gradients or bound weights do so in their "
    "papers, not here."
)
ABOUT_RANDOMISED = (
    "Compared on {sets}, for each seed that learned its set: with a model trained for {epochs} on "
    "labels in random order, and with an untrained one."
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
        page.paragraph(
            ABOUT + ABOUT_LEARNED.format(learned=settings.learned) * bool(settings.learned)
        )
        page.items(findings(found, settings))
        page.heading("Models and sets")
        page.table(tables.set_table(settings.sets))
        page.table(tables.model_table(found.models))
        page.paragraph(ABOUT_RECIPES.format(epochs=_count(settings.epochs, "epoch")))
        page.table(tables.recipe_table(settings.models))
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
        page.table(tables.frontier_table(found.frontiers))
        page.heading("What ShiftSmooth adds")
        page.paragraph(ABOUT_GAINS)
        page.figure(
            figures.gain_figure(found.gains),
            "gains",
            f"{COMPARED[SHIFTED].method.title} minus the gradient, by model.",
        )
        page.table(tables.class_table(found))
        page.table(tables.gain_table(found))
        others = dict.fromkeys(row["method"] for row in found.gains if row["method"] != SHIFTED)
        for method in others:
            page.table(tables.gain_table(found, method), folded=True)
        page.table(tables.best_table(found))
        page.table(tables.rival_table(found.rivals), folded=True)
        page.table(tables.set_gain_table(found.sets), folded=True)
        page.heading("Predicted and measured")
        page.paragraph(ABOUT_PREDICTED)
        page.figure(
            figures.predicted_figure(found.checks),
            "predicted",
            "One point for each model; on the dotted line the prediction is right.",
        )
        page.table(tables.check_table(found.checks))
        if not found.sanity:
            return
        page.heading("Models that learned nothing")
        tried = [SETS[name].title for name in settings.sets if name in settings.randomised]
        epochs = _count(settings.permuted_epochs, "epoch")
        page.paragraph(ABOUT_RANDOMISED.format(sets=", ".join(tried), epochs=epochs))
        page.table(tables.sanity_table(found.sanity))


def findings(found: Found, settings: Settings) -> list[str]:
    """Return how much was measured and what was found, each number from the tables."""
    told = [_measured(found, settings)]
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
                f"{MODELS[r['model']].title} ({r['base']:.3f}, {r['difference']:+.3f})"
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
    told += _rivals(found)
    best = [r["title"] for r in found.methods if r["frontier"]]
    if best:
        told.append(f"On the frontier of all models together: {'; '.join(dict.fromkeys(best))}.")
    told += _frontiers(found)
    return [text.replace("-0.", "−0.").replace("-1.", "−1.") for text in told]


def _measured(found: Found, settings: Settings) -> str:
    told = (
        f"Measured: {len(settings.models)} models with {_count(settings.seeds, 'seed')} on "
        f"{len(settings.sets)} sets of {settings.train:,} training sequences, at most "
        f"{_count(settings.epochs, 'epoch')}; {settings.explained} positives of each set are "
        "explained. In brackets below: the gradient's value and the difference from it, or the "
        "95 % interval of a difference. "
    )
    if not settings.learned:
        return told + "All models are looked at, whether they learned their set or not."
    learned, trained = (sum(row[what] for row in found.models) for what in ("learned", "seeds"))
    return told + f"{learned} of {trained} models learned their set."


def _rivals(found: Found) -> list[str]:
    """What ShiftSmooth finds that mutagenesis does not, on all sets and on the real one."""
    told = []
    cost = {row["method"]: row["evaluations"] for row in found.methods}
    for name in dict.fromkeys(row["set"] for row in found.rivals):
        own = [r for r in found.rivals if r["set"] == name and r["metric"] == "average_precision"]
        where, share = "on all sets", cost[RIVAL] / cost[ISM]
        if name != ALL:
            where = f"on {SETS[name].title}"
            one, other = (COMPARED[m].evaluations(SETS[name].length) for m in (RIVAL, ISM))
            share = one / other
        parts = {
            "better": [r for r in own if r["q"] <= Q_VALUE and r["difference"] > 0],
            "worse": [r for r in own if r["q"] <= Q_VALUE and r["difference"] < 0],
            "no sure difference": [r for r in own if r["q"] > Q_VALUE],
        }
        listed = [
            f"{verb} for {', '.join(_with_interval(r) for r in rows)}"
            for verb, rows in parts.items()
            if rows
        ]
        told.append(
            f"Average precision {where}, {COMPARED[RIVAL].method.title} against in-silico "
            f"mutagenesis, at {share:.0%} of its cost: {'; '.join(listed)}."
        )
    return told


def _frontiers(found: Found) -> list[str]:
    """Which methods none beats for any model; where there is none, the closest."""
    by_method: dict[str, list[Row]] = {}
    for row in found.frontiers:
        by_method.setdefault(row["method"], []).append(row)
    if not by_method:
        return []
    measures = "average precision, faithfulness and stability, whatever it costs"
    lost = {m: [r for r in rows if r["beaten_by"]] for m, rows in by_method.items()}
    never = [m for m in lost if not lost[m]]
    if never:
        named = "; ".join(
            f"{COMPARED[m].method.title} (for each model in "
            f"{min(r['share'] for r in by_method[m]):.0%} of the resamples or more)"
            for m in never
        )
        return [f"For no model beaten in {measures}: {named}."]
    closest = min(lost, key=lambda m: len(lost[m]))
    where = "; ".join(
        f"{MODELS[r['model']].title}, by {COMPARED[r['beaten_by'][0]].method.title}"
        for r in lost[closest]
    )
    return [
        f"Every method is beaten for some model in {measures}. "
        f"The closest is {COMPARED[closest].method.title}, which is beaten for {where}."
    ]


def _with_interval(row: Row) -> str:
    name = "all models together" if row["model"] == ALL else MODELS[row["model"]].title
    return f"{name} {row['difference']:+.3f} ({row['low']:+.3f}, {row['high']:+.3f})"


def _count(number: int, what: str) -> str:
    return f"{number} {what if number == 1 else what + 's'}"
