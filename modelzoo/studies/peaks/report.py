"""The page of the mixture paper's study: its prose, and the order of its tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import torch
from torch import nn

from modelzoo.architectures.pretrained import Pretrained
from modelzoo.attribution.methods import importance, maps
from modelzoo.datasets.planted import Simulation
from modelzoo.reports.page import Page
from modelzoo.reports.tables import Row, Table, plain
from modelzoo.sequences import decode, one_hot
from modelzoo.studies.peaks import figures, tables
from modelzoo.studies.peaks.attributions import Attributions
from modelzoo.studies.peaks.compared import COMPARED, max_shift
from modelzoo.studies.peaks.measures import METRICS
from modelzoo.studies.peaks.problems import MOTIFS, WINDOW
from modelzoo.studies.peaks.scores import Performance
from modelzoo.studies.peaks.sets import LabelledSet

KINDS = ("in distribution", "out of distribution")
MAIN = ("shiftsmooth-5", "gradient")  # the comparison that the summary tells

WHY_DIFFERENT = (
    "The published figures are of other models, trained by other rules, and measured on other "
    "negatives. In the paper a trial was not a resample of the sequences but another dropout "
    "mask on one fixed set with three negatives to a peak, and the negatives permuted pairs "
    "of bases, which does not keep dinucleotide counts: a model can tell such negatives from "
    "peaks by composition alone. The authors' later protocol uses the same 500 peaks and 500 "
    "dinucleotide shuffles as ours, dropout off, 1,000 resamples, but models that the "
    "published code had trained against permuted pairs. Ours are trained against a true "
    "dinucleotide shuffle that is drawn again in every epoch, so they have to know motifs. "
    "So a difference from the paper is first of all a difference of the tasks."
)
WHY_WINDOWS = (
    "Why the window matters: these models are convolutions and then a maximum over all positions, "
    "so they depend on the window in two ways. Padding reaches only the bases near the ends. Which "
    "position wins a maximum can change when bases enter or leave, and with it the gradient "
    "everywhere. The table takes the ends away, and says how many winners changed. ShiftSmooth "
    "averages over the winners of many windows. With a large N the seam where the two ends meet "
    "moves far into the window, which costs stability again."
)
WHY_NO_ANOVA = (
    "There is no analysis of variance here: resamples of one test set are not independent "
    "measurements. Their number is chosen by whoever runs the analysis, and with it the F of "
    "an ANOVA grows without bound. What a test set can say about two models on the same "
    "sequences is said by DeLong's test and by the paired bootstrap; the p values are "
    "corrected by Holm's method over all comparisons of the table. A peak and its shuffle are "
    "drawn together."
)
WHAT_IS_DISJOINT = (
    "Factors share promoters, so a peak of an unseen factor can lie where a training peak lies. "
    "Disjoint: peaks that have 40 bases in common, on either strand, with a training peak of any "
    "model of the table are left out; all shuffles are kept."
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
    "and uses its gradient. In-silico mutagenesis is what faithfulness is measured against, "
    "so its own is 1. Windows are moved over real bases of the peak, never wrapped round. "
    "EvalAttAI favours the plain gradient by definition. ARID3A's peaks in HepG2 and FOXM1's "
    "in GM12878 do not carry these factors' own motifs; their hits are of FOXA2 and BATF, the "
    "most enriched in the training peaks."
)
ABOUT_AUTHORS = (
    "The authors' study measured stability to noise, not to a moved window, so only "
    "faithfulness compares with ours."
)


def show_performance(page: Page, performance: Performance, data: Sequence[LabelledSet]) -> None:
    """Add scores, comparisons and gate weights to the page."""
    rigorous = performance.protocol == "rigorous"
    page.heading("Performance")
    page.paragraph(WHY_NO_ANOVA if rigorous else WHAT_THE_PAPER_DID)
    for kind in KINDS:
        rows = [row for row in performance.scores if row["kind"] == kind]
        if not rows:
            continue
        short = kind.replace(" ", "_")
        page.heading(kind.capitalize(), 3)
        page.table(tables.score_table(f"performance_{short}", kind, rows))
        page.figure(figures.roc_curves(performance, kind), f"roc_{short}", f"ROC curves, {kind}.")
        caption = f"Mean AUC and standard deviation over the resamples, {kind}."
        page.figure(figures.auc_bars(performance, kind), f"auc_{short}", caption)
        caption = f"95 % confidence intervals of the AUC, {kind}."
        page.figure(figures.auc_intervals(performance, kind), f"intervals_{short}", caption)
    page.heading("Why the figures differ from the published ones", 3)
    page.paragraph(WHY_DIFFERENT)
    if performance.comparisons:
        page.heading("The mixture against each other model", 3)
        page.table(tables.comparison_table(performance))
    if performance.anova:
        page.heading("Analysis of variance", 3)
        page.table(tables.anova_table(performance))
    if performance.gates:
        page.heading("Which expert answers for which factor", 3)
        caption = "Mean gate weights, on peaks and on their shuffles."
        page.figure(figures.gate_weights(performance), "gate_weights", caption)
        page.table(tables.gate_table(performance), folded=True)
    if any(one.shared is not None for one in data):
        page.paragraph(WHAT_IS_DISJOINT)
    seen = [f"{one.name} {one.seen}" for one in data if one.seen]
    if seen:
        page.paragraph(
            "Rows of these sets that are also training rows of a factor, on either strand; they are"
            f" kept and counted: {', '.join(seen)}."
        )


def show_examples(
    page: Page,
    data: Sequence[LabelledSet],
    experts: Mapping[str, nn.Module],
    mixture: nn.Module | None,
    seed: int,
) -> None:
    """Add the paper's Figs. 10 to 19: a GATA3 peak with both orientations, a random sequence."""
    if "GATA3" not in experts:
        return
    models = {"expert": experts["GATA3"]} | ({"mixture": mixture} if mixture else {})
    gata = next(one for one in data if one.name == "GATA3")
    texts = decode(gata.codes[gata.labels == 1])
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
        x = one_hot(text)
        for name, model in models.items():
            for method, title in titles.items():
                found = maps(model, x, COMPARED[method], corrected=False)
                track = importance(found, x)[0].numpy()
                with torch.inference_mode():
                    probability_ = _probability(model, x)
                what = "a GATA3 peak" if kind == "peak" else "a random sequence without the motifs"
                caption = f"{title}, {name}, {what}; predicted probability {probability_:.2f}."
                drawn = figures.attribution_track(text, track, boxes, f"{title}, {name}")
                page.figure(drawn, f"track_{kind}_{name}_{method}", caption)


def _probability(model: nn.Module, x: torch.Tensor) -> float:
    logits = model(x)
    known = model.probabilities(logits) if isinstance(model, Pretrained) else logits.sigmoid()
    return known[0, 0].item()


def _random_sequence(seed: int) -> str:
    """A random sequence of the window's length in which no factor's motif comes near."""
    motifs = "\n".join(f'[motifs.{name}]\nmatrix = "{id_}"' for name, id_ in MOTIFS.items())
    simulation = Simulation.from_toml(
        f"length = {WINDOW}\nthreshold = 0.7\n{motifs}\n"
        "[[positives]]\nshare = 1\nmotifs = []\n[[negatives]]\nshare = 1\nmotifs = []\n"
    )
    return simulation.sample(1, seed=seed).strings()[0]


def show_attributions(page: Page, found: Attributions) -> None:
    """Add how good the attributions are."""
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
    page.table(tables.attribution_table(every))
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
    page.table(tables.why_table(found.why))
    page.heading("Where ShiftSmooth helps, and where it does not", 3)
    page.figure(
        figures.forest([row for row in found.comparisons if row["corrected"]]),
        "differences",
        "The first method minus the second, with 95 % confidence intervals and the simplex "
        "correction; right of the line the first is better. Filled: p below 0.05 after Holm's "
        "correction.",
    )
    page.table(tables.difference_table(found.comparisons), folded=True)
    page.heading("How much is wrap-around?", 3)
    page.paragraph(
        "On planted sequences the real flanks are known, so the window can move over them instead"
        " of wrapping round. Shown is what ShiftSmooth adds to the gradient either way."
    )
    page.table(tables.edge_table(found.edges))
    page.table(tables.by_factor_table(found.scores), folded=True)
    page.paragraph("How long the methods take is in timings.json, which differs from run to run.")


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


def summarised(performance: Performance, found: Attributions | None) -> list[str]:
    """Return what was found, in sentences."""
    texts = []
    for kind in KINDS:
        aucs: dict[str, list[float]] = {}
        for row in performance.scores:
            if row["kind"] == kind:
                aucs.setdefault(row["model"], []).append(row["roc_auc"])
        means = sorted(((fmean(values), model) for model, values in aucs.items()), reverse=True)
        if means:
            told = ", ".join(f"{model} {mean:.3f}" for mean, model in means)
            texts.append(f"Mean ROC AUC, {kind}: {told}.")
    return texts + (_gains(found.comparisons) if found else [])


def _gains(rows: Sequence[Row]) -> list[str]:
    """For each kind of model, what ShiftSmooth adds to the gradient: better, worse or neither."""
    texts = []
    for model_class in dict.fromkeys(row["model_class"] for row in rows):
        said: dict[str, list[str]] = {"better": [], "worse": [], "no different": []}
        for row in rows:
            same = (row["model_class"], row["method"], row["against"], row["corrected"])
            if same != (model_class, *MAIN, True) or row["difference"] is None:
                continue
            sure = row["p_holm"] < 0.05
            how = ("better" if row["difference"] > 0 else "worse") if sure else "no different"
            said[how].append(f"{METRICS[row['metric']]} {row['difference']:+.3f}")
        parts = [f"{how}: {', '.join(what)}" for how, what in said.items() if what]
        if parts:
            first, second = (COMPARED[method].title for method in MAIN)
            texts.append(f"{first} against {second}, {model_class}. {'; '.join(parts)}.")
    return texts


def show_provenance(page: Page, results: Mapping[str, Any]) -> None:
    """Add settings, versions and checksums."""
    page.heading("Made with")
    settings = ", ".join(f"{key} {value}" for key, value in results["settings"].items())
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    page.items([f"Settings: {settings}.", f"Versions: {versions}."])
    rows: list[Row] = [{"what": n, "sha256": s} for n, s in results["models"].items()]
    rows += [{"what": n, "sha256": d["sha256"]} for n, d in results["data"].items()]
    page.table(
        Table(
            "sums",
            "Checksums of the weights and of the data as they were used",
            [("what", plain("what")), ("sha256", plain("sha256"))],
            rows,
        ),
        folded=True,
    )
