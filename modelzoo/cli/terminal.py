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
    """Names on standard error the records that cannot be used, and counts them.

    Attributes:
        count: Of the records that cannot be used.
        excluded: Of those that lie in a region that is to be left out, which are not named.
    """

    def __init__(self) -> None:
        self.count = self.excluded = 0

    def __str__(self) -> str:
        """Return how many records were left out, and why."""
        excluded = f", {self.excluded} excluded" if self.excluded else ""
        return f"{self.count} skipped{excluded}"

    def __call__(self, error: ValueError) -> None:
        """Name one."""
        from modelzoo.sequences.records import Excluded

        if isinstance(error, Excluded):
            self.excluded += 1
            return
        self.count += 1
        errors.print(f"skipped: {error}", markup=False)
