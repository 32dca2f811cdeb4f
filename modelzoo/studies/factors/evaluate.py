"""The study of the zoo's factors, as one report.

    python -m modelzoo.studies.factors -o FOLDER [--quick] [--no-mixtures] [--seed 0]

Which expert knows what, how well its probabilities hold, and whether adding experts to a mixture
helps on factors that none of them has seen. Of every test set the disjoint peaks are counted and
judged apart: those that have no 40 bases in common with a peak of any training set. Test and
out-of-distribution files are opened here and by `modelzoo.studies.shipped judge` alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import modelzoo
from modelzoo.architectures.expert import Expert
from modelzoo.datasets import chipseq
from modelzoo.datasets.peaks import Peaks
from modelzoo.files import sha256
from modelzoo.reports.folder import Report, write_json
from modelzoo.reports.tables import Row
from modelzoo.studies.factors import figures, tables
from modelzoo.studies.factors.experts import Judged, judge
from modelzoo.studies.factors.mixtures import QUICK_PLAN, Grown, Plan, answers_of, unseen_scores
from modelzoo.studies.peaks.paper import is_mixture
from modelzoo.studies.peaks.sets import LabelledSet, judged_set, with_shared
from modelzoo.studies.shipped import MOE12, TWELVE
from modelzoo.zoo import catalog
from modelzoo.zoo.catalog import model_name

FIRST = tuple(TWELVE.index(factor) for factor in chipseq.FACTORS)

WHAT_IS_DISJOINT = (
    "Factors share promoters, so a peak of one factor often lies where a training peak of another "
    "lies. Disjoint peaks have no 40 bases in common, on either strand, with a peak of any of the "
    "thirteen training sets; the other peaks are left out and all shuffles are kept. Claims are "
    "made on disjoint peaks."
)
WHAT_IS_OTHERS = (
    "A shuffle is an easy negative: it lacks what open chromatin has in common. Against others: "
    "the test peaks of the other factors that do not overlap with a peak of the expert's own, "
    "averaged over the other sets. Experts whose names end in -specific were trained against both. "
    "Where an expert hardly tells its peaks from another factor's, what it found is that factor's: "
    "ARID3A in HepG2 is found at sites of FOXA."
)
WHAT_IS_CALIBRATED = (
    "Probabilities are calibrated after Platt on held-out peaks, against negatives of the kind the "
    "expert was trained on, as many as peaks. ECE: how far the fraction of peaks is from the "
    "probability, on average over ten bins, before and after. Test files hold easier peaks than "
    "those that are held out (their AUC is higher), so a calibration that holds on held-out peaks "
    "need not hold there, and the error can rise."
)
WHAT_GROWS = (
    "Each mixture is trained on the peaks of its own experts' factors. Random choices of experts; "
    "intervals are of the sequences, 95 %, the same resamples for all."
)
WHAT_IS_READ = (
    "Logistic regression on the embeddings of all experts, trained on the same peaks and shuffles, "
    "its penalty chosen on held-out peaks: an analysis, no model of the zoo."
)
WHAT_IS_ADDED = (
    "To the mixture of the paper's three experts one more is added. Either only its own part is "
    "trained, its row of the gate and its transform, or the whole gate from nothing."
)


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        plan: Of the mixtures.
        resamples: Bootstrap resamples of every interval.
        groups: Peaks of each data set to judge on, each with its shuffle; None for all.
    """

    plan: Plan = field(default_factory=Plan)
    resamples: int = 1000
    groups: int | None = None


QUICK = Settings(QUICK_PLAN, resamples=50, groups=40)


def evaluate(
    out: str | Path,
    *,
    quick: bool = False,
    mixtures: bool = True,
    seed: int = 0,
    settings: Settings | None = None,
) -> Path:
    """Measure and write the report; return the path of its page.

    Interrupted and called again with the same arguments, it resumes.

    Args:
        out: The folder, created if missing.
        quick: Small samples, hardly trained mixtures.
        mixtures: Train mixtures over more and more experts as well; most of the time goes there.
        seed: The same seed gives the same `results.json`.
        settings: How much to measure, where neither `quick` nor its opposite fits.
    """
    chosen = settings or (QUICK if quick else Settings())
    page = Report(Path(out), "ShiftSmooth model zoo: factors", quick=quick)
    page.paragraph(WHAT_IS_DISJOINT)
    sources = list(chipseq.sets("train"))
    sets = [judged_set(name) for name in (*sources, *chipseq.OOD_FACTORS)]
    if chosen.groups is not None:
        sets = [data.first(chosen.groups) for data in sets]
    sets = with_shared(sets, sources)
    tests, unseen = sets[: len(sources)], sets[len(sources) :]
    judged = _experts(tests, chosen, seed)
    _show_experts(page, judged)
    single = _single(unseen, chosen, seed)
    page.heading("Factors that no model has seen")
    page.table(tables.unseen(single, unseen))
    shown = _show_mixtures(page, unseen, chosen, seed) if mixtures else ([], [], [])
    curve, read, added = shown
    results = {
        "settings": {"quick": quick, "mixtures": mixtures, "seed": seed, **asdict(chosen)},
        "models": {n: catalog.info(n).sha256 for n in [r["model"] for r in single]},
        "disjoint": {d.name: int(d.labels[d.disjoint].sum()) for d in sets},
        "experts": judged.scores,
        "specificity": judged.specificity,
        "unseen": single,
        "growth": [_without_times(row) for row in curve],
        "readouts": [_without_times(row) for row in read],
        "additions": [_without_times(row) for row in added],
    }
    write_json(page.folder / "results.json", results)
    page.summary(tables.summarised(judged.scores, single, curve))
    if settings is None:
        words = " --quick" * quick + " --no-mixtures" * (not mixtures) + f" --seed {seed}"
        page.made_by(f"python -m modelzoo.studies.factors -o factors{words}")
    return page.finish()


def _show_mixtures(
    page: Report, unseen: Sequence[LabelledSet], chosen: Settings, seed: int
) -> tuple[list[Row], list[Row], list[Row]]:
    grown = _grown(page, unseen, chosen, seed)
    curve = _with_scores(*grown.curve(), unseen, chosen, seed)
    page.heading("Does adding experts help?")
    page.paragraph(WHAT_GROWS)
    page.figure(figures.growth(curve), "growth", "Mean AUC on the six unseen factors.")
    page.table(tables.growth(curve), folded=True)
    line, answers = grown.readout()
    read = [{"readout": "gate, as in the paper", **curve[-1]}]
    read += _with_scores([line], [answers], unseen, chosen, seed)
    page.heading("What the gate costs", 3)
    page.paragraph(WHAT_IS_READ)
    page.table(tables.readouts(read))
    added = _with_scores(*grown.additions(FIRST), unseen, chosen, seed)
    page.heading("One more expert", 3)
    page.paragraph(WHAT_IS_ADDED)
    page.table(tables.additions(added))
    return curve, read, added


def experts_of_peaks() -> dict[str, str]:
    """Return the DeepBind experts of the catalog and the negatives they were trained against."""
    infos = [catalog.info(name) for name in catalog.list_models("deepbind")]
    return {info.name: info.recipe["params"].get("negatives", "shuffles") for info in infos}


def _without_times(row: Row) -> Row:
    return {key: value for key, value in row.items() if key != "seconds"}


def _experts(tests: Sequence[LabelledSet], chosen: Settings, seed: int) -> Judged:
    kinds = experts_of_peaks()
    loaded: dict[str, Any] = {name: modelzoo.load(name) for name in kinds}
    return judge(loaded, kinds, tests, resamples=chosen.resamples, seed=seed)


def _show_experts(page: Report, judged: Judged) -> None:
    page.heading("Experts on their own factors")
    page.paragraph(WHAT_IS_OTHERS)
    page.table(tables.experts(judged.scores))
    kinds = {row["expert"]: row["negatives"] for row in judged.scores}
    for kind in dict.fromkeys(kinds.values()):
        rows = [row for row in judged.specificity if kinds[row["expert"]] == kind]
        caption = f"Each expert on each factor's peaks; experts trained against {kind}."
        page.figure(figures.specificity(rows, ""), f"specificity_{kind}", caption)
    page.paragraph(WHAT_IS_CALIBRATED)
    page.figure(figures.reliability(judged.curves), "reliability", "Calibration on test sets.")


def _single(unseen: Sequence[LabelledSet], chosen: Settings, seed: int) -> list[Row]:
    """Return rows of whole models of the catalog on the unseen sets: mixtures and experts."""
    models = {}
    for info in map(catalog.info, catalog.list_models()):
        if not info.shipped or not info.recipe["data"] or len(info.tasks) > 1:
            continue
        model = modelzoo.load(info.name)
        if is_mixture(model) or isinstance(model, Expert):
            models[info.name] = model
    rows, _ = unseen_scores(
        answers_of(models, unseen), unseen, resamples=chosen.resamples, seed=seed
    )
    told = [{"model": name, **row} for name, row in zip(models, rows)]
    return sorted(told, key=lambda row: (row["model"] != MOE12, -row["roc_auc_disjoint"]))


def _grown(page: Report, unseen: Sequence[LabelledSet], chosen: Settings, seed: int) -> Grown:
    known = catalog.list_models("deepbind")
    names = {f: name for f in TWELVE if (name := model_name("deepbind", f)) in known}
    made_from = [[catalog.info(name).sha256 for name in names.values()], asdict(chosen), seed]
    parts = page.folder / "parts" / sha256(json.dumps(made_from).encode())[:16]
    experts: dict[str, Any] = {factor: modelzoo.load(name) for factor, name in names.items()}
    peaks = [Peaks([factor]) for factor in names]
    return Grown(experts, peaks, unseen, chosen.plan, parts, seed)


def _with_scores(
    rows: list[Row], answers: Any, unseen: Sequence[LabelledSet], chosen: Settings, seed: int
) -> list[Row]:
    scores, _ = unseen_scores(answers, unseen, resamples=chosen.resamples, seed=seed)
    return [{**row, **measured} for row, measured in zip(rows, scores)]
