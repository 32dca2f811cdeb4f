"""The tables of the mixture paper's study."""

from __future__ import annotations

from collections.abc import Sequence

from modelzoo.reports.tables import Column, Row, Table, number, plain, probability, with_interval
from modelzoo.studies.peaks.compared import COMPARED
from modelzoo.studies.peaks.measures import END, METRICS, SHIFTS
from modelzoo.studies.peaks.scores import Performance
from modelzoo.studies.published import published

_METRIC: Column = ("metric", lambda row: METRICS[row["metric"]])
_METHOD: Column = ("method", lambda row: COMPARED[row["method"]].title)
_SIMPLEX: Column = ("simplex", lambda row: "yes" if row["corrected"] else "no")


def score_table(name: str, kind: str, rows: Sequence[Row]) -> Table:
    """Return the scores of a kind of data set with the published ones beside them."""
    return Table(
        name,
        f"ROC AUC and average precision, {kind}, with 95 % confidence intervals",
        [
            ("data set", plain("set")),
            ("model", plain("model")),
            ("ROC AUC", with_interval("roc_auc", "roc_auc_low", "roc_auc_high")),
            ("mean", number("roc_auc_mean")),
            ("s.d.", number("roc_auc_sd")),
            ("AP", number("average_precision")),
            ("disjoint, AUC", number("roc_auc_disjoint")),
            ("disjoint peaks", plain("disjoint_peaks")),
            ("paper, AUC", number("paper_roc_auc")),
            ("authors later, AUC", number("authors_later_roc_auc")),
        ],
        rows,
        latex=True,
    )


def comparison_table(performance: Performance) -> Table:
    """Return the mixture against every other model."""
    return Table(
        "comparisons",
        "Differences of ROC AUC, mixture minus the other model; p values after Holm's correction",
        [
            ("data set", plain("set")),
            ("mixture", plain("model")),
            ("against", plain("against")),
            (
                "difference, DeLong 95 %",
                with_interval("roc_auc_difference", "delong_low", "delong_high", sign=True),
            ),
            ("p, DeLong", probability("p_delong_holm")),
            ("p, bootstrap", probability("p_bootstrap_holm")),
            ("effect, Δd", number("separation_difference", 2, sign=True)),
        ],
        performance.comparisons,
        latex=True,
    )


def anova_table(performance: Performance) -> Table:
    """Return the analysis of variance of every data set."""
    return Table(
        "anova",
        "One-way ANOVA over the resampled AUCs, as in the paper",
        [
            ("data set", plain("set")),
            ("F", number("f", 1)),
            ("df", lambda row: f"{row['df_between']}, {row['df_within']}"),
            ("p", probability("p")),
            ("best", plain("best")),
            ("paper, F", number("paper_f", 1)),
            ("paper, p", probability("paper_p")),
        ],
        performance.anova,
        latex=True,
    )


def gate_table(performance: Performance) -> Table:
    """Return the mean gate weights."""
    return Table(
        "gate_weights",
        "Mean gate weights",
        [
            ("data set", plain("set")),
            ("mixture", plain("model")),
            ("class", plain("class")),
            ("expert", plain("expert")),
            ("weight", number("weight")),
        ],
        performance.gates,
    )


def attribution_table(rows: Sequence[Row]) -> Table:
    """Return one row per method, model class and correction, with the metrics side by side."""
    wide: dict[tuple[str, str, bool], Row] = {}
    for row in rows:
        key = (row["model_class"], row["method"], row["corrected"])
        entry = wide.setdefault(key, dict(zip(("model_class", "method", "corrected"), key)))
        for end in ("mean", "low", "high"):
            entry[row["metric"] if end == "mean" else f"{row['metric']}_{end}"] = row[end]
        entry["n_" + row["metric"]] = row["n"]
    for (model_class, method, corrected), entry in wide.items():
        entry |= _authors(model_class, method, corrected)
    return Table(
        "attribution",
        "Attribution methods over the peaks of all factors: means, with 95 % intervals in the CSV",
        [
            ("model", plain("model_class")),
            _METHOD,
            _SIMPLEX,
            *((title, number(metric)) for metric, title in METRICS.items()),
            ("authors, faithfulness", number("authors_faithfulness")),
            ("authors, localization at 10", number("authors_localization")),
        ],
        list(wide.values()),
        latex=True,
    )


def _authors(model_class: str, method: str, corrected: bool) -> Row:
    """Return what the paper's authors measured of a method; localization: hits in the top ten."""
    names = {
        "gradient": "vanilla",
        "input-x-gradient": "gradxinp",
        "smoothgrad": "smoothgrad",
        "shiftsmooth-5": "shiftsmooth",
    }
    wanted = names.get(method, "") + ("_corr" if corrected else "")
    for row in published("attribution_summary"):
        same = row["model_class"] == {"mixture": "MoE"}.get(model_class, model_class)
        if same and row["method"] == wanted:
            return {
                "authors_faithfulness": float(row["faithfulness_to_ISM"]),
                "authors_localization": float(row["localization_at10"]),
            }
    return {"authors_faithfulness": None, "authors_localization": None}


def by_factor_table(rows: Sequence[Row]) -> Table:
    """Return every metric of every method, factor by factor."""
    return Table(
        "attribution_by_factor",
        "The same by factor, with intervals and the number of peaks",
        [
            ("factor", plain("factor")),
            ("model", plain("model_class")),
            _METHOD,
            _SIMPLEX,
            _METRIC,
            ("mean (95 %)", with_interval("mean", "low", "high")),
            ("n", plain("n")),
        ],
        [row for row in rows if row["factor"] != "all"],
    )


def difference_table(rows: Sequence[Row]) -> Table:
    """Return the paired differences between methods."""
    return Table(
        "attribution_differences",
        "Paired differences over the peaks of all factors; p values after Holm's correction",
        [
            _METRIC,
            ("model", plain("model_class")),
            _SIMPLEX,
            _METHOD,
            ("minus", lambda row: COMPARED[row["against"]].title),
            ("difference (95 %)", with_interval("difference", "low", "high", sign=True)),
            ("effect, d", number("effect", 2, sign=True)),
            ("p", probability("p_holm")),
        ],
        rows,
    )


def why_table(rows: Sequence[Row]) -> Table:
    """Return what moves when the window does."""
    return Table(
        "why",
        f"Correlation of the importances before and after the window moved by {SHIFTS[0]} bases:"
        f" in all of the window, and without {END} bases at either end. Winners: how many of the"
        " maps before pooling have their highest position elsewhere afterwards, and the rank"
        " correlation of that with the second column over peaks",
        [
            ("model", plain("model_class")),
            ("N", plain("max_shift")),
            ("whole window", with_interval("whole", "whole_low", "whole_high")),
            ("without the ends", with_interval("inner", "inner_low", "inner_high")),
            ("winners that changed", number("winners")),
            ("their correlation", number("winners_correlation")),
        ],
        rows,
    )


def edge_table(rows: Sequence[Row]) -> Table:
    """Return what wrapping round adds."""
    return Table(
        "edges",
        "ShiftSmooth minus gradient on planted sequences: circular, over real flanks, and the"
        " difference of the two; agreement is the rank correlation of the two attributions",
        [
            _METRIC,
            ("model", plain("model_class")),
            _SIMPLEX,
            ("N", plain("max_shift")),
            ("gradient", number("gradient")),
            (
                "circular",
                with_interval("circular", "circular_low", "circular_high", sign=True),
            ),
            ("flanks", with_interval("flanks", "flanks_low", "flanks_high", sign=True)),
            (
                "wrap-around",
                with_interval("wrap_around", "wrap_around_low", "wrap_around_high", sign=True),
            ),
            ("agreement", number("agreement")),
        ],
        rows,
    )
