"""What a run over variants says about itself: do windows and strands agree on the effects?

The measures have the names of `shiftsmooth.quality`. They are of the first task, and correlations
are over alleles. An effect is the mean over windows of in-silico mutagenesis, so agreement with
mutagenesis is agreement with that of the middle window alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from modelzoo.apply.alleles import Packed, Scoring, averaged_model
from modelzoo.sequences import Genome, columns, encode
from shiftsmooth.metrics import faithfulness, pearson
from shiftsmooth.quality import (
    SAMPLE,
    SHARE,
    Measure,
    Quality,
    constant_outputs,
    evenly,
    measure,
    unlike_others,
)

LEAST = 3  # alleles, of which a correlation says something
NONE = 1e-6  # of the outputs' standard deviation: no effect in any window


def variant_quality(
    scoring: Scoring,
    alleles: Packed,
    finite: np.ndarray,
    numbers: Callable[[np.ndarray], np.ndarray],
    tasks: Sequence[str],
) -> Quality:
    """Return what a run says about itself.

    Args:
        scoring: Scores alleles.
        alleles: All of the run.
        finite: The numbers of those whose outputs are finite.
        numbers: Gives the `alleles.statistics` of some, (alleles, tasks, 5).
        tasks: Names of the tasks.
    """
    rows = finite[evenly(len(finite), SAMPLE).numpy()]
    found = torch.from_numpy(numbers(rows))
    outputs, effect, spread = found[..., 0], found[:, 0, 2], found[:, 0, 3]
    scale = float(outputs[:, 0].std(correction=0)) if len(rows) else 0.0
    dead = (effect.abs() <= NONE * scale) & (spread <= NONE * scale)
    constant, constants = constant_outputs(outputs)
    names = [f"{a.chrom}:{a.start + 1}:{a.ref}>{a.alt}" for a in (alleles[row] for row in rows)]
    with Genome(scoring.genome) as genome:
        stretches = [
            alleles[row].stretches(genome, scoring.width, scoring.max_shift)[0] for row in rows
        ]
    if rows.size:
        unlike, unusual = unlike_others(columns(encode(stretches)))
    else:
        unlike, unusual = unlike_others(torch.empty(0, 4, 1))
    certain = (effect.abs() > 2 * spread).double().mean() if len(rows) else None
    return Quality(
        len(rows),
        (
            *_scored_again(scoring, alleles, finite),
            measure("certain signs", None if certain is None else float(certain), len(rows)),
            measure("completeness", None, why="Effects are differences of outputs themselves."),
            measure("saturated", float(dead.double().mean()) if len(rows) else None, len(rows)),
            constants,
            unusual,
        ),
        constant=tuple(tasks[t] for t in constant),
        unlike=tuple((names[row], what) for row, what in sorted(unlike.items())[:20]),
    )


def _scored_again(scoring: Scoring, alleles: Packed, finite: np.ndarray) -> list[Measure]:
    """Window stability, strand agreement and agreement with mutagenesis, of some alleles."""
    _, device = averaged_model(scoring)
    at_once = scoring.rows(device)
    references = sum(len({allele[:3] for allele in block}) for block in alleles.blocks())
    stretches = len(alleles) + references  # one REF per variant of a part
    batches = int(SHARE * -(-stretches // at_once))  # those of a run are filled up
    count = min(SAMPLE, batches * at_once // 2)
    names = ("window stability", "strand agreement", "mutagenesis")
    if min(count, len(finite)) < LEAST:
        why = "A tenth of this run is too little for it; a run of more alleles has it."
        return [measure(name, None, why=why) for name in names]
    rows = finite[evenly(len(finite), count).numpy()]
    with torch.no_grad():
        ref, alt, held = scoring.effects([alleles[row] for row in rows])
    effects = np.where(held, (alt - ref)[..., 0], np.nan)
    strands = torch.from_numpy(effects).unflatten(1, (scoring.strands, -1))
    windows = strands.mean(1)
    mean = windows.nanmean(1)
    middle = strands[:, 0, windows.size(1) // 2]
    stable = torch.stack([_correlation(window, mean) for window in windows.T]).nanmedian()
    other = _correlation(*strands.nanmean(2).T) if scoring.strands == 2 else torch.tensor(1.0)
    ranked = ~middle.isnan()
    agreement = faithfulness(middle[ranked][None], mean[ranked][None])
    values = (stable, other, agreement)
    return [measure(name, float(value), len(rows)) for name, value in zip(names, values)]


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Return the correlation over the alleles that have both."""
    both = ~(a.isnan() | b.isnan())
    return (
        pearson(a[both][None], b[both][None])[0] if both.sum() >= LEAST else torch.tensor(torch.nan)
    )
