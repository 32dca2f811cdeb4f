"""Attributions of both alleles of variants, and their difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import h5py
import numpy as np
import torch

from modelzoo.apply.alleles import Allele, averaged_model
from modelzoo.apply.variant_run import VariantRun
from modelzoo.attribution.methods import simplex_corrected
from modelzoo.sequences import Genome, Interval, columns, encode
from modelzoo.tracks.h5 import ROWS, AttributionsFile
from modelzoo.tracks.npz import save_npz
from shiftsmooth import ShiftSmooth


def write_maps(
    run: VariantRun, overwrite: bool = False, track: Callable[[range], Iterable[int]] = iter
) -> None:
    """Write attributions of the first task, over the windows that the effects are averaged over.

    The folder `attributions` has a run of its own for `ref` and for `alt`, with the files that
    `modelzoo.attribute` writes, and `difference.npz`, see `difference`. Sequences are stretches of
    `width` + 2N positions. What was written before a kill is kept.

    Args:
        run: The run, whose alleles are attributed in their order.
        overwrite: Start anew where the folder holds attributions of another run.
        track: Wraps the first rows of the batches that are left to do, such as a progress bar.
    """
    with Genome(run.scoring.genome) as genome:
        pairs = [a.stretches(genome, run.width, run.max_shift) for a in run.alleles]
    if not pairs:
        return
    ref, alt = (
        _attributed(run, kind, encode(stretches), overwrite, track)
        for kind, stretches in zip(("ref", "alt"), zip(*pairs))
    )
    lines = np.empty_like(ref)
    for row, allele in enumerate(run.alleles):
        at = allele.left(run.width) + run.max_shift
        lines[row] = difference(ref[row], alt[row], at, len(allele.ref), len(allele.alt))
    save_npz(run.folder / "attributions" / "difference.npz", lines, ROWS)


def difference(ref: np.ndarray, alt: np.ndarray, at: int, old: int, new: int) -> np.ndarray:
    """Return what the letters of ALT contribute less what those of REF do, along REF.

    A deleted letter contributes nothing with ALT. What inserted letters contribute counts at the
    last letter of REF, so that it is not lost. Where ALT is longer, the last positions of REF have
    no counterpart and are NaN.

    Args:
        ref: Contributions along the stretch with REF, (L,).
        alt: Along the stretch with ALT, (L,).
        at: Where the variant begins.
        old: The length of REF.
        new: The length of ALT.
    """
    aligned = np.zeros_like(ref)
    aligned[:at] = alt[:at]
    both = min(old, new)
    aligned[at : at + both] = alt[at : at + both]
    aligned[at + old - 1] += alt[at + both : at + new].sum()
    rest = len(ref) - at - max(old, new)
    aligned[at + old : at + old + rest] = alt[at + new : at + new + rest]
    aligned[at + old + rest :] = np.nan
    return aligned - ref


def _attributed(
    run: VariantRun,
    kind: str,
    codes: np.ndarray,
    overwrite: bool,
    track: Callable[[range], Iterable[int]],
) -> np.ndarray:
    """Write the run of one kind of allele; return its contributions, (n, L)."""
    averaged, device = averaged_model(run.scoring)
    parameters: dict[str, Any] = {key: run.about[key] for key in ("variants", "genome", "weights")}
    parameters |= {"method": "shiftsmooth", "task": run.tasks[0], "allele": kind}
    parameters |= {key: run.about[key] for key in ("max_shift", "width", "strands")}
    file = AttributionsFile(
        run.folder / "attributions" / kind,
        parameters,
        [_name(allele) for allele in run.alleles],
        codes,
        run.tasks,
        overwrite=overwrite,
        intervals=_intervals(run) if kind == "ref" else None,
        sizes=run.sizes,
        about={"edges": "flanks"},
    )
    explain, tasks = ShiftSmooth(averaged.model), list(run.scoring.tasks)
    rows = run.scoring.rows(device)
    for start in track(range(file.done, len(codes), rows)):
        x = columns(codes[start : start + rows]).to(device)
        maps = explain.attribute(
            x, tasks[0], max_shift=run.max_shift, edges="flanks", strands=run.scoring.strands
        )
        with torch.no_grad():
            outputs = averaged(x)[:, tasks]
        file.write(start, simplex_corrected(maps).cpu().numpy(), outputs.cpu().numpy())
    file.save_npz()
    with h5py.File(file.path) as whole:
        return whole["projected"][()]


def _name(allele: Allele) -> str:
    return f"{allele.chrom}:{allele.start + 1}:{allele.ref}>{allele.alt}"


def _intervals(run: VariantRun) -> list[Interval]:
    length = run.width + 2 * run.max_shift
    starts = [a.start - a.left(run.width) - run.max_shift for a in run.alleles]
    return [Interval(a.chrom, s, s + length) for a, s in zip(run.alleles, starts)]
