"""AnnData: a matrix of peaks by tasks, as single-cell tools read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelzoo.files import replacing


def write_anndata(
    peaks: Mapping[str, Sequence[Any]],
    outputs: np.ndarray,
    tasks: Sequence[str],
    path: Path,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write an `.h5ad` file of peaks (its observations) by tasks (its variables).

    Args:
        peaks: The columns that describe a peak, by name; a peak is named by its number, because
            its own name need not be unique.
        outputs: The model's outputs, (peaks, tasks).
        tasks: The names of the outputs.
        path: The file.
        about: What the matrix is of, such as model and version; kept in `uns`.
    """
    import pandas
    from anndata import AnnData

    # anndata 0.12 cannot write the strings that pandas 3 makes by itself
    with pandas.option_context("future.infer_string", False), replacing(path) as part:
        AnnData(
            np.asarray(outputs, np.float32),
            obs=pandas.DataFrame(dict(peaks), index=list(map(str, range(len(outputs))))),
            var=pandas.DataFrame(index=list(tasks)),
            uns=dict(about or {}),
        ).write_h5ad(part, compression="gzip")
