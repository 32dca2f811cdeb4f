"""Times of ShiftSmooth beside what else one could do, in one run so that ratios mean something.

make bench runs this and writes benchmarks/REPORT.md; make bench DEVICE=cuda does it on a GPU. Each
benchmark is a round of several methods, one after the other; a ratio is one of times of a round.
"""

from dataclasses import replace
from functools import partial

import methods
import pytest
import timing
import torch
from limit import limit
from methods import APART, SHARED, Run
from shapes import FIELD, SHAPES, Dilated, Shape, wide

CHUNKS = (1, 3, 5, 11, 21)
ROUNDS = 5
LOOPED = 4  # sequences of the paper's loop that are timed on a GPU


def timed(
    benchmark,
    device: str,
    runs: dict[str, Run],
    rounds: int = ROUNDS,
    parts: dict[str, float] | None = None,
    **info,
) -> None:
    """Times `runs` in turns and keeps their times with `info`, in tables of N their memory too.

    A run that `parts` names does only this part of the work, so its times are divided by it.
    """
    memory = {}
    if "limit" in info:
        memory = {name: timing.peak_memory(run, device) for name, run in runs.items()}
    found = benchmark.pedantic(timing.in_turns, (runs, device, rounds), rounds=1)
    for name, part in (parts or {}).items():
        found[name] = [seconds / part for seconds in found[name]]
    told = {"device": device, "machine": timing.machine(device)}
    benchmark.extra_info.update(info, **told, seconds=found, memory=memory)


def best_of(run, device: str, reach: int) -> tuple[int, Run]:
    """The fastest chunk size, and `run` with it."""
    sizes = {chunk: partial(run, chunk) for chunk in CHUNKS if chunk <= 2 * reach + 1}
    chunk = timing.fastest(sizes, device)
    return chunk, sizes[chunk]


@pytest.mark.parametrize("reach", [2, 10], ids="N={}".format)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_methods(benchmark, device, shape, reach):
    model, x = shape.build(device)
    runs: dict[str, Run] = {"gradient": partial(methods.gradient, model, x)}
    runs |= methods.ours(model, x, reach)
    for run in runs.values():
        run()  # what is measured and checked once per shape
    chunks = {}
    for name, method in (("black box", methods.black_box), ("best fixed", methods.fixed)):
        chunks[name], runs[name] = best_of(partial(method, model, x, reach), device, reach)
    runs["NoiseTunnel"] = partial(methods.noise_tunnel, model, x, reach)
    looped = x[:LOOPED] if device == "cuda" else x
    runs["paper's loop"] = partial(methods.paper_loop, model, looped, reach)
    least = limit(model.cpu(), x.cpu(), list(range(-reach, reach + 1)))
    model.to(device)
    info = {"table": f"N = {reach}", "shape": shape.name, "chunks": chunks, "limit": least}
    timed(benchmark, device, runs, parts={"paper's loop": len(looped) / len(x)}, **info)


@pytest.mark.parametrize("shape", SHAPES[:4], ids=lambda shape: shape.name)
def test_paths(benchmark, device, shape):
    model, x = shape.build(device)
    runs = methods.paths(model, x, 5)
    for run in runs.values():
        run()
    timed(benchmark, device, runs, table="paths", shape=shape.name)


@pytest.mark.parametrize("precision", ["float32", "TF32", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES[:4], ids=lambda shape: shape.name)
def test_precisions(benchmark, device, monkeypatch, request, shape, precision):
    if device == "cpu":
        shape = replace(shape, batch=2)  # only shows that everything runs: a CPU has no TF32
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", precision == "TF32")
    request.addfinalizer(partial(torch.set_float32_matmul_precision, "highest"))
    torch.set_float32_matmul_precision("high" if precision == "TF32" else "highest")
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    model, x = (part.to(dtype) for part in shape.build(device))
    runs: dict[str, Run] = {"gradient": partial(methods.gradient, model, x)}
    runs |= methods.ours(model, x, 10)
    if precision != "bfloat16":  # Captum's noise makes it float32 again
        runs["NoiseTunnel"] = partial(methods.noise_tunnel, model, x, 10)
    for run in runs.values():
        run()
    timed(benchmark, device, runs, table="precisions", shape=shape.name, precision=precision)


@pytest.mark.parametrize("shape", FIELD, ids=lambda shape: shape.name)
def test_field(benchmark, device, shape):
    pytest.importorskip("tangermeme")
    if "bpnet-lite" in shape.name:
        pytest.importorskip("bpnetlite")
    model, x = shape.build(device)
    runs, failed = {}, {}
    for name, run in methods.field(model, x, 5).items():
        try:
            run()
        except Exception as error:  # not every method takes every model
            failed[name] = f"{type(error).__name__}: {error}".splitlines()[0]
        else:
            runs[name] = run
    assert "ShiftSmooth" in runs and "gradient" in runs, failed
    timed(benchmark, device, runs, table="field", shape=shape.name, failed=failed)


GROWTH = {"dilated CNN": (Dilated, 4, 2114), "one-layer CNN": (wide, 16, 1000)}


def grown(benchmark, device, axis, value, name, shape, reach):
    model, x = shape.build(device)
    runs = methods.ours(model, x, reach)
    runs[SHARED]()
    timed(benchmark, device, runs, rounds=1, table=axis, value=value, shape=name)


@pytest.mark.parametrize("reach", [2, 5, 10, 20, 50], ids="N={}".format)
@pytest.mark.parametrize("name", GROWTH)
def test_growth_with_n(benchmark, device, name, reach):
    grown(benchmark, device, "N", reach, name, Shape(name, *GROWTH[name]), reach)


@pytest.mark.parametrize("length", [100, 1000, 10_000, 100_000], ids="L={}".format)
@pytest.mark.parametrize("name", GROWTH)
def test_growth_with_length(benchmark, device, name, length):
    shape = Shape(name, GROWTH[name][0], 1, length)
    grown(benchmark, device, "L", length, name, shape, 10)


def test_the_methods_agree():
    """What is compared is the same number, however it is made."""
    model, x = Shape("one", wide, 2, 60).build("cpu")
    loop = methods.paper_loop(model, x, 2)
    assert torch.allclose(methods.black_box(model, x, 2, 3), loop, atol=1e-7)
    for run in (methods.ours(model, x, 2)[SHARED], methods.ours(model, x, 2)[APART]):
        assert torch.allclose(run(), loop, atol=1e-7)
