"""Which errors are the caller's: those that are raised before work begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class WorkError(RuntimeError):
    """Work that had begun has failed. The arguments were checked before, and are not the cause."""


@contextmanager
def working() -> Iterator[None]:
    """Mark where checks end and work begins: a ValueError inside is raised as a `WorkError`.

    The command line ends with 2 after a ValueError, for a wrong call, and with 1 after others.
    """
    try:
        yield
    except ValueError as error:
        raise WorkError(str(error)) from error
