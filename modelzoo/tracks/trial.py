"""Whether an HDF5 file can be read, found out by a process of its own.

The HDF5 library may crash on a damaged file, or not end, and links and external storage in a file
make it read others. This file is run as a script, and imports nothing of the package.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

SECONDS = 60.0
_MEMORY = 1 << 33
_DEPTH = 8


def refuse_damaged(path: Path, hint: str) -> None:
    """Raise a ValueError unless all groups, attributes and texts of an HDF5 file can be read.

    Args:
        path: The file. Its numbers are not read where they lie in one piece inside it.
        hint: What to do about it, for the message.
    """
    command = [sys.executable, "-P", __file__, str(path)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        cause = None if run.returncode == 0 else run.stdout.strip() or "the HDF5 library crashes"
    except subprocess.TimeoutExpired:
        cause = f"it is not read in {SECONDS:g} s"
    if cause is not None:
        shown = cause.encode("unicode_escape").decode()[:300]
        raise ValueError(f"{path}: expected an HDF5 file of attributions ({shown}); {hint}")


def _read(group: Any, size: int, depth: int = 0) -> None:
    import h5py

    if depth > _DEPTH:
        raise ValueError("groups lie too deep")
    dict(group.attrs)
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{name!r} is a link")
        found = group[name]
        if isinstance(found, h5py.Group):
            _read(found, size, depth + 1)
        elif isinstance(found, h5py.Dataset):
            _read_dataset(found, size)
        else:
            raise ValueError(f"{name!r} holds no values")


def _read_dataset(found: Any, size: int) -> None:
    import h5py

    dict(found.attrs)
    if found.external or found.is_virtual:
        raise ValueError(f"{found.name!r} lies in another file")
    if found.shape is None or found.size == 0:
        return
    if found.dtype.hasobject:
        (found.asstr() if h5py.check_string_dtype(found.dtype) else found)[()]
    elif found.chunks is not None:
        for chunk in found.iter_chunks():
            found[chunk]
    elif (offset := found.id.get_offset()) is None or offset + found.nbytes > size:
        raise ValueError(f"{found.name!r} is not there as a whole")


def _main(path: Path) -> None:
    import resource

    import h5py

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    with h5py.File(path) as file:
        _read(file, path.stat().st_size)


if __name__ == "__main__":
    try:
        _main(Path(sys.argv[1]))
    except Exception as error:
        print(" ".join(str(error).split()) or type(error).__name__)
        sys.exit(1)
