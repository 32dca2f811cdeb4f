"""What commands say on the terminal: results, errors, progress, records that are left out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console

T = TypeVar("T")

console = Console()
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def progress(
    items: Iterable[T], description: str, total: int | None = None, each: int = 1
) -> Iterable[T]:
    """Yield the items, counted on standard error if that is a terminal.

    An item counts when the next one is asked for, which is when the work with it is done. No time
    is foretold: the bar tells what is done, of how many, and since when.

    Args:
        items: What is worked on.
        description: What is done.
        total: How many there are, if that is known.
        each: For how many an item counts; the last one counts for what is left of the total.
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    numbers = "{task.completed:,}" if total is None else "{task.completed:,}/{task.total:,}"
    columns = TextColumn("{task.description}"), BarColumn(), TextColumn(numbers)
    hidden = not errors.is_terminal
    with Progress(
        *columns, TimeElapsedColumn(), console=errors, transient=True, disable=hidden
    ) as bar:
        task, done = bar.add_task(description, total=total), 0
        for item in items:
            yield item
            done = done + each if total is None else min(done + each, total)
            bar.update(task, completed=done)


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
