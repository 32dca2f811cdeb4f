"""An HDF5 file that is there whole or not at all, also on a full disk."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from modelzoo.files import replacing


@contextmanager
def whole_h5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to write, which is at `path` once it is whole.

    Raises:
        OSError: A part of it could not be written, such as on a full disk.
    """
    with replacing(path) as part, _Remembering(part, "w+") as raw:
        with h5py.File(raw, "w") as file:
            yield file
        if raw.error is not None:
            raise raw.error


class _Remembering(io.FileIO):
    """A file that remembers its first error, and keeps it and what follows from the HDF5 library.

    Where the library meets a full disk, it ends the process with a segmentation fault.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while self.error is None and left:
                left = left[super().write(left) :]
        except OSError as error:
            self.error = error
        return size

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

    def flush(self) -> None:
        if self.error is None:
            super().flush()
