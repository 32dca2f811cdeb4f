"""`evaluate`: from trained models to one folder with every table and figure of the paper.

index.html        the report: opens without a network, on a phone, in light and dark
tables/           each table as CSV, Markdown and LaTeX
figures/          each figure as SVG and PNG
results.json      every number, with seed, versions and data sums; the same for the same seed
timings.json      what the clock said; differs from run to run
cells/            finished parts of the attribution evaluation, so that it can be taken up again
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import modelzoo
from modelzoo.attribution import methods
from modelzoo.datasets.planted.simulation import Simulation
from modelzoo.reports.folder import Report, write_json
from modelzoo.reports.page import QUICK_RUN
from modelzoo.reports.tables import Row, Table, number, plain, probability, with_interval
from modelzoo.sequences import columns
from modelzoo.studies.peaks import attributions as attribution
from modelzoo.studies.peaks import figures, scores
from modelzoo.studies.peaks.attributions import END, METRICS, MOTIFS, SHIFTS, Attributions
from modelzoo.studies.peaks.compared import COMPARED, max_shift
from modelzoo.studies.peaks.scores import LabelledSet, Performance, Protocol

PEAKS = 200
QUICK_PEAKS = 10
QUICK_RESAMPLES = 200
RESAMPLES = 1000
KINDS = ("in distribution", "out of distribution")
_PACKAGES = ("shiftsmooth", "torch", "captum", "numpy", "scipy", "scikit-learn", "tangermeme")
_QUICK_METHODS = ("gradient", "smoothgrad", "shiftsmooth-5", "shift-and-noise")

WHY_DIFFERENT = (
    "The published figures are of other models, trained by other rules, and measured on other "
    "negatives. In the paper a trial was not a resample of the sequences but another dropout "
    "mask on one fixed set with three negatives to a peak, and the negatives permuted pairs "
    "of bases, which does not keep dinucleotide counts: a model can tell such negatives from "
    "peaks by composition alone. The authors' later protocol uses the same 500 peaks and 500 "
    "dinucleotide shuffles as ours, dropout off, 1,000 resamples, but models that the "
    "published code had trained against permuted pairs. Ours are trained against a true "
    "dinucleotide shuffle that is drawn again in every epoch, so they have to know motifs. "
    "Read a difference to the paper as a difference of tasks."
)
WHY_WINDOWS = (
    "Why the window matters: these models are convolutions and then a maximum over all positions, "
    "so they depend on the window in two ways. Padding reaches only the bases near the ends. Which "
    "position wins a maximum can change when bases enter or leave, and with it the gradient "
    "everywhere. The table takes the ends away, and says how many winners changed. ShiftSmooth "
    "averages over the winners of many windows; a large N pays for it with the seam where the ends "
    "meet, which moves with the window."
)
WHY_NO_ANOVA = (
    "There is no analysis of variance here: resamples of one test set are not independent "
    "measurements. Their number is chosen by whoever runs the analysis, and with it the F of "
    "an ANOVA grows without bound. What a test set can say about two models on the same "
    "sequences is said by DeLong's test and by the paired bootstrap; the p values are "
    "corrected by Holm's method over all comparisons of the table. A peak and its shuffle are "
    "drawn together."
)
WHAT_THE_PAPER_DID = (
    "This is the paper's own protocol: 30 resamples of the rows, the same for every model, "
    "and a one-way ANOVA over the 30 AUCs of each. The F and p describe the resampling as "
    "much as the models. For conclusions use the rigorous protocol."
)
ABOUT_ATTRIBUTION = (
    "Importance is the map at the base present. With the simplex correction the mean over the "
    "four bases is subtracted first. Gradient and input x gradient agree there by "
    "construction, and differ only where the whole map counts. Saliency is the absolute "
    "gradient: it has no sign to be faithful with. Integrated Gradients start from 0.25 "
    "everywhere. DeepLiftShap has no rule for the models' pooling over positions and strands "
    "and takes its gradient. In-silico mutagenesis is what faithfulness is measured against, "
    "so its own is 1. Windows are moved over real bases of the peak, never wrapped round. "
    "EvalAttAI favours the plain gradient by definition. ARID3A's peaks in HepG2 and FOXM1's "
    "in GM12878 do not carry these factors' own motifs; their hits are of FOXA2 and BATF, the "
    "most enriched in the training peaks."
)
ABOUT_AUTHORS = (
    "The authors' study measured stability to noise, not to a moved window, so only "
    "faithfulness compares with ours."
)


def evaluate(
    out: str | Path,
    *,
    protocol: Protocol = "rigorous",
    quick: bool = False,
    models: Sequence[str] | Mapping[str, nn.Module] | None = None,
    sets: Sequence[LabelledSet] | None = None,
    attributions: bool = True,
    seed: int = 0,
    workers: int | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Path:
    """Evaluate models and their attributions, and write the report.

    Interrupted and called again with the same arguments, it goes on where it was.

    Args:
        out: Folder of the report, created if it does not exist.
        protocol: `"rigorous"`, or `"paper"` for the statistics of the mixture paper.
        quick: Small samples: minutes become seconds, intervals become wide.
        models: Names of the catalog, or models by name; by default the paper's experts and their
            mixture. Attributions are evaluated for these alone.
        sets: What to judge on; by default the paper's nine sets.
        attributions: Evaluate attributions as well.
        seed: The same seed gives the same `results.json`.
        workers: Processes for the attributions; one a core by default. For more than one, a script
            has to guard its main part by `if __name__ == "__main__"`.
        device: Where predictions are made. Attributions are always computed on the CPU.
        progress: Show bars with the time left.

    Returns:
        The path of `index.html`.
    """
    started = time.monotonic()
    page = Report(Path(out), "ShiftSmooth model zoo: evaluation")
    if quick:
        page.warning(QUICK_RUN)
    zoo = _load(models, device)
    data = list(scores.paper_sets() if sets is None else sets)
    if quick:
        data = [_thinned(one, 50) for one in data]
    resamples = QUICK_RESAMPLES if quick else RESAMPLES
    performance = scores.score(
        zoo, data, protocol=protocol, resamples=resamples, seed=seed, device=device
    )
    timings: dict[str, Any] = {"performance_seconds": time.monotonic() - started}
    _show_performance(page, performance, data)
    found = None
    if attributions:
        started = time.monotonic()
        found = _attributions(page, zoo, data, quick, resamples, seed, workers, progress)
        timings["attribution_seconds"] = time.monotonic() - started
    if found:
        timings["attribution_methods"] = found.seconds
        _show_attributions(page, found)
    settings = {"protocol": protocol, "quick": quick, "seed": seed, "resamples": resamples}
    results = _results(settings, zoo, data, performance, found)
    write_json(page.folder / "results.json", results)
    write_json(page.folder / "timings.json", timings)
    _show_provenance(page, results)
    return page.finish()


def _load(
    models: Sequence[str] | Mapping[str, nn.Module] | None, device: str
) -> dict[str, nn.Module]:
    if isinstance(models, Mapping):
        return {name: model.to(device).eval() for name, model in models.items()}
    if models is None:
        shipped = [name for name in modelzoo.list_models() if modelzoo.info(name).shipped]
        models = [n for n in shipped if scores.published_name(modelzoo.load(n)) is not None]
    if not models:
        raise ValueError("models: expected at least one; the catalog has none of the paper's")
    order = {"moe": 1, "deepbind": 0}
    ranked = sorted(models, key=lambda name: order.get(modelzoo.info(name).architecture, 2))
    return {name: modelzoo.load(name, device=device) for name in ranked}


def _thinned(data: LabelledSet, groups: int) -> LabelledSet:
    """The first so many peaks of a set, each with its shuffle."""
    kept = np.isin(data.groups, np.unique(data.groups)[:groups])
    parts = {name: getattr(data, name)[kept] for name in ("codes", "labels", "groups")}
    return dataclasses.replace(data, **parts)


def _show_performance(page: Report, performance: Performance, data: Sequence[LabelledSet]) -> None:
    rigorous = performance.protocol == "rigorous"
    page.heading("Performance")
    page.paragraph(WHY_NO_ANOVA if rigorous else WHAT_THE_PAPER_DID)
    for kind in KINDS:
        rows = [row for row in performance.scores if row["kind"] == kind]
        if not rows:
            continue
        short = kind.replace(" ", "_")
        page.heading(kind.capitalize(), 3)
        page.table(_score_table(f"performance_{short}", kind, rows))
        page.figure(figures.roc_curves(performance, kind), f"roc_{short}", f"ROC curves, {kind}.")
        caption = f"Mean AUC and standard deviation over the resamples, {kind}."
        page.figure(figures.auc_bars(performance, kind), f"auc_{short}", caption)
        caption = f"95 % confidence intervals of the AUC, {kind}."
        page.figure(figures.auc_intervals(performance, kind), f"intervals_{short}", caption)
    page.heading("Why the figures differ from the published ones", 3)
    page.paragraph(WHY_DIFFERENT)
    if performance.comparisons:
        page.heading("The mixture against each other model", 3)
        page.table(_comparison_table(performance))
    if performance.anova:
        page.heading("Analysis of variance", 3)
        page.table(_anova_table(performance))
    if performance.gates:
        page.heading("Which expert answers for which factor", 3)
        caption = "Mean gate weights, on peaks and on their shuffles."
        page.figure(figures.gate_weights(performance), "gate_weights", caption)
        page.table(_gate_table(performance), folded=True)
    seen = [f"{one.name} {one.seen}" for one in data if one.seen]
    if seen:
        page.paragraph(
            "Rows of these sets that are also training rows of a factor, on either strand; they are"
            f" kept and counted: {', '.join(seen)}."
        )


def _score_table(name: str, kind: str, rows: Sequence[Row]) -> Table:
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
            ("paper, AUC", number("paper_roc_auc")),
            ("authors later, AUC", number("authors_later_roc_auc")),
        ],
        rows,
        latex=True,
    )


def _comparison_table(performance: Performance) -> Table:
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


def _anova_table(performance: Performance) -> Table:
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


def _gate_table(performance: Performance) -> Table:
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


def _attributions(
    page: Report,
    zoo: Mapping[str, nn.Module],
    data: Sequence[LabelledSet],
    quick: bool,
    resamples: int,
    seed: int,
    workers: int | None,
    progress: bool,
) -> Attributions | None:
    """Evaluate the attributions of the paper's models on peaks of their factors."""
    named = {scores.published_name(model): model.cpu() for model in zoo.values()}
    mixture = named.get(scores.MIXTURE)
    peaks = {}
    for one in data:
        if one.name in MOTIFS and one.name in named:
            found = np.flatnonzero((one.labels == 1) & (one.codes < 4).all(axis=1))
            size = min(QUICK_PEAKS if quick else PEAKS, len(found))
            chosen = np.random.default_rng(seed).choice(found, size, replace=False)
            peaks[one.name] = one.codes[np.sort(chosen)]
    if not peaks:
        return None
    experts = {factor: named[factor] for factor in peaks}
    result = attribution.evaluate_attributions(
        page.folder / "cells",
        experts,
        mixture,
        peaks,
        methods=_QUICK_METHODS if quick else None,
        planted=QUICK_PEAKS if quick else PEAKS,
        resamples=resamples,
        seed=seed,
        workers=workers,
        progress=progress,
    )
    page.heading("Attribution")
    if "GATA3" in experts:
        gata = next(one for one in data if one.name == "GATA3")
        pair = {"expert": experts["GATA3"]} | ({"mixture": mixture} if mixture else {})
        _show_examples(page, gata, pair, seed)
    return result


def _show_examples(
    page: Report, gata: LabelledSet, models: Mapping[str, nn.Module], seed: int
) -> None:
    """The paper's Figs. 10 to 19: a GATA3 peak with both orientations, and a random sequence."""
    texts = ["".join("ACGTN"[c] for c in row) for row in gata.codes[gata.labels == 1]]
    both = [t for t in texts if "GATAA" in t and "TTATC" in t and "N" not in t]
    examples = {"random": _random_sequence(seed)}
    if both:
        examples = {"peak": both[0], **examples}
    titles = {"gradient": "Vanilla Gradient", "shiftsmooth-5": "ShiftSmooth, N = 5"}
    page.heading("A GATA3 peak and a random sequence", 3)
    for kind, text in examples.items():
        boxes = [
            (start, start + 5, colour)
            for word, colour in (("GATAA", "#009E73"), ("TTATC", "#0072B2"))
            for start in range(len(text) - 4)
            if text.startswith(word, start)
        ]
        x = columns(np.array([["ACGT".index(base) for base in text]], dtype=np.uint8))
        for name, model in models.items():
            for method, title in titles.items():
                found = methods.maps(model, x, COMPARED[method], corrected=False)
                track = methods.importance(found, x)[0].numpy()
                with torch.inference_mode():
                    probability_ = torch.sigmoid(model(x)[0, 0]).item()
                what = "a GATA3 peak" if kind == "peak" else "a random sequence without the motifs"
                caption = f"{title}, {name}, {what}; predicted probability {probability_:.2f}."
                drawn = figures.attribution_track(text, track, boxes, f"{title}, {name}")
                page.figure(drawn, f"track_{kind}_{name}_{method}", caption)


def _random_sequence(seed: int) -> str:
    """A random sequence of the window's length in which no factor's motif comes near."""
    motifs = "\n".join(f'[motifs.{name}]\nmatrix = "{id_}"' for name, id_ in MOTIFS.items())
    simulation = Simulation.from_toml(
        f"length = {attribution.WINDOW}\nthreshold = 0.7\n{motifs}\n"
        "[[positives]]\nshare = 1\nmotifs = []\n[[negatives]]\nshare = 1\nmotifs = []\n"
    )
    return simulation.sample(1, seed=seed).strings()[0]


def _show_attributions(page: Report, found: Attributions) -> None:
    page.heading("How good the attributions are", 3)
    page.paragraph(ABOUT_ATTRIBUTION)
    every = [row for row in found.scores if row["factor"] == "all"]
    shown = [{**row, "method": COMPARED[row["method"]].title} for row in every]
    main = {m: METRICS[m] for m in ("faithfulness", "window_stability", "mutation_stability")}
    main |= {m: METRICS[m] for m in METRICS if m.startswith(("hit", "planted")) and "auroc" in m}
    page.figure(
        figures.attribution_scores(shown, {**main, "evalattai": METRICS["evalattai"]}),
        "attribution_scores",
        "Means over the peaks of all factors with 95 % confidence intervals.",
    )
    page.table(_attribution_table(every))
    page.paragraph(ABOUT_AUTHORS)
    by_shift = [
        {**row, "max_shift": max_shift(row["method"])}
        for row in every
        if max_shift(row["method"]) is not None
    ]
    page.heading("Which N", 3)
    page.figure(
        figures.by_max_shift(by_shift, main),
        "max_shift",
        "ShiftSmooth by N; N = 0 is the gradient.",
    )
    page.items(_best_shifts(by_shift, main))
    page.paragraph(WHY_WINDOWS)
    page.table(_why_table(found.why))
    page.heading("Where ShiftSmooth helps, and where it does not", 3)
    page.items(_findings(found.comparisons))
    page.table(_difference_table(found.comparisons), folded=True)
    page.heading("How much is wrap-around?", 3)
    page.paragraph(
        "On planted sequences the real flanks are known, so the window can move over them instead"
        " of wrapping round. Shown is what ShiftSmooth adds to the gradient either way."
    )
    page.table(_edge_table(found.edges))
    page.table(_attribution_table_by_factor(found.scores), folded=True)
    page.table(_seconds_table(found.seconds), folded=True)


def _attribution_table(rows: Sequence[Row]) -> Table:
    """One row a method, model class and correction; the metrics side by side."""
    wide: dict[tuple[str, str, bool], Row] = {}
    for row in rows:
        key = (row["model_class"], row["method"], row["corrected"])
        entry = wide.setdefault(key, dict(zip(("model_class", "method", "corrected"), key)))
        for end in ("mean", "low", "high"):
            entry[row["metric"] if end == "mean" else f"{row['metric']}_{end}"] = row[end]
        entry["n_" + row["metric"]] = row["n"]
    for (model_class, method, corrected), entry in wide.items():
        entry["authors_faithfulness"] = _authors_faithfulness(model_class, method, corrected)
    return Table(
        "attribution",
        "Attribution methods over the peaks of all factors: means, with 95 % intervals in the CSV",
        [
            ("model", plain("model_class")),
            ("method", lambda row: COMPARED[row["method"]].title),
            ("simplex", lambda row: "yes" if row["corrected"] else "no"),
            *((title, number(metric)) for metric, title in METRICS.items()),
            ("authors, faithfulness", number("authors_faithfulness")),
        ],
        list(wide.values()),
        latex=True,
    )


def _authors_faithfulness(model_class: str, method: str, corrected: bool) -> float | None:
    names = {
        "gradient": "vanilla",
        "input-x-gradient": "gradxinp",
        "smoothgrad": "smoothgrad",
        "shiftsmooth-5": "shiftsmooth",
    }
    wanted = names.get(method, "") + ("_corr" if corrected else "")
    for row in scores.published("attribution_summary"):
        same = row["model_class"] == {"mixture": "MoE"}.get(model_class, model_class)
        if same and row["method"] == wanted:
            return float(row["faithfulness_to_ISM"])
    return None


def _attribution_table_by_factor(rows: Sequence[Row]) -> Table:
    return Table(
        "attribution_by_factor",
        "The same by factor, with intervals and the number of peaks",
        [
            ("factor", plain("factor")),
            ("model", plain("model_class")),
            ("method", lambda row: COMPARED[row["method"]].title),
            ("simplex", lambda row: "yes" if row["corrected"] else "no"),
            ("metric", lambda row: METRICS[row["metric"]]),
            ("mean (95 %)", with_interval("mean", "low", "high")),
            ("n", plain("n")),
        ],
        [row for row in rows if row["factor"] != "all"],
    )


def _difference_table(rows: Sequence[Row]) -> Table:
    return Table(
        "attribution_differences",
        "Paired differences over the peaks of all factors; p values after Holm's correction",
        [
            ("metric", lambda row: METRICS[row["metric"]]),
            ("model", plain("model_class")),
            ("simplex", lambda row: "yes" if row["corrected"] else "no"),
            ("method", lambda row: COMPARED[row["method"]].title),
            ("minus", lambda row: COMPARED[row["against"]].title),
            ("difference (95 %)", with_interval("difference", "low", "high", sign=True)),
            ("effect, d", number("effect", 2, sign=True)),
            ("p", probability("p_holm")),
        ],
        rows,
    )


def _why_table(rows: Sequence[Row]) -> Table:
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


def _edge_table(rows: Sequence[Row]) -> Table:
    return Table(
        "edges",
        "ShiftSmooth minus gradient on planted sequences: circular, over real flanks, and the"
        " difference of the two; agreement is the rank correlation of the two attributions",
        [
            ("metric", lambda row: METRICS[row["metric"]]),
            ("model", plain("model_class")),
            ("simplex", lambda row: "yes" if row["corrected"] else "no"),
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


def _seconds_table(rows: Sequence[Row]) -> Table:
    return Table(
        "seconds",
        "Seconds of one core for a thousand sequences",
        [
            ("model", plain("model_class")),
            ("method", lambda row: COMPARED[row["method"]].title),
            ("seconds", number("seconds", 2)),
        ],
        rows,
    )


def _best_shifts(rows: Sequence[Row], metrics: Mapping[str, str]) -> list[str]:
    """For every metric, the N with the highest mean."""
    texts = []
    for metric, title in metrics.items():
        parts = []
        for model_class in dict.fromkeys(row["model_class"] for row in rows):
            known = [
                row
                for row in rows
                if (row["metric"], row["model_class"], row["corrected"])
                == (metric, model_class, True)
                and row["mean"] is not None
            ]
            if known:
                best = max(known, key=lambda row: row["mean"])
                gradient = next(row["mean"] for row in known if row["max_shift"] == 0)
                parts.append(
                    f"{model_class} N = {best['max_shift']} ({best['mean']:.3f}, gradient"
                    f" {gradient:.3f})"
                )
        texts.append(f"Highest {title}, with simplex correction: {'; '.join(parts)}.")
    return texts


def _findings(rows: Sequence[Row]) -> list[str]:
    """Each comparison, with the simplex correction, as a sentence: better, worse or neither."""
    texts = []
    pairs = dict.fromkeys((row["method"], row["against"]) for row in rows)
    for model_class in dict.fromkeys(row["model_class"] for row in rows):
        for method, against in pairs:
            said: dict[str, list[str]] = {"better": [], "worse": [], "no different": []}
            for row in rows:
                same = (row["model_class"], row["method"], row["against"])
                if same != (model_class, method, against) or not row["corrected"]:
                    continue
                if row["difference"] is None:
                    continue
                sure = row["p_holm"] < 0.05
                how = ("better" if row["difference"] > 0 else "worse") if sure else "no different"
                said[how].append(f"{METRICS[row['metric']]} {row['difference']:+.3f}")
            parts = [f"{how}: {', '.join(what)}" for how, what in said.items() if what]
            first, second = COMPARED[method].title, COMPARED[against].title
            texts.append(f"{first} against {second}, {model_class}. {'; '.join(parts)}.")
    return texts


def _show_provenance(page: Report, results: Mapping[str, Any]) -> None:
    page.heading("Made with")
    settings = ", ".join(f"{key} {value}" for key, value in results["settings"].items())
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    page.items([f"Settings: {settings}.", f"Versions: {versions}."])
    rows: list[Row] = [{"what": n, "sha256": s} for n, s in results["models"].items()]
    rows += [{"what": n, "sha256": d["sha256"]} for n, d in results["data"].items()]
    page.table(
        Table(
            "sums",
            "Sums of the weights and of the data as they were used",
            [("what", plain("what")), ("sha256", plain("sha256"))],
            rows,
        ),
        folded=True,
    )


def _results(
    settings: Mapping[str, Any],
    zoo: Mapping[str, nn.Module],
    data: Sequence[LabelledSet],
    performance: Performance,
    found: Attributions | None,
) -> dict[str, Any]:
    """Everything that the same seed, weights, data and versions give again."""
    results: dict[str, Any] = {
        "settings": dict(settings),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
        "models": {name: _weights_sum(model) for name, model in zoo.items()},
        "data": {
            one.name: {"sha256": one.sha256, "rows": len(one.labels), "seen_in_training": one.seen}
            for one in data
        },
        "performance": {
            "scores": performance.scores,
            "comparisons": performance.comparisons,
            "anova": performance.anova,
            "gates": performance.gates,
        },
    }
    if found:
        results["attribution"] = {
            "peaks": found.peaks,
            "scores": found.scores,
            "comparisons": found.comparisons,
            "edges": found.edges,
            "why": found.why,
        }
    return results


def _weights_sum(model: nn.Module) -> str:
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return total.hexdigest()
