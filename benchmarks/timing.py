"""Times of several runs, in turns, so that what slows the machine slows all of them."""

import gc
import time

import torch
from methods import Run

LEAST = 0.01  # seconds that a sample should take; short runs are repeated


def machine(device: str) -> str:
    """What runs are timed on."""
    where = f"{torch.get_num_threads()} threads, torch {torch.__version__}"
    return f"{torch.cuda.get_device_name()}, {where}" if device == "cuda" else where


def seconds(run: Run, device: str, repeats: int = 1) -> float:
    """The time of one run, as the mean of several."""
    start = time.perf_counter()
    for _ in range(repeats):
        run()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / repeats


def in_turns(runs: dict[str, Run], device: str, rounds: int) -> dict[str, list[float]]:
    """The seconds of each run in each round, after once more that is not timed.

    glibc gives pages back to the system where a lot was freed, and the next run pays for new ones:
    without the untimed run, that would be a cost of the run before it.
    """
    repeats = {name: 1 + int(LEAST / seconds(run, device)) for name, run in runs.items()}
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            run()
            found[name].append(seconds(run, device, repeats[name]))
    return found


def fastest(runs: dict[int, Run], device: str) -> int:
    """Which of some chunk sizes is the fastest, after one round to warm up."""
    for run in runs.values():
        run()
    times = {size: [seconds(run, device)] for size, run in runs.items()}
    for size, run in runs.items():
        times[size].append(seconds(run, device))
    return min(times, key=lambda size: min(times[size]))


def peak_memory(run: Run, device: str) -> int:
    """Bytes that `run` adds at its highest."""
    gc.collect()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts from here
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def resident(field: str) -> int:
    """A memory figure of this process in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))
