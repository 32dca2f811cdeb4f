"""Parts: independent pieces of work, each leaving a file, wherever they are done.

A part is a pure function of its inputs and leaves one file. The file begins with a checksum of its
content and of the part's key, so a file that was cut, or that was made from something else, counts
as not there. Work that was interrupted resumes, and gives the same bytes wherever and in whatever
order its parts are done: in this process, in several (`run`), on a Ray cluster
(`modelzoo.on_ray`), or as one job of many (`share`).
"""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from typing import Any

from filelock import FileLock, Timeout
from tqdm.auto import tqdm

ATTEMPTS = 3  # at a part whose process ends or hangs
PATIENCE = 5.0  # seconds for a process to end by itself
WORTH = 20.0  # seconds of work that are worth the start of other processes


@dataclass(frozen=True)
class Part:
    """A piece of work that leaves one file.

    Attributes:
        path: Its file, in an existing folder.
        work: Gives the content. For more than one process it has to be picklable.
        key: Tells everything that the content depends on; a file of another key is not taken.
        cost: In any unit; the most expensive parts are begun first.
    """

    path: Path
    work: Callable[[], bytes]
    key: str = ""
    cost: int = 1

    def read(self) -> bytes | None:
        """Return the content, None where no whole file with this key is there."""
        try:
            found = self.path.read_bytes()
        except OSError:
            return None
        checksum, content = found[:65], found[65:]
        return content if checksum == self._checksum(content) else None

    def do(self) -> None:
        """Do the work and leave the file, whole; others may be doing the same."""
        content = self.work()
        own = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            with open(own, "wb") as file:
                file.write(self._checksum(content) + content)
                file.flush()
                os.fsync(file.fileno())
        except OSError:  # a full disk: make room again
            own.unlink(missing_ok=True)
            raise
        try:
            os.replace(own, self.path)
        except FileNotFoundError:  # another, done first, has cleared it away
            if self.read() is None:
                raise
        for leftover in self.path.parent.glob(f".{self.path.name}.*"):  # of attempts that ended
            leftover.unlink(missing_ok=True)

    def _checksum(self, content: bytes) -> bytes:
        total = hashlib.sha256(self.key.encode() + b"\0")
        total.update(content)
        return total.hexdigest().encode() + b"\n"


# Does parts, and yields each when its file is there.
Engine = Callable[[Sequence[Part]], Generator[Part, None, None]]


def run(
    parts: Sequence[Part],
    *,
    workers: int | None = None,
    timeout: float | None = None,
    engine: Engine | None = None,
    gpus: int = 0,
    begin_here: bool = False,
    description: str = "",
    progress: bool = True,
) -> None:
    """Do the parts whose file is not there yet.

    Args:
        parts: In any order; none depends on another.
        workers: Processes; one a core by default. 1 works in this process; for more, a script has
            to guard its main part by `if __name__ == "__main__"`.
        timeout: Seconds after which a part's process is ended and the part begun again.
        engine: Does the parts instead of processes of this machine.
        gpus: The first so many GPUs of this machine, of which each process has one.
        begin_here: Without `workers`, begin in this process, and start others once that is worth
            the seconds that it takes.
        description: Shown beside the bar.
        progress: Show a bar with the time left.

    Raises:
        RuntimeError: The process of a part ended `ATTEMPTS` times.
        TimeoutError: A part took longer than `timeout` `ATTEMPTS` times.
    """
    todo = sorted((part for part in parts if part.read() is None), key=lambda part: -part.cost)
    count = min(workers or gpus or cores(), len(todo))
    if engine is None and begin_here and workers is None and timeout is None and not gpus:
        engine = _begin_here
    elif engine is None:
        here = count < 2 and timeout is None and not gpus
        engine = _here if here else _Processes(count, timeout, gpus)
    total = sum(part.cost for part in parts)
    done = total - sum(part.cost for part in todo)
    with (
        tqdm(total=total, initial=done, desc=description, disable=not progress) as bar,
        closing(engine(todo)) as finished,
    ):
        for part in finished:
            bar.update(part.cost)


def share(parts: Sequence[Part], number: int, of: int) -> list[Part]:
    """Return the parts of job `number`, 1 to `of`; the jobs' shares are all parts, each once."""
    if not 1 <= number <= of:
        raise ValueError(f"part: expected 1/{of} to {of}/{of}, got {number}/{of}")
    return list(parts[number - 1 :: of])


def cores() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # which Slurm sets, and macOS does not have
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextmanager
def alone(
    folder: Path, say: Callable[[str], object] | None = None, *, wait: bool = True
) -> Iterator[None]:
    """Wait until no other run works in a folder, then keep others out.

    Args:
        folder: An existing folder. The file `.lock` in it may stay; a killed run holds it no more.
        say: Called with a message if there is another run to wait for; by default it goes to
            standard error.
        wait: Wait for the other run.

    Raises:
        RuntimeError: There is another run, and it is not to be waited for.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise RuntimeError(f"{folder}: another run is at work there") from None
        (say or partial(print, file=sys.stderr))(
            f"{folder}: another run is at work there; waiting until it has ended"
        )
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads of torch, then with as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> None:
    """Make this process, one of several that share the processors, compute with one thread.

    To be called before numba is imported: it would start one thread per processor, and make torch
    compute with as many. torch is not imported here, so that workers start in a moment.
    """
    os.environ["NUMBA_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _here(parts: Sequence[Part]) -> Generator[Part, None, None]:
    """Work in this process: with one thread, as every worker does, for the same rounding."""
    with threads(1):
        for part in parts:
            part.do()
            yield part


def _begin_here(parts: Sequence[Part]) -> Generator[Part, None, None]:
    """Work in this process, until what is left would take longer than to start others."""
    start, done, left = time.monotonic(), 0, sum(part.cost for part in parts)
    with closing(_here(parts)) as here:
        for number, part in enumerate(here, start=1):
            yield part
            done, left = done + part.cost, left - part.cost
            count = min(cores(), _room(), len(parts) - number)
            if count > 1 and (time.monotonic() - start) * left / done > WORTH:
                break
        else:
            return
    yield from _Processes(count, None)(parts[number:])


def _room() -> int:
    """Return how many processes like this one the memory that is free has room for."""
    try:
        text = Path("/proc/meminfo").read_text()
    except OSError:
        return cores()
    available = next(int(line.split()[1]) for line in text.splitlines() if "MemAvailable" in line)
    return available // getrusage(RUSAGE_SELF).ru_maxrss  # both in kilobytes


class _Processes:
    """Works in processes of this machine, each with one thread, and with one GPU if there are."""

    def __init__(self, count: int, timeout: float | None, gpus: int = 0) -> None:
        self.count, self.timeout = count, timeout
        listed = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        self.gpus = (listed.split(",") if listed else list(map(str, range(gpus))))[:gpus]

    def __call__(self, parts: Sequence[Part]) -> Generator[Part, None, None]:
        waiting, failures = deque(parts), Counter[Path]()
        workers = [self._worker(number) for number in range(min(self.count, len(parts)))]
        try:
            while waiting or any(worker.part for worker in workers):
                for worker in workers:
                    if worker.part is None and waiting:
                        worker.give(waiting.popleft())
                busy = [worker for worker in workers if worker.part]
                connection.wait([worker.pipe for worker in busy], self._patience(busy))
                for worker in busy:
                    part = worker.part
                    assert part is not None
                    late = worker.late(self.timeout)
                    if worker.pipe.poll() and worker.answered():
                        yield part
                    elif late or not worker.alive:
                        failures[part.path] += 1
                        if failures[part.path] == ATTEMPTS:
                            raise given_up(part, self.timeout if late else None)
                        worker.end()
                        number = workers.index(worker)
                        workers[number] = self._worker(number)
                        waiting.appendleft(part)
        finally:  # a part takes minutes, and nobody waits for it now
            for worker in workers:
                worker.pipe.close()
            for worker in workers:
                worker.end()

    def _worker(self, number: int) -> _Worker:
        return _Worker(self.gpus[number % len(self.gpus)] if self.gpus else None)

    def _patience(self, busy: Sequence[_Worker]) -> float | None:
        if self.timeout is None:
            return None
        begun = [worker.since for worker in busy if worker.since is not None]
        return max(0.0, min(begun) + self.timeout - time.monotonic()) if begun else None


class _Worker:
    """A process that does one part after the other, as this process's end of it."""

    def __init__(self, gpu: str | None = None) -> None:
        # A forked child would inherit torch's threads in an unknown state.
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, gpu))
        self.process.start()
        theirs.close()
        self.part: Part | None = None
        self.since: float | None = None  # when it began the part; before, it may be importing
        self.alive = True

    def give(self, part: Part) -> None:
        self.part, self.since = part, None
        try:
            self.pipe.send(part)
        except BrokenPipeError:
            self.alive = False

    def late(self, timeout: float | None) -> bool:
        if timeout is None or self.since is None:
            return False
        return time.monotonic() >= self.since + timeout

    def answered(self) -> bool:
        """Return whether its part is done; raise what went wrong with the part."""
        try:
            error = self.pipe.recv()
        except (EOFError, ConnectionResetError):
            self.alive = False
            return False
        if self.since is None:
            self.since = time.monotonic()
            return False
        if error is not None:
            raise error
        self.part = None
        return True

    def end(self) -> None:
        """End the process: by itself, if it has nothing to do, so that it can clear up."""
        self.pipe.close()
        if self.part is None:
            self.process.join(PATIENCE)
        self.process.kill()
        self.process.join()


def _serve(pipe: Any, gpu: str | None) -> None:
    """Do the parts that come through a pipe, until it is closed."""
    one_thread()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers itself
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            part = pipe.recv()
        except EOFError:
            return
        pipe.send(None)  # it has begun
        try:
            part.do()
        except Exception as error:
            error.add_note(f"in a worker:\n{traceback.format_exc()}")
            try:
                pipe.send(error)
            except Exception:  # not every exception can be pickled
                pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
        else:
            pipe.send(None)


def _end_with_parent() -> None:
    """End this process when its parent has ended, in whatever way."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def given_up(part: Part, timeout: float | None = None) -> Exception:
    """Return the error that ends a run when a part has failed `ATTEMPTS` times."""
    if timeout is None:
        return RuntimeError(
            f"{part.path}: its process ended {ATTEMPTS} times before it was done; is there enough"
            " memory, and time?"
        )
    return TimeoutError(f"{part.path}: took longer than {timeout:g} s, {ATTEMPTS} times")
