"""The hits of a run of attributions: seqlets against shuffles, and JASPAR's motifs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from torch import nn

from modelzoo.attribution.hits import motif_hits, seqlets
from modelzoo.attribution.methods import METHODS, finished, raw_maps
from modelzoo.datasets.peaks import shuffled
from modelzoo.errors import working
from modelzoo.motifs.jaspar import GROUP, RELEASE, jaspar
from modelzoo.sequences import AMBIGUOUS, Interval, columns
from modelzoo.tracks.h5 import AttributionsFile
from modelzoo.tracks.hits import placed_hits, write_hits

if TYPE_CHECKING:
    from pandas import DataFrame

BASES = 1 << 16  # positions that are attributed at once
FDR = 0.1  # of seqlets
SHUFFLED = 1000  # sequences whose shuffles are attributed, at most: a rate needs no more


def write_run_hits(
    run: AttributionsFile,
    model: nn.Module,
    *,
    fdr: float = FDR,
    release: str = RELEASE,
    group: str | None = GROUP,
) -> DataFrame:
    """Write the hits of a finished run as `hits.tsv` and `hits.bed`; return the table.

    Seqlets are called at a false discovery rate against dinucleotide shuffles of the sequences,
    attributed like them. Each instance of a JASPAR motif has the sum of its attributions.

    Args:
        run: The run.
        model: The model that was explained.
        fdr: The false discovery rate of seqlets.
        release: Of JASPAR.
        group: A taxonomic group of it; None is all.
    """
    import pandas

    with h5py.File(run.path) as file:
        one_hot, projected = file["one_hot"][()], file["projected"][()]
        names = file["ids"].asstr()[()].tolist()
    codes = np.where(one_hot.any(1), one_hot.argmax(1), AMBIGUOUS).astype(np.uint8)
    intervals = run.intervals or [Interval(name, 0, codes.shape[1], "+", name) for name in names]
    with working():
        control = _control(run, model, codes[:SHUFFLED])
        tables = [
            motif_hits(jaspar(release, group), codes, projected),
            seqlets(projected, control, fdr=fdr),
        ]
        tables[0]["motif"] = tables[0]["motif"].map(
            {motif.name: motif.title or motif.name for motif in jaspar(release, group)}
        )
        found = pandas.concat([placed_hits(table, intervals) for table in tables])
        hits = found.sort_values(["chrom", "start", "end", "name"], ignore_index=True)
        write_hits(hits, run.path.with_name("hits.tsv"))
    return hits


def _control(run: AttributionsFile, model: Any, codes: np.ndarray) -> np.ndarray:
    """Return what the letters present contribute in one dinucleotide shuffle of each sequence."""
    about = run.parameters
    method = METHODS[about["method"]]
    if "max_shift" in method.parameters:
        method = method.having(max_shift=about["max_shift"])
    x = columns(shuffled(codes, about["seed"])).to(next(model.parameters()).device)
    rows = max(1, BASES // codes.shape[1])
    raw = raw_maps(method.on(model, run.target), x, rows, about["seed"])
    return (finished(method, raw, x, corrected=True) * (x == 1)).sum(1).cpu().numpy()
