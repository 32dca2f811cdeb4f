"""Whose turn it is: one job of a kind per visitor, the newest, in a queue of bounded length."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

WAITING = 100  # jobs of all visitors; who comes then is asked to come back


class BusyError(Exception):
    """The queue is full."""


class ReplacedError(Exception):
    """The visitor asked something newer before this job began."""


class Jobs:
    """Two workers: one for what follows a click at once, one for all that takes longer."""

    def __init__(self) -> None:
        self._workers = {kind: ThreadPoolExecutor(1, kind) for kind in ("quick", "slow")}
        self._newest: dict[tuple[str, str], Future[Any]] = {}

    async def run(
        self, visitor: str, kind: str, work: Callable[[], T], *, quick: bool = False
    ) -> T:
        """Return what the work returns, when its turn has come.

        Args:
            visitor: Who asks.
            kind: Of job; a newer one of the same kind takes the place of one that still waits.
            work: Runs in a worker's thread.
            quick: Which worker.

        Raises:
            BusyError: Too many wait.
            ReplacedError: The visitor asked something newer.
        """
        key = visitor, kind
        if key in self._newest:
            self._newest[key].cancel()  # one that runs goes on
        if len(self._newest) >= WAITING:
            raise BusyError
        job = self._workers["quick" if quick else "slow"].submit(work)
        self._newest[key] = job
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if self._newest.get(key) is job:  # the visitor has left
                raise
            raise ReplacedError from None
        finally:
            if self._newest.get(key) is job:
                del self._newest[key]

    def close(self) -> None:
        """Let nothing new begin."""
        for worker in self._workers.values():
            worker.shutdown(wait=False, cancel_futures=True)
