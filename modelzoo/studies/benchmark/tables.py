"""The tables of the benchmark."""

from __future__ import annotations

from collections.abc import Sequence

from modelzoo.reports.tables import Row, Table, number, plain, probability, with_interval
from modelzoo.studies.benchmark.measures import METRICS, RANDOMISED
from modelzoo.studies.benchmark.methods import COMPARED, RIVAL, SHIFTED
from modelzoo.studies.benchmark.models import MODELS
from modelzoo.studies.benchmark.sets import SETS
from modelzoo.studies.benchmark.summaries import ALL, JUDGED, Q_VALUE, SHOWN, Found
from shiftsmooth.check import NEEDED_BELOW


def set_table(names: Sequence[str]) -> Table:
    """Return what the sets are."""
    rows: list[Row] = [
        {"set": SETS[n].title, "length": SETS[n].length, "about": SETS[n].about} for n in names
    ]
    columns = [("set", plain("set")), ("positions", plain("length")), ("truth", plain("about"))]
    return Table("sets", "The sets", columns, rows)


def model_table(rows: Sequence[Row]) -> Table:
    """Return the test AUC of every model on every set."""
    names = list(dict.fromkeys(row["set"] for row in rows))
    wide: dict[str, Row] = {}
    for row in rows:
        entry = wide.setdefault(
            row["model"],
            {"title": MODELS[row["model"]].title, "reads": MODELS[row["model"]].reads}
            | dict.fromkeys(names),
        )
        told = f"{row['test_auc']:.3f}"
        missing = row["seeds"] - row["learned"]
        entry[row["set"]] = told if not missing else f"{told} ({row['learned']}/{row['seeds']})"
    columns = [("model", plain("title")), ("it reads", plain("reads"))]
    columns += [(SETS[name].title, plain(name)) for name in names]
    caption = (
        "Test AUC, the mean of the seeds; in brackets, where not all seeds learned the set, how "
        "many did"
    )
    return Table("models", caption, columns, list(wide.values()))


def recipe_table(names: Sequence[str]) -> Table:
    """Return how the models are trained."""
    recipes = {MODELS[name].title: MODELS[name].recipe for name in names}
    rows: list[Row] = [
        {"title": title, "recipe": r.in_words, "patience": r.patience, "source": r.source}
        for title, r in recipes.items()
    ]
    columns = [("model", plain("title")), ("trained by", plain("recipe"))]
    columns += [("patience, epochs", plain("patience")), ("recipe of", plain("source"))]
    return Table("recipes", "How each model is trained", columns, rows)


def method_table(rows: Sequence[Row]) -> Table:
    """Return the means of every method."""
    shown = [
        {
            **row,
            "correction": "yes" if row["corrected"] else "no",
            "told": "yes" if row["frontier"] else "",
        }
        for row in rows
    ]
    columns = [
        ("method", plain("title")),
        ("corrected", plain("correction")),
        *((title, number(metric)) for metric, title in METRICS.items()),
        ("evaluations", number("evaluations", 0)),
        ("frontier", plain("told")),
    ]
    caption = "Every method, the mean over all learned cells"
    return Table("methods", caption, columns, shown)


def gain_table(found: Found, method: str = SHIFTED) -> Table:
    """Return what a method adds to the gradient, by class of model."""
    rows: dict[str, Row] = {}
    for row in found.gains:
        if row["method"] == method and row["metric"] in SHOWN:
            title = "all" if row["model"] == ALL else MODELS[row["model"]].title
            entry = rows.setdefault(row["model"], {"title": title})
            for name in ("base", "difference", "low", "high", "q"):
                entry[f"{row['metric']}_{name}"] = row[name]
    columns = [("model", plain("title"))]
    for metric in SHOWN:
        title = METRICS[metric]
        columns.append((f"{title}, gradient", number(f"{metric}_base")))
        difference, low, high = (f"{metric}_{end}" for end in ("difference", "low", "high"))
        shown = with_interval(difference, low, high, sign=True)
        columns.append((f"{title}, difference (95 %)", shown))
        columns.append((f"q, {title}", probability(f"{metric}_q")))
    caption = f"{COMPARED[method].method.title} minus the gradient, by model"
    return Table(f"gains-{method}", caption, columns, list(rows.values()))


def class_table(found: Found) -> Table:
    """Return, for each class of model, whether it needs ShiftSmooth: what changes, and what not."""
    rows: dict[str, Row] = {}
    for row in found.gains:
        if row["method"] == SHIFTED and row["metric"] in JUDGED and row["model"] != ALL:
            model = MODELS[row["model"]]
            entry = rows.setdefault(row["model"], {"class": f"{model.title}: {model.reads}"})
            sure = row["q"] <= Q_VALUE
            before, after = row["base"], row["base"] + row["difference"]
            entry[row["metric"]] = f"{before:.2f} → {after:.2f}" if sure else f"{before:.2f}"
            if row["metric"] == "stability":
                gains = sure and row["difference"] > 0
                entry["before"] = before
                needed = gains and before < NEEDED_BELOW
                entry["verdict"] = "use it" if needed else "not needed"
    columns = [("class of model", plain("class"))]
    columns += [(METRICS[metric], plain(metric)) for metric in JUDGED]
    columns.append(("verdict", plain("verdict")))
    caption = (
        f"The gradient → {COMPARED[SHIFTED].method.title}, where the difference is sure (q of "
        f"{Q_VALUE} or less). A gradient with a stability of {NEEDED_BELOW} does not need it"
    )
    return Table("classes", caption, columns, sorted(rows.values(), key=lambda row: row["before"]))


def set_gain_table(rows: Sequence[Row]) -> Table:
    """Return what ShiftSmooth adds to the gradient, by set."""
    shown = [
        {**row, "title": SETS[row["set"]].title, "name": METRICS[row["metric"]]} for row in rows
    ]
    columns = [
        ("set", plain("title")),
        ("measure", plain("name")),
        ("gradient", number("base")),
        ("difference (95 %)", with_interval("difference", "low", "high", sign=True)),
        ("q", probability("q")),
    ]
    caption = f"{COMPARED[SHIFTED].method.title} minus the gradient, by set"
    return Table("gains-sets", caption, columns, shown)


def rival_table(rows: Sequence[Row]) -> Table:
    """Return what ShiftSmooth finds that mutagenesis does not, by model."""
    wide: dict[tuple[str, str], Row] = {}
    metrics = ("auroc", "average_precision", "stability")
    for row in rows:
        if row["metric"] in metrics:
            entry = wide.setdefault((row["set"], row["model"]), {})
            entry["sets"] = "all" if row["set"] == ALL else SETS[row["set"]].title
            entry["title"] = "all" if row["model"] == ALL else MODELS[row["model"]].title
            for name in ("base", "difference", "low", "high", "q"):
                entry[f"{row['metric']}_{name}"] = row[name]
    columns = [("sets", plain("sets")), ("model", plain("title"))]
    for metric in metrics:
        difference, low, high = (f"{metric}_{end}" for end in ("difference", "low", "high"))
        columns.append((f"{METRICS[metric]}, mutagenesis", number(f"{metric}_base")))
        columns.append(("difference (95 %)", with_interval(difference, low, high, sign=True)))
        columns.append(("q", probability(f"{metric}_q")))
    caption = f"{COMPARED[RIVAL].method.title} minus in-silico mutagenesis, by model"
    return Table("rivals", caption, columns, list(wide.values()))


def frontier_table(rows: Sequence[Row]) -> Table:
    """Return for how many models no other method beats a method, and where one does."""
    models = list(dict.fromkeys(row["model"] for row in rows))
    shown = []
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        lost = [row for row in own if row["beaten_by"]]
        shown.append(
            {
                "title": COMPARED[method].method.title,
                "models": f"{len(own) - len(lost)} of {len(models)}",
                "share": min(row["share"] for row in own),
                "lost": "all"
                if len(lost) == len(models)
                else "; ".join(MODELS[row["model"]].title for row in lost),
            }
        )
    columns = [
        ("method", plain("title")),
        ("not beaten for", plain("models")),
        ("least share of resamples", number("share", 2)),
        ("beaten for", plain("lost")),
    ]
    caption = (
        "For how many models no other method beats a method. One beats another if it is no worse "
        "in average precision, faithfulness and stability, and better in one, whatever it costs"
    )
    return Table("frontiers", caption, columns, shown)


def best_table(found: Found) -> Table:
    """Return, for each model and measure, which methods gain most, and what the cheapest costs."""
    rows = []
    for model in dict.fromkeys(row["model"] for row in found.gains):
        for metric in JUDGED:
            own = [r for r in found.gains if r["model"] == model and r["metric"] == metric]
            sure = [r for r in own if r["q"] <= Q_VALUE and r["difference"] > 0]
            best = max(sure, key=lambda r: r["difference"], default=None)
            mine = next((r for r in own if r["method"] == SHIFTED), None)
            rows.append(
                {
                    "model": "all" if model == ALL else MODELS[model].title,
                    "metric": METRICS[metric],
                    "best": COMPARED[best["method"]].method.title if best else "none",
                    "difference": best and best["difference"],
                    "low": best and best["low"],
                    "high": best and best["high"],
                    "mine": mine and mine["difference"],
                    "q": mine and mine["q"],
                }
            )
    columns = [
        ("model", plain("model")),
        ("measure", plain("metric")),
        ("gains most", plain("best")),
        ("difference (95 %)", with_interval("difference", "low", "high", sign=True)),
        (COMPARED[SHIFTED].method.title, number("mine", sign=True)),
        ("q", probability("q")),
    ]
    caption = "The method that gains most over the gradient, of those with q of 0.05 or less"
    return Table("best", caption, columns, rows)


def check_table(rows: Sequence[Row]) -> Table:
    """Return the audit's predictions beside what was measured."""
    columns = [
        ("model", plain("title")),
        ("total stride", plain("total_stride")),
        ("varying share", number("varying")),
        ("gain by that share", number("by_share", sign=True)),
        ("gain by single windows", number("by_windows", sign=True)),
        *((f"measured, {METRICS[m]}", number(m, sign=True)) for m in SHOWN),
    ]
    caption = "What the audit predicts of stability, and what ShiftSmooth N=5 adds to the gradient"
    return Table("predicted", caption, columns, rows)


def sanity_table(rows: Sequence[Row]) -> Table:
    """Return how alike maps are to those of models that learned nothing."""
    columns = [
        ("method", plain("title")),
        *((f"{what} randomised", number(what)) for what in RANDOMISED),
    ]
    caption = (
        "Rank correlation of the sizes of a trained model's attributions with those of a model "
        "trained on permuted labels, and of an untrained one: near 0 is right"
    )
    return Table("sanity", caption, columns, rows)
