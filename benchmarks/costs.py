"""Measures what a call, an operation and a byte cost on a kind of device: the constants of sharing.

python benchmarks/costs.py [--device cuda] times models of many sizes both ways, fits

    seconds = calls * call + operations * operation + bytes * byte

(on a GPU the larger of the first part and the other two) to what is counted, and prints the
constants for `shiftsmooth/sharing/costs.py`, and how often the choice that they make is the faster
one.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from scipy.optimize import least_squares
from shapes import SHAPES, Shape
from torch import Tensor, nn

from shiftsmooth import ShiftSmooth
from shiftsmooth.sharing.costs import CONSTANTS, Cost, Counter
from shiftsmooth.sharing.decide import MARGIN

SIZES = [(1, 1), (1, 4), (4, 1)]  # of batch and length, each a divisor of the shape's


def way(model: nn.Module, x: Tensor, reach: int, share: bool) -> Callable[[], object]:
    """A call, ready to be timed: whatever is measured once has been."""
    smooth = ShiftSmooth(model, share=share)
    run = partial(smooth.attribute, x, 0, max_shift=reach)
    run()
    return run


def counted(run: Callable[[], object]) -> Cost:
    """What a call does."""
    with Counter() as counter:
        run()
    return counter.cost


def seconds(runs: list[Callable[[], object]], rounds: int, cuda: bool) -> list[float]:
    """The fastest of several rounds of each, in turns.

    On a CPU it is the time of the process, which other programs change little.
    """
    clock = time.perf_counter if cuda else time.process_time
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for run, found in zip(runs, times):
            start = clock()
            run()
            if cuda:
                torch.cuda.synchronize()
            found.append(clock() - start)
    return [min(found) for found in times]


def measure(device: str, rounds: int) -> list[tuple[str, Cost, float, Cost, float]]:
    """For shapes of many sizes: name, cost and time with sharing, and without."""
    found = []
    for shape in SHAPES:
        for batches, lengths in SIZES:
            whole = shape.gpu_batch or shape.batch if device == "cuda" else shape.batch
            size = (whole // batches or 1, max(60, shape.length // lengths))
            if size[1] < 600 and "Basset" in shape.name:
                continue
            model, x = Shape(shape.name, shape.model, *size).build(device)
            for reach in (2, 10):
                shared, apart = (way(model, x, reach, share) for share in (True, False))
                times = seconds([shared, apart], rounds, device == "cuda")
                name = f"{shape.name}, {size[0]} x {size[1]}, N = {reach}"
                found.append((name, counted(shared), times[0], counted(apart), times[1]))
    return found


def fitted(found: list[tuple[str, Cost, float, Cost, float]], device: str) -> dict[str, float]:
    """The constants with the smallest relative error."""
    rows = [(cost, t) for _, a, ta, b, tb in found for cost, t in ((a, ta), (b, tb))]
    first = CONSTANTS[device]

    def error(logarithms: np.ndarray) -> list[float]:
        constants = dict(zip(first, np.exp(logarithms)))
        return [np.log(cost.seconds(torch.device(device), constants) / t) for cost, t in rows]

    found_best = least_squares(error, np.log(list(first.values())), loss="soft_l1")
    return dict(zip(first, np.exp(found_best.x)))


def main() -> None:
    """Print the constants and what they choose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = measure(options.device, options.rounds)
    constants = fitted(found, options.device)
    print(f'"{options.device}": {{{", ".join(f"{k!r}: {v:.2g}" for k, v in constants.items())}}},')
    kept, device = CONSTANTS[options.device], torch.device(options.device)
    for label, used in (("these", constants), ("those in the code", kept)):
        print(f"\nWith {label}:")
        for name, shared, fast, apart, slow in found:
            ratio = shared.seconds(device, used) / apart.seconds(device, used)
            choice = "share" if ratio < 1 - MARGIN else "apart"
            lost = (fast if choice == "share" else slow) / min(fast, slow) - 1
            against = (fast / slow - 1) if choice == "share" else 0.0
            print(
                f"{name:60} {choice}  predicted {ratio:.2f}  measured {fast / slow:.2f}  "
                f"slower than the best by {lost:.0%}, than the black box by {against:.0%}"
            )


if __name__ == "__main__":
    main()
