"""Runs of long commands: parts in a folder beside the output, done somewhere, then merged.

The parts of a run that writes OUT lie in `OUT.parts`, and are removed once OUT is there. The folder
also notes the command, so that the jobs of an array need nobody who merges before all have ended.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from modelzoo.files import write_atomically
from modelzoo.workers import Engine, Part, alone, run, share

NOTE = "command.json"
CELLS = "cells"  # the folder of parts in a report, where they stay


@dataclass(frozen=True)
class Where:
    """Where the parts of a run are done: what `--workers` and the options beside it say.

    Attributes:
        workers: Processes of this machine; by default one per core, once it is worth it.
        gpus: The first so many GPUs of this machine, with a process for each.
        part: (i, n): do the share of job i of n, and merge nothing.
        engine: Does the parts instead of processes of this machine.
        timeout: Seconds after which a part is begun again.
        only_merge: Do no part; refuse to merge where one is missing.
        command: The words of the command without those that say where, for `shiftsmooth merge`.
    """

    workers: int | None = None
    gpus: int = 0
    part: tuple[int, int] | None = None
    engine: Engine | None = None
    timeout: float | None = None
    only_merge: bool = False
    command: tuple[str, ...] = ()

    @property
    def asked(self) -> bool:
        """Whether somebody asked for parts; otherwise a run of one part needs no file for it."""
        own = (self.workers or 1) == 1 and not self.gpus and self.timeout is None
        return not own or self.elsewhere or self.part is not None or self.only_merge

    @property
    def elsewhere(self) -> bool:
        """Whether another process does the work, so that this one needs no GPU."""
        return self.engine is not None or self.gpus > 0

    def alone(self, folder: Path, *, wait: bool = True) -> AbstractContextManager[None]:
        """Return the context in which no other run works in a folder, but jobs of an array may."""
        return alone(folder, wait=wait) if self.part is None else nullcontext()

    def note(self, folder: Path) -> None:
        """Note the command in the folder of its parts, for `shiftsmooth merge`."""
        if self.command:
            noted = {"command": self.command, "folder": os.getcwd()}
            write_atomically(folder / NOTE, json.dumps(noted).encode())

    def run(
        self,
        parts: Sequence[Part],
        *,
        description: str = "",
        progress: bool = True,
        begin_here: bool = False,
    ) -> bool:
        """Do the parts, or this job's share of them; return whether all are there.

        Args:
            parts: In any order.
            description: Shown beside the bar.
            progress: Show a bar.
            begin_here: See `modelzoo.workers.run`.

        Raises:
            RuntimeError: A part is missing where no part is to be done.
        """
        if not self.only_merge:
            run(
                parts if self.part is None else share(parts, *self.part),
                workers=self.workers,
                gpus=self.gpus,
                engine=self.engine,
                timeout=self.timeout,
                begin_here=begin_here,
                description=description,
                progress=progress,
            )
            if self.part is None:
                return True
        missing = [part.path for part in parts if part.read() is None]
        if missing and self.only_merge:
            raise RuntimeError(
                f"{missing[0]}: expected a whole part; {len(missing)} of {len(parts)} are missing."
                " Run the jobs again: they do what is missing"
            )
        return not missing


class Job:
    """A run that writes one output, as a context in which no other run of it is at work.

    Args:
        output: A file or a folder.
        where: Where the parts are done.

    Raises:
        RuntimeError: Another run of this output is at work.

    Example:
        >>> import tempfile
        >>> from functools import partial
        >>> from pathlib import Path
        >>> from modelzoo.jobs import Job, Where
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     output = Path(folder) / "squares.txt"
        ...     with Job(output, Where(workers=1)) as job:
        ...         works = [partial(bytes, [65 + number]) for number in range(3)]
        ...         contents = job.contents(works, key="letters", progress=False)
        ...         if contents is not None:  # None: the share of one job of many
        ...             _ = output.write_bytes(b"".join(contents))
        ...     output.read_text(), [path.name for path in Path(folder).iterdir()]
        ('ABC', ['squares.txt'])
    """

    def __init__(self, output: str | Path, where: Where) -> None:
        output = Path(output).absolute()
        self.output, self.where = output, where
        self.folder = output.with_name(f"{output.name}.parts")
        self._merged = False

    def __enter__(self) -> Job:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = self.where.alone(self.folder, wait=False)
        self._lock.__enter__()
        self.folder.mkdir(exist_ok=True)  # the run that ended meanwhile has removed it
        self.where.note(self.folder)
        return self

    def contents(
        self,
        works: Sequence[Callable[[], bytes]],
        key: str,
        *,
        skip: int = 0,
        costs: Sequence[int] | None = None,
        on_gpu: bool = False,
        description: str = "",
        progress: bool = True,
    ) -> Iterator[bytes] | None:
        """Do the parts; return an iterator over their contents in order, None for a job's share.

        Args:
            works: What gives the content of each part, as of `modelzoo.workers.Part`. It depends on
                nothing but its arguments, and never on how many workers there are.
            key: Tells everything that the contents depend on.
            skip: The first so many parts are not needed any more.
            costs: Of the parts, in any unit.
            on_gpu: This process has a GPU: where nobody asked for processes, it works alone.
            description: Shown beside the bar.
            progress: Show a bar.
        """
        parts = [
            Part(self.folder / f"{number:06}.part", work, f"{key} {number}/{len(works)}", cost)
            for number, (work, cost) in enumerate(zip(works, costs or [1] * len(works)))
        ][skip:]
        where = self.where
        if on_gpu and not where.gpus:
            where = replace(where, workers=where.workers or 1)
        where.run(parts, description=description, progress=progress, begin_here=not on_gpu)
        if self.where.part is not None:
            return None
        self._merged = True
        return map(_content, parts)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the parts once they are merged, or where there is none."""
        if self._merged and error is None:
            for path in self.folder.glob("*.part"):
                path.unlink()
        if self.where.part is None and not any(self.folder.glob("*.part")):
            for name in (NOTE, ".lock"):
                (self.folder / name).unlink(missing_ok=True)
            if not any(self.folder.iterdir()):
                self.folder.rmdir()
        self._lock.__exit__(None, None, None)


def key_of(about: Mapping[str, Any]) -> str:
    """Return the key of a run's parts: all that their contents depend on, as text."""
    return json.dumps(dict(about), sort_keys=True, default=str)


def commands(output: str | Path) -> list[tuple[Path, list[str]]]:
    """Return the commands, each with the folder to run it in, whose parts of an output are there.

    Args:
        output: What `--output` was given; for several files, the folder of their outputs.
    """
    output = Path(output).absolute()
    own = output.with_name(f"{output.name}.parts") / NOTE
    found: list[tuple[Path, list[str]]] = []
    for note in (own, output / CELLS / NOTE, *sorted(output.glob(f"*.parts/{NOTE}"))):
        if note.is_file():
            noted = json.loads(note.read_text(encoding="utf-8"))
            one = (Path(noted["folder"]), noted["command"])
            found += [] if one in found else [one]
    return found


def _content(part: Part) -> bytes:
    content = part.read()
    if content is None:
        raise RuntimeError(f"{part.path}: expected a whole part, got none or another run's")
    return content
