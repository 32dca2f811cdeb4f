"""What commands say on the terminal: results, errors, progress, records that are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console

T = TypeVar("T")

console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def progress(items: Iterable[T], description: str, total: int | None = None) -> Iterable[T]:
    """Return the items, counted on standard error if that is a terminal."""
    from rich.progress import track

    return track(
        items,
        description,
        total=total,
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )


class Rejects:
    """Names on standard error the records that cannot be used, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, error: ValueError) -> None:
        """Name one."""
        self.count += 1
        errors.print(f"skipped: {error}", markup=False)
