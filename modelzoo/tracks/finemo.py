"""The HDF5 layout of ChromBPNet's contributions, which Fi-NeMo and ChromBPNet's tools read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from modelzoo.files import replacing
from modelzoo.sequences import Interval
from modelzoo.tracks.placed import forward
from modelzoo.tracks.whole_h5 import whole_h5

ROWS = 64  # windows in memory at once


def write_finemo(
    intervals: Sequence[Interval],
    one_hot: Any,
    hypothetical: Any,
    path: Path,
    *,
    dtype: Literal["float32", "float16"] = "float32",
) -> Path:
    """Write sequences and contributions, and their regions beside them; return the regions' path.

    The file holds `raw/seq`, `shap/seq` (what each letter would contribute) and
    `projected_shap/seq` (what the letter present contributes), each (n, 4, L) on the forward
    strand. `interpreted_regions.bed` is a narrowPeak file with the same rows, whose summits are
    the windows' middles.

    Args:
        intervals: The windows.
        one_hot: (n, 4, L), all zero at N, as read on the window's strand.
        hypothetical: (n, 4, L), likewise.
        path: The HDF5 file.
        dtype: float16 halves the file; ChromBPNet writes it.
    """
    with whole_h5(path) as file:
        shape = tuple(one_hot.shape)
        chunks = (1, *shape[1:])
        make = {"shape": shape, "chunks": chunks, "compression": "gzip", "shuffle": True}
        raw = file.create_dataset("raw/seq", dtype="i1", **make)
        shap = file.create_dataset("shap/seq", dtype=dtype, **make)
        projected = file.create_dataset("projected_shap/seq", dtype=dtype, **make)
        for start in range(0, shape[0], ROWS):
            rows = slice(start, start + ROWS)
            letters, scores = (
                np.stack([forward(i, row) for i, row in zip(intervals[rows], data[rows])])
                for data in (one_hot, hypothetical)
            )
            raw[rows], shap[rows], projected[rows] = letters, scores, letters * scores
    regions = path.with_name("interpreted_regions.bed")
    with replacing(regions) as part:
        part.write_text("".join(map(_narrow_peak, intervals)), encoding="utf-8")
    return regions


def _narrow_peak(interval: Interval) -> str:
    """Return a line whose start is on the chromosome and whose summit is the window's middle."""
    start = max(interval.start, 0)
    summit = interval.start + interval.width // 2 - start
    fields = (interval.chrom, start, interval.end, interval.label, 0, ".", 0, -1, -1, summit)
    return "\t".join(map(str, fields)) + "\n"
