"""Parts on a Ray cluster (extra `ray`). Their folder has to be one that every node shares."""

from __future__ import annotations

import logging
import os
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelzoo.workers import ATTEMPTS, Part, given_up, one_thread

IN_FLIGHT = 4  # parts per processor that Ray knows about at a time


@dataclass(frozen=True)
class OnRay:
    """An engine for `modelzoo.workers.run`: each part is a task of a Ray cluster.

    Attributes:
        address: Of the cluster; None for the one of the environment, or else one on this machine.
        gpus: GPUs of each part; a fraction shares one.
        timeout: Seconds after which a part is stopped and begun again.
    """

    address: str | None = None
    gpus: float = 0
    timeout: float | None = None

    def __call__(self, parts: Sequence[Part]) -> Generator[Part, None, None]:
        """Do the parts, and yield each when its file is there."""
        import ray

        mine = not ray.is_initialized()
        if mine:
            ray.init(self.address, log_to_driver=False, logging_level=logging.WARNING)
        do = ray.remote(num_cpus=1, num_gpus=self.gpus, max_retries=0)(_do)
        waiting, failures = list(reversed(parts)), Counter[Path]()
        running: dict[Any, Part] = {}
        try:
            while waiting or running:
                most = max(1, int(IN_FLIGHT * ray.cluster_resources().get("CPU", 1)))
                while waiting and len(running) < most:
                    part = waiting.pop()
                    running[do.remote(part, self.timeout, os.getcwd())] = part
                done, _ = ray.wait(list(running), num_returns=1, timeout=5)
                for task in done:
                    part = running.pop(task)
                    try:
                        ray.get(task)
                    except ray.exceptions.RayTaskError as error:
                        raise error.as_instanceof_cause() from None
                    except ray.exceptions.RayError:  # a worker or a node is gone
                        failures[part.path] += 1
                        if failures[part.path] == ATTEMPTS:
                            raise given_up(part) from None
                        waiting.append(part)
                    else:
                        yield part
        finally:
            for task in running:
                with suppress(ray.exceptions.RayError):
                    ray.cancel(task, force=True)
            if mine:
                ray.shutdown()


def _do(part: Part, timeout: float | None, folder: str) -> None:
    """Do a part in a worker of the cluster, whose process ends if it takes too long."""
    one_thread()
    with suppress(OSError):
        os.chdir(folder)  # where the driver is: paths may be relative to it
    if timeout is None:
        part.do()
        return
    watch = threading.Timer(timeout, os._exit, [1])
    watch.daemon = True
    watch.start()
    try:
        part.do()
    finally:
        watch.cancel()
