"""Times of ShiftSmooth beside what else one could do, in one run so that ratios mean something.

make bench runs this and writes benchmarks/REPORT.md; make bench DEVICE=cuda does it on a GPU.
"""

import gc
from collections.abc import Callable

import pytest
import torch
from captum.attr import NoiseTunnel, Saliency
from shapes import SHAPES, Dilated, Shape, wide
from torch import Tensor, nn

from shiftsmooth import ShiftSmooth

CHUNKS = (1, 2, 3, 5, 7, 11, 21)


def gradient(model: nn.Module, x: Tensor) -> Tensor:
    """One plain gradient."""
    x = x.detach().requires_grad_()
    return torch.autograd.grad(model(x).sum(), x)[0]


def black_box(model: nn.Module, x: Tensor, reach: int, chunk: int) -> Tensor:
    """The least that any method pays which only runs the model: chunks of rolled copies."""
    leaf = x.detach().requires_grad_()
    total = torch.zeros_like(x)
    shifts = list(range(-reach, reach + 1))
    for start in range(0, len(shifts), chunk):
        copies = torch.cat([leaf.roll(n, -1) for n in shifts[start : start + chunk]])
        total += torch.autograd.grad(model(copies).sum(), leaf)[0]
    return total / len(shifts)


def paper_loop(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """One shift of one sequence after the other, as the paper's authors do it."""
    result = []
    for sequence in x.split(1):
        shifted = [
            gradient(model, sequence.roll(n, -1)).roll(-n, -1) for n in range(-reach, reach + 1)
        ]
        result.append(torch.stack(shifted).mean(0))
    return torch.cat(result)


def noise_tunnel(model: nn.Module, x: Tensor, reach: int) -> Tensor:
    """SmoothGrad with as many samples as there are shifts."""
    return NoiseTunnel(Saliency(model)).attribute(
        x, target=0, nt_samples=2 * reach + 1, stdevs=0.1, abs=False
    )


def peak_memory(run: Callable[[], object], device: str) -> int:
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


def timed(benchmark, device: str, run: Callable[[], object], rounds: int, **info: object) -> None:
    """Times `run`, and keeps its peak memory and `info` with the times."""

    def waited() -> None:
        run()
        if device == "cuda":
            torch.cuda.synchronize()

    benchmark.extra_info.update(info, memory=peak_memory(waited, device), device=device)
    benchmark.pedantic(waited, rounds=rounds, warmup_rounds=1)


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def built(request, device) -> tuple[Shape, nn.Module, Tensor]:
    return request.param, *request.param.build(device)


@pytest.fixture(params=[2, 10], ids="N={}".format)
def reach(request) -> int:
    return request.param


def method(name: str, model: nn.Module, x: Tensor, reach: int) -> Callable[[], object]:
    """What is timed under `name`."""
    apart, shared = ShiftSmooth(model, share=False), ShiftSmooth(model, share="auto")
    return {
        "gradient": lambda: gradient(model, x),
        "NoiseTunnel": lambda: noise_tunnel(model, x, reach),
        "ShiftSmooth": lambda: apart.attribute(x, 0, max_shift=reach),
        "ShiftSmooth, trunk='auto'": lambda: shared.attribute(x, 0, max_shift=reach),
    }[name]


@pytest.mark.parametrize(
    "name", ["gradient", "NoiseTunnel", "ShiftSmooth", "ShiftSmooth, trunk='auto'"]
)
def test_method(benchmark, device, built, reach, name):
    shape, model, x = built
    run = method(name, model, x, reach)
    run()
    timed(benchmark, device, run, 5, shape=shape.name, reach=reach, method=name)


@pytest.mark.parametrize("chunk", CHUNKS, ids="chunk={}".format)
def test_black_box(benchmark, device, built, reach, chunk):
    shape, model, x = built
    if chunk > 2 * reach + 1:
        pytest.skip("more than there are shifts")
    info = {"shape": shape.name, "reach": reach, "method": f"black box, {chunk}"}
    timed(benchmark, device, lambda: black_box(model, x, reach, chunk), 3, **info)


@pytest.mark.parametrize("chunk", CHUNKS, ids="chunk={}".format)
def test_fixed_shifts_per_eval(benchmark, device, built, reach, chunk):
    shape, model, x = built
    if chunk > 2 * reach + 1:
        pytest.skip("more than there are shifts")
    smooth = ShiftSmooth(model, share=False)
    info = {"shape": shape.name, "reach": reach, "method": f"fixed, {chunk}"}
    timed(
        benchmark,
        device,
        lambda: smooth.attribute(x, 0, max_shift=reach, shifts_per_eval=chunk),
        3,
        **info,
    )


def test_paper_loop(benchmark, device, built, reach):
    shape, model, x = built
    info = {"shape": shape.name, "reach": reach, "method": "paper's loop"}
    timed(benchmark, device, lambda: paper_loop(model, x, reach), 1, **info)


GROWTH = {
    "dilated CNN": Shape("dilated CNN", Dilated, 4, 2114),
    "one-layer CNN": Shape("one-layer CNN", wide, 16, 1000),
}


@pytest.mark.parametrize("name", ["ShiftSmooth", "ShiftSmooth, trunk='auto'"])
@pytest.mark.parametrize("shifts", [2, 5, 10, 20, 50], ids="N={}".format)
@pytest.mark.parametrize("shape", GROWTH.values(), ids=GROWTH)
def test_growth_with_n(benchmark, device, shape, shifts, name):
    model, x = shape.build(device)
    run = method(name, model, x, shifts)
    run()
    timed(benchmark, device, run, 2, growth="N", shape=shape.name, reach=shifts, method=name)


@pytest.mark.parametrize("name", ["ShiftSmooth", "ShiftSmooth, trunk='auto'"])
@pytest.mark.parametrize("length", [100, 300, 1000, 3000, 10000], ids="L={}".format)
@pytest.mark.parametrize("shape", GROWTH.values(), ids=GROWTH)
def test_growth_with_length(benchmark, device, shape, length, name):
    model, x = Shape(shape.name, shape.model, 4, length).build(device)
    run = method(name, model, x, 10)
    run()
    info = {"growth": "L", "shape": shape.name, "reach": length, "method": name}
    timed(benchmark, device, run, 2, **info)
