"""De novo motif discovery: an ExplaiNN learns sequences from their shuffles, its units are read.

A unit's motif counts as found if the unit adds to the logit and the motif's best hit alone tells
held-out sequences from their shuffles, with a false discovery rate of 5 % over the units (Mann and
Whitney's test, Benjamini and Hochberg's correction): a network finds something to learn in any
sequences.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from modelzoo.attribution.explainn_units import importances
from modelzoo.datasets.peaks import Peaks, source_file, task_of
from modelzoo.discovery.report import Finding, rank_figure, write_report
from modelzoo.files import write_atomically
from modelzoo.motifs.filters import correctly_predicted, filter_motifs
from modelzoo.motifs.instances import average_precision, best_hits, find_instances, syntax
from modelzoo.motifs.jaspar import GROUP, RELEASE, annotate, jaspar
from modelzoo.motifs.motif import Motif
from modelzoo.sequences import encode, read_sequences
from modelzoo.training import run_folder as provenance
from modelzoo.training.multitask import MultiTaskParams, train_explainn
from modelzoo.zoo.hub import load

Q_VALUE = 0.05


def discover(
    source: str | Path,
    out: str | Path,
    *,
    units: int = 100,
    seed: int = 0,
    params: MultiTaskParams | None = None,
    release: str = RELEASE,
    group: str | None = GROUP,
    progress: bool = True,
) -> Path:
    """Writes the motifs that tell sequences from their dinucleotide shuffles; returns the page.

    Motifs are ranked by the importance of their units. Those that resemble a better one are in the
    files, and counted on the page. The trained model is in the folder `model`. A run that was
    stopped resumes when it is called again with the same arguments.

    Args:
        source: One of :data:`modelzoo.datasets.chipseq.FACTORS`, or a FASTA or `.seq` file of
            sequences of one length.
        out: The folder to make.
        units: How many motifs to look for, at most.
        seed: Of the training.
        params: Of the training; the recipe's by default.
        release: Of JASPAR.
        group: A taxonomic group of it; None is all.
        progress: Show bars.

    Raises:
        FileExistsError: `out` is there already.
        ValueError: An argument does not fit, or a run with others was stopped on its way to `out`.
        RuntimeError: There is no motif.
    """
    out = Path(out)
    if out.exists():
        raise FileExistsError(f"out: {out} exists already; remove it, or write elsewhere")
    database = jaspar(release, group)
    peaks = Peaks([source])
    params = params or MultiTaskParams.of("explainn")
    folder = provenance.partial(out)
    folder.mkdir(parents=True, exist_ok=True)
    _same_run(folder / "run.json", peaks, units=units, seed=seed, **dataclasses.asdict(params))
    if not (folder / "model").exists():
        train_explainn(
            [source],
            out=folder / "model",
            units=units,
            params=params,
            seed=seed,
            progress=progress,
        )
    model: Any = load(folder / "model")
    training = json.loads((folder / "model" / "training.json").read_text())

    with tqdm(total=4, disable=not progress) as bar:
        bar.set_description("filters")
        codes, labels = peaks.epoch(0, seed)
        codes = codes[correctly_predicted(model, codes, labels.numpy())]
        motifs = filter_motifs(model.activations, codes, model.width) if len(codes) else []
        ranked: list[tuple[Motif, float]] = []
        if any(motifs):
            importance = importances(model, codes)
            medians = importance.medians[:, 0]
            ranked = [
                (motif, medians[unit])
                for unit in importance.ranked(0)
                if (motif := motifs[unit]) is not None and motif.informative.any()
            ]
        held_out, known = peaks.held_out
        judged = _judged([motif.trimmed() for motif, _ in ranked], held_out, known[:, 0].numpy())
        found = [row for row, (_, q) in enumerate(judged) if q <= Q_VALUE and ranked[row][1] > 0]
        if not found:
            raise RuntimeError(
                f"no motif found in {source}: none of {units} units has one that tells held-out"
                f" sequences from their shuffles; the validation AUC is"
                f" {training['validation_auc']:.3f}"
            )
        bar.update()
        bar.set_description("Tomtom")
        chosen = [ranked[row][0] for row in found]
        matches = annotate(chosen, database)
        variants = distinct(chosen, database)
        bar.update()
        bar.set_description("FIMO")
        records = [r for r in read_sequences(source_file(source)) if r.label != 0]
        shown = [chosen[first] for first in variants]
        instances = find_instances(
            [motif.trimmed() for motif in shown], encode([r.sequence for r in records])
        )
        bar.update()
        bar.set_description("logos and page")
        findings = [
            Finding(
                motif,
                matches[index],
                {
                    "importance": f"{ranked[found[index]][1]:.3g}",
                    "AUPRC": f"{judged[found[index]][0]:.3f}",
                    "units alike": str(len(variants.get(index, ()))),
                },
            )
            for index, motif in enumerate(chosen)
        ]
        write_report(
            folder,
            f"Motifs of {task_of(source)}",
            {
                "sequences": f"{len(records):,}",
                "validation AUC": f"{training['validation_auc']:.3f}",
                "units": str(units),
                "with a motif": str(len(found)),
                "distinct": str(len(variants)),
                "database": f"{release} {group or 'all'}",
            },
            findings,
            shown=[findings[first] for first in variants],
            instances=instances,
            names=[record.name for record in records],
            pairs=syntax(instances, [motif.name for motif in shown]),
            figures={
                "How well each motif's best hit alone tells held-out sequences from their shuffles,"
                " by the importance of its unit": rank_figure(
                    {task_of(source): np.array([score for score, _ in judged])}
                )
            },
        )
        bar.update()
    (folder / "run.json").unlink()
    os.replace(folder, out)
    return out / "index.html"


def distinct(motifs: Sequence[Motif], database: Sequence[Motif]) -> dict[int, list[int]]:
    """The motifs that resemble none before them, each with all those that resemble it.

    Args:
        motifs: The better ones first.
        database: Beside which they are compared, for few motifs alone make no p-value.
    """
    similar = annotate(motifs, [*database, *motifs])
    names = {motif.name: index for index, motif in enumerate(motifs)}
    groups: dict[int, list[int]] = {}
    for index, found in enumerate(similar):
        alike = {names[m.target.name] for m in found if m.target in motifs}
        first = next((first for first in groups if first in alike), index)
        groups.setdefault(first, []).append(index)
    return groups


def _judged(
    motifs: Sequence[Motif], codes: np.ndarray, labels: np.ndarray
) -> list[tuple[float, float]]:
    """For each motif, the AUPRC of its best hit alone, and the q-value of it."""
    from scipy.stats import false_discovery_control, mannwhitneyu

    if not motifs:
        return []
    hits = best_hits(motifs, codes)
    bound = labels == 1
    p_values = mannwhitneyu(hits[bound], hits[~bound], alternative="greater").pvalue
    q_values = false_discovery_control(p_values)
    return [(average_precision(column, labels), float(q)) for column, q in zip(hits.T, q_values)]


def _same_run(path: Path, peaks: Peaks, **arguments: Any) -> None:
    """Notes what a run is of; refuses to go on with another's."""
    sums = [hashlib.sha256(file.read_bytes()).hexdigest() for file in peaks.sources]
    wanted = json.loads(json.dumps({"sources": sums, **arguments}))
    if not path.exists():
        write_atomically(path, json.dumps(wanted).encode())
    elif (found := json.loads(path.read_text())) != wanted:
        differing = sorted(key for key in wanted if wanted[key] != found.get(key))
        raise ValueError(
            f"{path.parent} is of a stopped run with other {', '.join(differing)}; remove it, or"
            " write elsewhere"
        )
