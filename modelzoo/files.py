"""Files that are there whole or not at all, and their checksums."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the path to write to, which becomes `path` once it is whole; a link is followed.

    A pipe or a device is not replaced: what was written is copied into it.
    """
    if is_stream(path):
        with tempfile.TemporaryDirectory() as folder:
            yield (temporary := Path(folder) / path.name)
            with open(temporary, "rb") as whole, open(path, "wb") as stream:
                shutil.copyfileobj(whole, stream)
        return
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def written(path: Path) -> Iterator[IO[str]]:
    """Open a text file to write, which is at `path` once it is whole.

    A pipe or a device, also under a name such as `/dev/stdout`, is written to as it is.
    """
    if is_stream(path):
        with open(path, "w", encoding="utf-8") as file:
            yield file
    else:
        with replacing(path) as part, open(part, "w", encoding="utf-8") as file:
            yield file


def is_stream(path: Path) -> bool:
    """Return whether a path names a pipe, a device or a file that a process has open."""
    while not _is_open_file(path) and path.is_symlink():
        path = path.parent / os.readlink(path)
    return _is_open_file(path) or (path.exists() and not path.is_file() and not path.is_dir())


def _is_open_file(path: Path) -> bool:
    return os.path.realpath(path.parent).startswith("/proc/")


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` so that a reader, or a killed run, finds all of it or none."""
    with replacing(path) as part:
        part.write_bytes(content)


def parse_toml(text: str) -> dict[str, Any]:
    """Return what a TOML text holds; brackets that are nested too deeply are an error as any."""
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("brackets are nested too deeply") from error


def sha256(data: bytes) -> str:
    """Return the checksum by which this package knows a file's bytes."""
    return hashlib.sha256(data).hexdigest()
