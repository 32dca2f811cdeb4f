"""What the functions of this folder are given: a model, and sequences."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch
from torch import nn

from modelzoo.architectures.weights import checksum
from modelzoo.sequences import Record, Regions, Reject, read_intervals
from modelzoo.sequences.fasta import fasta_rows
from modelzoo.sequences.intervals import Center, holds_intervals
from modelzoo.sequences.read import rows_of
from modelzoo.sequences.records import Attempt, Excluded, accepted, checked
from modelzoo.zoo import catalog
from modelzoo.zoo.adapters import load_any, wrap

TRIED = 1 << 11  # positions that a model is tried on to name its tasks, if there is no record
LONGEST = 100_000  # positions; what the models keep of one sequence grows with its length

Sequences = str | Path | Iterable[str | Record]


def at_least(name: str, value: int | None, least: int) -> None:
    """Raise a ValueError where an argument is given and smaller than it may be.

    Args:
        name: What the caller calls it.
        value: What is given.
        least: The smallest value.
    """
    if value is not None and value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")


def module(model: str | Path | nn.Module | Named, device: str | torch.device | None) -> nn.Module:
    """Return a model, in eval mode.

    Args:
        model: The model itself, what `modelzoo.zoo.adapters.load_any` takes, or `Named`.
        device: Where it is to be; None leaves a model where it is. A `Named` tells its own.
    """
    if isinstance(model, Named):
        return model.load()
    if isinstance(model, nn.Module):
        return wrap((model if device is None else model.to(device)).eval())
    return load_any(model, device=device or "cpu")


def trained_width(model: str | Path | nn.Module | Named) -> int | None:
    """Return the length that a catalog model was trained on; None for others.

    Args:
        model: A name of the catalog, or any other model.
    """
    if isinstance(model, Named):
        model = model.name
    if isinstance(model, nn.Module) or str(model) not in catalog.list_models():
        return None
    return catalog.info(str(model)).length


def title(model: str | Path | nn.Module | Named) -> str:
    """Return what files say of which model they are.

    Args:
        model: A name, or a module, which has only that of its class.
    """
    if isinstance(model, Named):
        return model.name
    return type(model).__name__ if isinstance(model, nn.Module) else str(model)


@dataclass(frozen=True)
class Named:
    """How a model is loaded: what another process, maybe on another machine, is told of a model.

    Attributes:
        name: See `modelzoo.zoo.adapters.load_any`, as for those below.
        device: `"auto"` is a GPU where there is one.
        weights: Of `module:callable`.
        input: The layout that the model takes.
        track: The track to explain.
        bins: The bins to average over.
    """

    name: str
    device: str = "auto"
    weights: Path | None = None
    input: str | None = None
    track: str | None = None
    bins: str | None = None

    def load(self, expected: str | None = None) -> nn.Module:
        """Return the model, loaded once per process.

        Args:
            expected: The checksum of its weights.

        Raises:
            RuntimeError: The weights are others, such as on a machine with another version.
        """
        if self not in _loaded:
            self.anew(self.device)
        model, found = _loaded[self]
        if expected is not None and found != expected:
            raise RuntimeError(
                f"model: expected {self.name} with the checksum {expected[:8]}… on"
                f" {socket.gethostname()} too, got {found[:8]}…"
            )
        return model

    def anew(self, device: str) -> nn.Module:
        """Return the model, loaded now: its name may stand for another than it did before.

        Args:
            device: Where this process has it.
        """
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        _loaded.clear()
        model = load_any(**{**asdict(self), "device": device})
        _loaded[self] = model, checksum(model)
        return model

    def about(self) -> dict[str, Any]:
        """Return what the results depend on besides the weights."""
        about = asdict(self)
        del about["name"], about["device"], about["weights"]
        return about


_loaded: dict[Named, tuple[nn.Module, str]] = {}  # the model of this process, and its checksum


@dataclass(frozen=True)
class Source:
    """A file of records, of which every process can read some.

    Attributes:
        path: See `records`, as for those below.
        genome: The genome of the intervals in the file.
        width: Of windows.
        center: Where in an interval the window lies.
        exclude: A file of regions.
    """

    path: Path
    genome: Path | None = None
    width: int | None = None
    center: Center | None = None
    exclude: Path | None = None

    def options(self) -> dict[str, Any]:
        """Return the file's options as arguments, by name."""
        return {name: value for name, value in vars(self).items() if name != "path"}

    def rows(self) -> Iterator[Attempt]:
        """Return the attempts at all records, read anew."""
        _reading.cache_clear()
        return rows(self.path, **self.options())

    def some(self, start: int, stop: int) -> list[Attempt]:
        """Return the attempts number `start` to `stop`.

        A process that is asked for one stretch after the other reads the file once.
        """
        reading = _reading(self)
        if reading.next > start:
            _reading.cache_clear()
            reading = _reading(self)
        found = list(islice(reading.rows, start - reading.next, stop - reading.next))
        reading.next = stop
        return found

    def key(self) -> dict[str, Any]:
        """Return what tells the content of the files; a genome's is told by its size and time."""
        about: dict[str, Any] = {"width": self.width, "center": self.center}
        for name, path in (("sequences", self.path), ("exclude", self.exclude)):
            if path is not None:
                with open(path, "rb") as file:
                    about[name] = hashlib.file_digest(file, "sha256").hexdigest()
        if self.genome is not None:
            stat = self.genome.stat()
            about["genome"] = [stat.st_size, stat.st_mtime_ns]
        return about


@dataclass
class _Reading:
    """A file that is being read: the attempts to come, and the number of the next."""

    rows: Iterator[Attempt]
    next: int = 0


@lru_cache(maxsize=1)
def _reading(source: Source) -> _Reading:
    return _Reading(source.rows())


def peeked(attempts: Iterator[Attempt]) -> tuple[Record | None, Iterator[Attempt]]:
    """Return the first record, if there is one, and all attempts."""
    tried = []
    for attempt in attempts:
        tried.append(attempt)
        try:
            return attempt(), chain(tried, attempts)
        except ValueError:
            continue
    return None, iter(tried)


def records(
    sequences: Sequences, genome: str | Path | None, reject: Reject, **options: Any
) -> Iterator[Record]:
    """Return an iterator over the records that can be used.

    Args:
        sequences: See `rows`, as for those below.
        genome: The genome of the intervals in a file.
        reject: Called with what is wrong with a record, which is left out if it returns.
        options: More of `rows`.
    """
    return accepted(rows(sequences, genome, **options), reject)


def rows(
    sequences: Sequences,
    genome: str | Path | None = None,
    *,
    width: int | None = None,
    trained_width: int | None = None,
    center: Center | None = None,
    exclude: str | Path | None = None,
) -> Iterator[Attempt]:
    """Return the attempts at the records.

    Args:
        sequences: A file that `modelzoo.sequences.read_sequences` takes; or the sequences
            themselves, as strings, which are then named by their numbers, or as records.
        genome: The genome of the intervals in a file, in FASTA or 2bit.
        width: See `modelzoo.sequences.read_bed`, as for `center`; only for a file of intervals.
        trained_width: The width where none is given.
        center: Where in an interval the window lies.
        exclude: A file of regions; windows that overlap one are left out.
    """
    regions = None if exclude is None else Regions(read_intervals(exclude))
    if not isinstance(sequences, str | Path):
        given = _given(sequences, placed=regions is not None)
    else:
        placed = holds_intervals(sequences)
        if not placed and (width or center):
            given_for = "width" if width else "center"
            raise ValueError(f"{given_for}: expected a file of intervals, got {sequences}")
        if not placed and regions is not None:
            raise ValueError(f"exclude: expected a file of intervals, got {sequences}")
        if is_pipe(sequences):
            given = fasta_rows(sequences)
        else:
            given = rows_of(sequences, genome, width or trained_width, center)
    return (partial(_usable, attempt, regions) for attempt in given)


def is_pipe(path: str | Path) -> bool:
    """Return whether a path can be read only once, and has a name that tells nothing.

    So have pipes, as of `<(zcat a.fa.gz)`. They are read as FASTA, as standard input is.
    """
    return not Path(path).is_file() and Path(path).exists()


def _given(sequences: Iterable[str | Record], placed: bool) -> Iterator[Attempt]:
    for number, given in enumerate(sequences):
        record = Record(str(number), given) if isinstance(given, str) else given
        if placed and record.interval is None:
            raise ValueError(f"exclude: expected records with intervals, got {record.name!r}")
        yield partial(checked, record)


def _usable(attempt: Attempt, regions: Regions | None) -> Record:
    record = attempt()
    if regions is not None and record.interval and regions.overlap(record.interval):
        raise Excluded(f"{record.name!r} at {record.interval} is excluded")
    if (length := len(record.sequence)) > LONGEST:
        raise ValueError(f"{record.name!r} has {length} positions; expected {LONGEST} at most")
    return record
