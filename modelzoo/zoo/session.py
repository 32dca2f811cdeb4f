"""The limits of one download by the Hub's client: how long, how much, how often.

The client has a limit on the time without an answer, but none on the whole; it sleeps for as long
as a server asks; it unpacks what a server says is packed. It lets others see its requests and
answers, though, and what is raised there ends the download.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Timer
from typing import Any

from huggingface_hub import close_session, constants, get_session

SECONDS = 60.0  # for a file of no bytes, with all that is tried again
SLOWEST = 100_000  # bytes in a second that a larger file is given
REQUESTS = 3  # for one address; the client resumes a file that was cut
BUSY = (408, 429, 500, 502, 503, 504)
_GRACE = 2.0


class Busy(OSError):
    """The server asks to come back later.

    Attributes:
        seconds: How much later, if it says.
    """

    def __init__(self, status: int, seconds: str | None) -> None:
        super().__init__(f"the server answers {status}")
        self.seconds = float(seconds) if seconds and seconds.isdecimal() else None


class Unreachable(OSError):
    """A request has failed, and is not tried again."""


class _Limits:
    """What one download has used."""

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self.until = time.monotonic() + seconds
        self.received = 0
        self.asked = Counter[tuple[str, str]]()
        self.busy: Busy | None = None

    def check(self) -> None:
        if time.monotonic() > self.until:
            raise TimeoutError(f"it took longer than {self.seconds:.0f} s")
        if self.received > self.limit:
            raise OSError(f"expected at most {self.limit} bytes, got more")


_current: ContextVar[_Limits | None] = ContextVar("_current", default=None)


@contextmanager
def limited(limit: int) -> Iterator[None]:
    """Hold the downloads of the client inside it to a number of bytes, and to the time for it.

    Args:
        limit: The most bytes.

    Raises:
        Busy: The server asks to come back later.
        TimeoutError: The time is over.
        OSError: The server sends more bytes, or packs them.
    """
    limits = _Limits(limit, SECONDS + limit / SLOWEST)
    session = get_session()
    hooks = session.event_hooks
    if _ask not in hooks["request"]:
        session.event_hooks = {
            "request": [*hooks["request"], _ask],
            "response": [*hooks["response"], _answered],
        }
    # Nobody is asked while headers arrive: a server that sends them letter by letter is left.
    timer = Timer(limits.seconds + _GRACE, close_session)
    timer.daemon = True
    timer.start()
    token = _current.set(limits)
    try:
        yield
    except Exception:
        limits.check()
        raise
    finally:
        _current.reset(token)
        timer.cancel()


def _ask(request: Any) -> None:
    """Refuse a request that is one too many, and ask for bytes as they are."""
    limits = _current.get()
    if limits is None:
        return
    limits.check()
    place = request.method, str(request.url)
    limits.asked[place] += 1
    if limits.asked[place] > (REQUESTS if request.method == "GET" else 1):
        raise limits.busy or Unreachable(f"no answer from {request.url.host}")
    request.headers["Accept-Encoding"] = "identity"


def _answered(response: Any) -> None:
    """Refuse an answer that is none, and count the bytes of one that is."""
    limits = _current.get()
    if limits is None:
        return
    limits.check()
    response.headers.pop(constants.HUGGINGFACE_HEADER_X_XET_HASH, None)  # its client has no limits
    if response.status_code in BUSY:
        limits.busy = Busy(response.status_code, response.headers.get("Retry-After"))
        # After the first request the client may have the file in its cache, so it is told later.
        if response.request.method == "GET":
            raise limits.busy
    packed = response.headers.get("Content-Encoding", "identity")
    if packed != "identity":
        raise OSError(f"expected bytes as they are, got them packed as {packed!r}")
    chunks = response.iter_raw

    def counted(*args: Any, **kwargs: Any) -> Iterator[bytes]:
        for chunk in chunks(*args, **kwargs):
            limits.received += len(chunk)
            limits.check()
            yield chunk

    response.iter_raw = counted
