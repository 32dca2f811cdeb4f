"""bigWig and bedGraph: one number per position of the genome.

figwig writes the bigWigs. Like pyBigWig it takes arrays, but pyBigWig leaves a wrong maximum in
the header where no value is positive. pybigtools takes Python numbers one by one and makes larger
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelzoo.files import replacing
from modelzoo.sequences import Interval
from modelzoo.tracks.placed import averaged


def write_bigwig(
    intervals: Sequence[Interval], values: Any, sizes: Mapping[str, int], path: Path
) -> None:
    """Write a bigWig of what windows say about their positions; overlapping windows are averaged.

    Contributions of the letters present, written like this, are what genome browsers show as a
    dynseq track.

    Args:
        intervals: The windows, in any order.
        values: (n, L), as read on the window's strand; an array or a dataset of an HDF5 file.
        sizes: The length of every chromosome of the genome.
        path: The file.
    """
    from figwig import BigWigWriter

    with (
        replacing(path) as part,
        # zlib makes the same bytes on every machine; the memory of threads grows with the genome
        BigWigWriter(str(part), dict(sizes), engine="zlib", n_jobs=1) as writer,
    ):
        for chrom, starts, tiles in averaged(intervals, values, sizes):
            if len(starts):
                writer.write(chrom, starts, tiles, missing=np.nan)


def write_bedgraph(
    intervals: Sequence[Interval], values: Any, sizes: Mapping[str, int], path: Path
) -> None:
    """Write the same as text, a line per position; for the arguments see `write_bigwig`."""
    with replacing(path) as part, open(part, "w", encoding="ascii") as file:
        for chrom, starts, tiles in averaged(intervals, values, sizes):
            for start, tile in zip(starts.tolist(), tiles):
                file.writelines(
                    f"{chrom}\t{start + i}\t{start + i + 1}\t{tile[i]:.6g}\n"
                    for i in np.flatnonzero(~np.isnan(tile)).tolist()
                )
