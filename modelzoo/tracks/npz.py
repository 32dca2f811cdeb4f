"""numpy's `.npz`, written a part at a time."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np


def save_npz(path: Path, data: Any, rows: int) -> None:
    """Write the file that `numpy.savez_compressed(path, data)` would write.

    Args:
        path: The file.
        data: An array, or a dataset of an HDF5 file.
        rows: How many rows are in memory at once.
    """
    header = {
        "descr": np.lib.format.dtype_to_descr(data.dtype),
        "fortran_order": False,
        "shape": data.shape,
    }
    partial = path.with_suffix(".partial")
    with (
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(data), rows):
            file.write(data[start : start + rows].tobytes())
    partial.replace(path)
