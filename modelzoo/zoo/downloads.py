"""Files from the Hub: downloaded, found in the client's cache, and removed from it.

The only file that knows how that cache is laid out, as the client documents it: a folder per commit
holds links to blobs, and the blob of a large file is named by its sha256.
"""

from __future__ import annotations

import logging
import re
import time
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import (
    EntryNotFoundError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import tqdm

from modelzoo.architectures.weights import CONFIG_FILE, WEIGHTS_FILE, printable
from modelzoo.zoo.session import Busy, Unreachable, limited

PAUSES = (1.0, 2.0)  # seconds before a busy server is asked again
LONGEST_PAUSE = 5.0  # that a server may ask for

_log = logging.getLogger(__name__)
_SHA256 = re.compile(r"[0-9a-f]{64}")

CacheDir = str | Path | None


class HubError(OSError):
    """The Hub could not be reached, or refused a request, or lacks what was asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def download(
    repo_id: str, file: str, revision: str | None, cache_dir: CacheDir, limit: int
) -> Path:
    """Return the path of a repository's file in the cache; it is downloaded if it must be.

    Args:
        repo_id: `"owner/repo"`.
        file: A file of it.
        revision: A branch, tag or commit; the main branch by default.
        cache_dir: The folder of downloads; the client's own cache by default.
        limit: The most bytes that are downloaded.

    Raises:
        HubError: There is no such file, it is larger, or the Hub cannot be reached.
    """
    try:
        return _patiently(repo_id, file, revision, cache_dir, limit)
    # The client's errors depend on the HTTP library below it, and have no common base.
    except Exception as error:
        raise _failed(error, repo_id, file, revision) from error


def _patiently(
    repo_id: str, file: str, revision: str | None, cache_dir: CacheDir, limit: int
) -> Path:
    """Download a file; where the server is busy, say so and try again, a few times."""
    for pause in PAUSES:
        try:
            return _once(repo_id, file, revision, cache_dir, limit)
        except Busy as busy:
            seconds = pause if busy.seconds is None else busy.seconds
            if seconds > LONGEST_PAUSE:
                raise
            _log.warning("%s for %s; trying again in %.0f s", busy, address(repo_id), seconds)
            time.sleep(seconds)
    return _once(repo_id, file, revision, cache_dir, limit)


def _once(repo_id: str, file: str, revision: str | None, cache_dir: CacheDir, limit: int) -> Path:
    bar = _bounded(limit)
    with limited(limit):
        return Path(
            hf_hub_download(repo_id, file, revision=revision, cache_dir=cache_dir, tqdm_class=bar)
        )


def commit_of(path: Path) -> str:
    """Return the commit that a file in the cache is of."""
    return path.parent.name


def _bounded(limit: int) -> type[tqdm]:
    """Return a progress bar that ends a download which is, or says it is, larger than a limit."""

    class Bounded(tqdm):
        def __init__(self, *args: Any, total: int | None = None, **kwargs: Any) -> None:
            self.received = 0.0
            self.allow(total or 0)
            super().__init__(*args, total=total, **kwargs)

        def update(self, n: float | None = 1) -> bool | None:
            self.received += n or 0
            self.allow(self.received)
            return super().update(n)

        def allow(self, count: float) -> None:
            if count > limit:
                raise OSError(f"expected at most {limit} bytes, got more")

    return Bounded


def cached(repo_id: str, file: str, revision: str, cache_dir: CacheDir) -> Path | None:
    """Return the path of a file that is in the cache, else None; the Hub is not asked."""
    found = try_to_load_from_cache(repo_id, file, cache_dir=cache_dir, revision=revision)
    return Path(found) if isinstance(found, str) else None


def checksum(path: Path) -> str | None:
    """Return the sha256 that a cached file should have, None for a small one, which has none."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) else None


def evict(path: Path, cache_dir: CacheDir) -> None:
    """Remove a file from the cache with the blob it links to, and nothing outside the cache."""
    cache = Path(cache_dir or constants.HF_HUB_CACHE).resolve()
    for file in (path.resolve(), path.parent.resolve() / path.name):
        if file.is_relative_to(cache):
            file.unlink(missing_ok=True)


def address(repo_id: str) -> str:
    """Return where a repository is on the Hub."""
    return f"{constants.ENDPOINT}/{repo_id}"


def reason(error: Exception) -> str:
    """Return, in one line, why the client failed and what to do about it."""
    if isinstance(error, LocalEntryNotFoundError | Busy | Unreachable):
        return f"it is not in the cache and the Hub cannot be reached ({_first_line(error)})"
    if isinstance(error, EntryNotFoundError):
        return f"no such file (a model is {CONFIG_FILE} and {WEIGHTS_FILE}; nothing is unpickled)"
    if isinstance(error, RevisionNotFoundError):
        return "no such revision"
    if isinstance(error, RepositoryNotFoundError):
        return (
            "no such repository, or it is private; check the name, or sign in with"
            " `hf auth login` or HF_TOKEN"
        )
    return _first_line(error)


def _failed(error: Exception, repo_id: str, file: str, revision: str | None) -> HubError:
    where = address(repo_id) + (f", revision {revision}" if revision else "")
    return HubError(f"cannot load {file} from {where}: {reason(error)}")


def _first_line(error: BaseException) -> str:
    text = str(error.__cause__ or error).strip()
    return text.splitlines()[0] if text else type(error).__name__
