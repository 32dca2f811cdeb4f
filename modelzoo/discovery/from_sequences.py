"""Motif discovery from sequences: an ExplaiNN learns to tell them from their shuffles.

Its units become motifs. A network finds something to learn in any sequences, so a motif counts as
found only if its unit adds to the logit and its best hit alone tells held-out sequences from their
shuffles, with a false discovery rate of 5 % over the units (Mann and Whitney's test, Benjamini and
Hochberg's correction).
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.attribution.explainn_units import importances
from modelzoo.datasets.peaks import Peaks, Source, options, peak_records
from modelzoo.discovery.figures import rank_figure
from modelzoo.discovery.findings import Finding, Findings
from modelzoo.discovery.report import database_options, write_report
from modelzoo.errors import working
from modelzoo.files import write_atomically
from modelzoo.motifs import Motif, annotate, best_hits, correctly_predicted, filter_motifs, jaspar
from modelzoo.motifs.jaspar import GROUP, RELEASE
from modelzoo.sequences import encode
from modelzoo.training.checkpoints import refuse_other
from modelzoo.training.multitask import MultiTaskParams, train_explainn
from modelzoo.training.run_folder import partial, read_json
from modelzoo.zoo.hub import load

Q_VALUE = 0.05
_RANKS = (
    "How well each motif's best hit alone tells held-out sequences from their shuffles, by the"
    " importance of its unit"
)


class UnitMotif(NamedTuple):
    """The motif of a unit, its importance and its performance.

    Attributes:
        motif: The motif of the unit's filter.
        importance: The unit's median importance.
        auprc: How well the motif's best hit alone tells held-out sequences from their shuffles.
        q_value: The false discovery rate of better hits in the sequences than in their shuffles.
    """

    motif: Motif
    importance: float
    auprc: float
    q_value: float

    @property
    def found(self) -> bool:
        """Whether the motif counts as found."""
        return self.importance > 0 and self.q_value <= Q_VALUE


def discover(
    source: Source,
    out: str | Path,
    *,
    units: int = 100,
    seed: int = 0,
    params: MultiTaskParams | None = None,
    release: str = RELEASE,
    group: str | None = GROUP,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Path:
    """Write the motifs that tell sequences from their dinucleotide shuffles; return the page.

    Motifs are ranked by the importance of their units. Those that resemble a better one are in the
    files, and counted on the page. The trained model is in the folder `model`. A run that was
    stopped resumes when it is called again with the same arguments.

    Args:
        source: One of `modelzoo.datasets.chipseq.FACTORS`, a FASTA or `.seq` file of sequences of
            one length, or `modelzoo.datasets.peaks.Windows` of a genome.
        out: The folder to make.
        units: The largest number of motifs to look for.
        seed: The seed of the training.
        params: Hyper-parameters of the training; the recipe's by default.
        release: The release of JASPAR.
        group: A taxonomic group of it; None is all.
        device: Where the ExplaiNN is trained.
        progress: Show bars.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: An argument is wrong, or a run with other arguments was stopped on its way to
            `out`.
        RuntimeError: There is no motif.
    """
    out = Path(out)
    folder = partial(out)
    database = jaspar(release, group)
    peaks = Peaks([source])
    params = params or MultiTaskParams.of("explainn")
    sums = list(peaks.sources.values())
    _begin(folder, {"sources": sums, "units": units, "seed": seed, **dataclasses.asdict(params)})
    if not (folder / "model").exists():
        how: dict[str, Any] = {"params": params, "seed": seed, "progress": progress}
        how |= {"out": folder / "model", "units": units, "device": device}
        train_explainn([source], **how)
    with working(), tqdm(total=4, disable=not progress) as bar:
        bar.set_description("filters")
        model: Any = load(folder / "model")
        auc = read_json(folder / "model" / "training.json")["validation_auc"]
        every = unit_motifs(model, peaks, seed)
        if not any(unit.found for unit in every):
            raise RuntimeError(
                f"no motif found in {source}: none of {units} units has one that tells held-out"
                f" sequences from their shuffles; the validation AUC is {auc:.3f}"
            )
        bar.update()
        bar.set_description("Tomtom")
        findings, shown = _named([unit for unit in every if unit.found], database)
        bar.update()
        bar.set_description("FIMO")
        records = peak_records(source)
        codes, names = encode([r.sequence for r in records]), [r.name for r in records]
        found = Findings.of(findings, shown, codes, names, [r.interval for r in records])
        bar.update()
        bar.set_description("logos and page")
        found.write(folder)
        facts = {
            "sequences": f"{len(records):,}",
            "validation AUC": f"{auc:.3f}",
            "units": str(units),
            "with a motif": str(len(findings)),
            "distinct": str(len(shown)),
            "database": f"{release} {group or 'all'}",
        }
        (task,) = peaks.tasks
        ranks = rank_figure({task: np.array([unit.auprc for unit in every])})
        command = (
            f"shiftsmooth motifs {shlex.quote(Path(source).name)}{options([source])} -o motifs"
        )
        command += f" --units {units} --seed {seed}{database_options(release, group)}"
        write_report(folder, f"Motifs of {task}", facts, found, command, {_RANKS: ranks})
        bar.update()
    (folder / "run.json").unlink()
    os.replace(folder, out)
    return out / "index.html"


def unit_motifs(model: ExplaiNN, peaks: Peaks, seed: int) -> list[UnitMotif]:
    """Return the informative motifs of a model's units, the most important unit's first.

    Args:
        model: Trained on the peaks.
        peaks: Those to make motifs of, and those held out to judge them by.
        seed: The seed of the training.
    """
    codes, labels = peaks.epoch(0, seed)
    codes = codes[correctly_predicted(model, codes, labels.numpy())]
    if not len(codes):
        return []
    filters = filter_motifs(model.activations, codes, model.width)
    importance = importances(model, codes)
    medians = importance.medians[:, 0]
    ranked = [
        (motif, float(medians[unit]))
        for unit in importance.ranked(0)
        if (motif := filters[unit]) is not None and motif.informative.any()
    ]
    held_out, known = peaks.held_out
    judged = _judged([motif.trimmed() for motif, _ in ranked], held_out, known[:, 0].numpy())
    return [UnitMotif(*motif, *score) for motif, score in zip(ranked, judged)]


def distinct(motifs: Sequence[Motif], database: Sequence[Motif]) -> dict[int, list[int]]:
    """Return the motifs that resemble none before them, each with all those that resemble it.

    Args:
        motifs: The better ones first.
        database: More motifs to compare with: p-values of a few motifs alone are unreliable.
    """
    similar = annotate(motifs, [*database, *motifs])
    names = {motif.name: index for index, motif in enumerate(motifs)}
    groups: dict[int, list[int]] = {}
    for index, found in enumerate(similar):
        alike = {names[m.target.name] for m in found if m.target in motifs}
        first = next((first for first in groups if first in alike), index)
        groups.setdefault(first, []).append(index)
    return groups


def _named(
    units: Sequence[UnitMotif], database: Sequence[Motif]
) -> tuple[list[Finding], list[Finding]]:
    """Return the findings of units, and those of them that resemble no better one."""
    motifs = [unit.motif for unit in units]
    alike = distinct(motifs, database)
    findings = []
    for index, (unit, finding) in enumerate(zip(units, Finding.among(motifs, database))):
        facts = {
            "importance": f"{unit.importance:.3g}",
            "AUPRC": f"{unit.auprc:.3f}",
            "units alike": str(len(alike.get(index, ()))),
        }
        findings.append(dataclasses.replace(finding, facts=facts))
    return findings, [findings[first] for first in alike]


def _judged(
    motifs: Sequence[Motif], codes: np.ndarray, labels: np.ndarray
) -> list[tuple[float, float]]:
    """Return the AUPRC of each motif's best hit alone, and its q-value."""
    from scipy.stats import false_discovery_control, mannwhitneyu
    from sklearn.metrics import average_precision_score

    if not motifs:
        return []
    hits = best_hits(motifs, codes)
    bound = labels == 1
    p_values = mannwhitneyu(hits[bound], hits[~bound], alternative="greater").pvalue
    q_values = false_discovery_control(p_values)
    return [
        (float(average_precision_score(labels, column)), float(q))
        for column, q in zip(hits.T, q_values)
    ]


def _begin(folder: Path, identity: dict[str, Any]) -> None:
    """Make the folder of a run and write down its identity; refuse to resume another run."""
    note = folder / "run.json"
    if note.exists():
        refuse_other(folder, read_json(note), identity)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(note, json.dumps(identity).encode())
