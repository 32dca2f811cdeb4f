"""Parts for tests of `modelzoo.workers`: functions that a worker can import."""

import multiprocessing
import os
import signal
import time
from functools import partial
from pathlib import Path

from modelzoo.workers import Part

LOCKS = []


def squared(number):
    return str(number**2).encode()


def noted(folder, number):
    """Square a number, and note that it was done."""
    with open(Path(folder) / "log", "a") as log:
        log.write(f"{number} {os.getpid()}\n")
    return squared(number)


def failing(number):
    raise ArithmeticError(f"{number} is not a good number")


def dying(folder, number, times):
    """End this process without a word, so many times."""
    with open(Path(folder) / f"deaths-{number}", "a") as log:
        log.write("x")
    if (Path(folder) / f"deaths-{number}").stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return squared(number)


def hanging(folder, number, times, seconds=60):
    """Sleep for a minute, so many times."""
    with open(Path(folder) / f"naps-{number}", "a") as log:
        log.write("x")
    if (Path(folder) / f"naps-{number}").stat().st_size <= times:
        time.sleep(seconds)
    return squared(number)


def locking(folder, number):
    """Make a lock between processes, as a bar of tqdm does, which is kept while the process is."""
    LOCKS.append(multiprocessing.RLock())
    return squared(number)


def gpu(folder, number):
    """Tell which GPU this process was given, once another works beside it."""
    (Path(folder) / f"here-{os.getpid()}").touch()
    deadline = time.monotonic() + 30
    while len(list(Path(folder).glob("here-*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    return os.environ["CUDA_VISIBLE_DEVICES"].encode()


def parts(folder, count, work=noted, **arguments):
    return [
        Part(Path(folder) / f"{i}.part", partial(work, folder, i, **arguments), key=str(i))
        for i in range(count)
    ]
