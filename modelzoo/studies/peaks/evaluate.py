"""`evaluate`: from trained models to one folder with every table and figure of the paper.

index.html        the report: opens without a network, on a phone, in light and dark
tables/           each table as CSV and Markdown, those of the paper as LaTeX too
figures/          each figure as SVG and PNG
results.json      every number, with seed, versions and checksums; the same for the same seed
timings.json      measured times; they differ from run to run
cells/            finished parts of the attribution evaluation, from which a stopped one goes on
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

import modelzoo
from modelzoo.architectures.weights import checksum
from modelzoo.jobs import CELLS, Where
from modelzoo.reports.folder import Report, write_json
from modelzoo.studies.peaks import report
from modelzoo.studies.peaks.attributions import Attributions, evaluate_attributions
from modelzoo.studies.peaks.paper import MIXTURE, is_published, published_name
from modelzoo.studies.peaks.problems import MOTIFS
from modelzoo.studies.peaks.scores import Performance, Protocol, score
from modelzoo.studies.peaks.sets import LabelledSet, paper_sets, trained_on, with_shared

_PACKAGES = ("shiftsmooth", "torch", "captum", "numpy", "scipy", "scikit-learn", "tangermeme")


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    Attributes:
        peaks: Peaks of each factor whose attributions are measured, and planted sequences.
        resamples: Bootstrap resamples of every interval.
        groups: Peaks of each data set to judge on, each with its shuffle; None for all.
        methods: Attribution methods, keys of `COMPARED`; None for all.
    """

    peaks: int = 200
    resamples: int = 1000
    groups: int | None = None
    methods: tuple[str, ...] | None = None


QUICK = Settings(
    peaks=10,
    resamples=200,
    groups=50,
    methods=("gradient", "smoothgrad", "shiftsmooth-5", "shift-and-noise"),
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
    where: Where | None = None,
    device: str = "cpu",
    settings: Settings | None = None,
    progress: bool = True,
) -> Path | None:
    """Evaluate models and their attributions, and write the report.

    Interrupted and called again with the same arguments, it resumes.

    Args:
        out: Folder of the report, created if it does not exist.
        protocol: `"rigorous"`, or `"paper"` for the statistics of the mixture paper.
        quick: Small samples: minutes become seconds, intervals become wide.
        models: Names of the catalog, or models by name, which are copied and not changed; by
            default the paper's experts and their mixture. Attributions are evaluated for these
            alone.
        sets: The data sets to judge on; by default the paper's nine.
        attributions: Evaluate attributions as well.
        seed: The same seed gives the same `results.json`.
        where: Where attributions are made; by default in one process per core, for which a script
            has to guard its main part by `if __name__ == "__main__"`.
        device: Where predictions are made. Attributions are always computed on the CPU.
        settings: How much to measure, where neither `quick` nor its opposite fits.
        progress: Show bars with the time left.

    Returns:
        The path of `index.html`; None for one job of many, whose share of the attributions lies in
        `cells/`.
    """
    started = time.monotonic()
    chosen = settings or (QUICK if quick else Settings())
    page = Report(Path(out), "ShiftSmooth model zoo: evaluation", quick=quick)
    zoo = _load(models, device)
    data = list(sets or [])
    if sets is None:
        data = with_shared(paper_sets(), trained_on(zoo.values()))
    if chosen.groups is not None:
        data = [one.first(chosen.groups) for one in data]
    measured = partial(
        _measured, page.folder / CELLS, settings=chosen, seed=seed, where=where, progress=progress
    )
    named = {published_name(model): model for model in zoo.values()}
    peaks = _peaks(data, named, chosen.peaks, seed) if attributions else {}
    if where is not None and where.part is not None:
        if peaks:
            measured(named, peaks)
            where.note(page.folder / CELLS)
        return None
    performance = score(
        zoo, data, protocol=protocol, resamples=chosen.resamples, seed=seed, device=device
    )
    timings: dict[str, Any] = {"performance_seconds": time.monotonic() - started}
    report.show_performance(page, performance, data)
    found, started = None, time.monotonic()
    if peaks and (found := measured(named, peaks)):
        timings["attribution_seconds"] = time.monotonic() - started
        timings["attribution_methods"] = found.seconds
        page.heading("Attribution")
        experts = {factor: named[factor] for factor in peaks}
        report.show_examples(page, data, experts, named.get(MIXTURE), seed)
        report.show_attributions(page, found)
    told = {"protocol": protocol, "quick": quick, "seed": seed, "resamples": chosen.resamples}
    results = _results(told, zoo, data, performance, found)
    write_json(page.folder / "results.json", results)
    write_json(page.folder / "timings.json", timings)
    report.show_provenance(page, results)
    page.summary(report.summarised(performance, found))
    if settings is None and sets is None and not isinstance(models, Mapping):
        page.made_by(_command(told, models, attributions))
    return page.finish()


def _command(told: Mapping[str, Any], models: Sequence[str] | None, attributions: bool) -> str:
    """The command line of an evaluation, into the folder that is its default."""
    words = ["shiftsmooth evaluate models", *(f"-m {name}" for name in models or ())]
    words += [f"--protocol {told['protocol']}"] + ["--quick"] * told["quick"]
    words += ["--no-attributions"] * (not attributions) + [f"--seed {told['seed']}"]
    return " ".join([*words, "-o report"])


def _load(
    models: Sequence[str] | Mapping[str, nn.Module] | None, device: str
) -> dict[str, nn.Module]:
    if isinstance(models, Mapping):
        return {name: copy.deepcopy(m).to(device).eval() for name, m in models.items()}
    if models is None:
        known = [modelzoo.info(name) for name in modelzoo.list_models()]
        models = [info.name for info in known if info.shipped and is_published(info)]
    if not models:
        raise ValueError("models: expected at least one; the catalog has none of the paper's")
    order = {"moe": 1, "deepbind": 0}
    ranked = sorted(models, key=lambda name: order.get(modelzoo.info(name).architecture, 2))
    return {name: modelzoo.load(name, device=device) for name in ranked}


def _measured(
    folder: Path,
    named: Mapping[str | None, nn.Module],
    peaks: Mapping[str, np.ndarray],
    *,
    settings: Settings,
    seed: int,
    where: Where | None,
    progress: bool,
) -> Attributions | None:
    """Measure the attributions, on the CPU; None where this is one job of many."""
    for model in named.values():
        model.cpu()
    return evaluate_attributions(
        folder,
        {factor: named[factor] for factor in peaks},
        named.get(MIXTURE),
        peaks,
        methods=settings.methods,
        planted=settings.peaks,
        resamples=settings.resamples,
        seed=seed,
        where=where,
        progress=progress,
    )


def _peaks(
    data: Sequence[LabelledSet], named: Mapping[str | None, nn.Module], count: int, seed: int
) -> dict[str, np.ndarray]:
    """So many peaks without unknown bases of each factor that has a model and a motif."""
    peaks = {}
    for one in data:
        if one.name in MOTIFS and one.name in named:
            found = np.flatnonzero((one.labels == 1) & (one.codes < 4).all(axis=1))
            size = min(count, len(found))
            chosen = np.random.default_rng(seed).choice(found, size, replace=False)
            peaks[one.name] = one.codes[np.sort(chosen)]
    return peaks


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
        "models": {name: checksum(model) for name, model in zoo.items()},
        "data": {
            one.name: {
                "sha256": one.sha256,
                "rows": len(one.labels),
                "seen_in_training": one.seen,
                "disjoint_peaks": int(one.labels[one.disjoint].sum()),
            }
            for one in data
        },
        "performance": {
            name: getattr(performance, name) for name in ("scores", "comparisons", "anova", "gates")
        },
    }
    if found:
        shown = ("peaks", "scores", "comparisons", "edges", "why")
        results["attribution"] = {name: getattr(found, name) for name in shown}
    return results
