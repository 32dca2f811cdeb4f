"""Measures runs in parts, and computes from that what a hundred nodes would need.

python benchmarks/cluster.py [REPORT] times predictions and attributions by workers and engine, what
an engine costs per part, and the merge, and writes `benchmarks/CLUSTER.md`.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch

from modelzoo.apply.attribute import PART, attribute
from modelzoo.apply.inputs import Named, Source
from modelzoo.apply.predict import WINDOW, predict_in_parts
from modelzoo.jobs import Job, Where
from modelzoo.on_ray import OnRay
from modelzoo.tracks.tsv import write_tsv
from modelzoo.workers import Engine, Part, run

MODEL = Named("deepbind-gata3", "cpu")
LENGTH = 101
ROWS = 20 * WINDOW  # of the runs that are timed
ATTRIBUTED = 2 * (PART // LENGTH)
TRIVIAL = 300  # parts, to see what an engine costs per part
NODES, CORES = 100, 32  # of the cluster on paper
PEAKS = 1_000_000
GENOME, STEP = 3_088_286_401, 10  # hg38's chromosomes
DISK = 500e6  # bytes per second of a shared folder, an assumption


def seconds() -> tuple[float, float]:
    """The clock, and the processor time of this process and of those that have ended."""
    own, others = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    used = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    return time.monotonic(), used


def timed(work: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, float, float]:
    """The value of a call, its wall-clock seconds and its processor seconds."""
    before = seconds()
    value = work(*args, **kwargs)
    after = seconds()
    return value, after[0] - before[0], after[1] - before[1]


def nothing(number: int) -> bytes:
    """The work of a part that costs nothing."""
    return bytes([number % 256])


def engines() -> dict[str, tuple[int, Engine | None]]:
    return {"this process": (1, None), "2 processes": (2, None), "Ray, 2 CPUs": (2, OnRay())}


def overheads(folder: Path) -> dict[str, tuple[float, float]]:
    """Seconds per part that an engine adds, without its start: of the clock, and of the driver."""
    found = {}
    for name, (workers, engine) in engines().items():
        times = []
        for count in (TRIVIAL // 4, TRIVIAL // 4, TRIVIAL // 4 + TRIVIAL):  # the first warms up
            own = folder / f"{name}-{len(times)}"
            own.mkdir()
            parts = [Part(own / str(i), partial(nothing, i)) for i in range(count)]
            options = {"workers": workers, "engine": engine, "progress": False}
            before = time.process_time()
            _, clock, _ = timed(run, parts, **options)
            times.append(np.array([clock, time.process_time() - before]))
        clock, driver = (times[2] - times[1]).clip(0) / TRIVIAL
        found[name] = clock, driver
    return found


def predictions(folder: Path, path: Path) -> tuple[list[tuple], float, int, float]:
    """(engine, wall, CPU) of each engine; merge seconds, bytes of parts, CPU of the work itself."""
    rows = []
    merge, size, work = 0.0, 0, 0.0
    for name, (workers, engine) in engines().items():
        found = predict_in_parts(MODEL, Source(path))
        with Job(folder / f"{name}.tsv", Where(workers=workers, engine=engine)) as job:
            contents, *took = timed(job.contents, found.works, found.key, progress=False)
            size = sum(part.stat().st_size for part in job.folder.glob("*.part"))
            made = found.taken(contents, print)
            with open(folder / f"{name}.tsv", "w") as file:
                cells = (one.cells() for one in made)
                merge = timed(write_tsv, file, made.columns, cells)[2]
        rows.append((name, *took))
        work = took[1] if name == "this process" else work
    texts = {(folder / f"{name}.tsv").read_bytes() for name in engines()}
    assert len(texts) == 1, "expected the same bytes of every engine"
    return rows, merge, size, work


def attributions(folder: Path, path: Path) -> tuple[float, float, int]:
    """CPU seconds of the parts and of the merge, and the bytes of the parts."""
    where = Where(workers=1, part=(1, 1))
    options = {"where": where, "formats": ()}
    MODEL.load()
    work = timed(attribute, MODEL, path, folder / "attributions", **options)[2]
    size = sum(part.stat().st_size for part in (folder / "attributions.parts").glob("*.part"))
    options["where"] = Where(workers=1, only_merge=True)
    return work, timed(attribute, MODEL, path, folder / "attributions", **options)[2], size


def paper(
    name: str, rows: float, per_part: int, work: float, merge: float, size: float
) -> list[str]:
    """A row: what so many sequences need, from seconds and bytes per sequence."""
    parts = int(np.ceil(rows / per_part))
    workers = min(NODES * CORES, parts)
    written = rows * size
    merging = rows * merge + 2 * written / DISK
    computing = rows * work / workers
    useful = rows * work / merging
    return [
        name, f"{rows:,.0f}", f"{parts:,}", f"{written / 1e9:,.2f} GB",
        f"{rows * work / 3600:,.1f}", f"{workers:,}", f"{computing / 60:,.1f} min",
        f"{merging / 60:,.1f} min", f"{useful:,.0f}",
    ]  # fmt: skip


def table(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "report", nargs="?", type=Path, default=Path(__file__).parent / "CLUSTER.md"
    )
    report = parser.parse_args().report
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=2, _node_ip_address="127.0.0.1", include_dashboard=False, log_to_driver=False)
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (ROWS, LENGTH))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        records = [f">r{i}\n{''.join(row)}\n" for i, row in enumerate(letters)]
        (folder / "all.fa").write_text("".join(records))
        (folder / "some.fa").write_text("".join(records[:ATTRIBUTED]))
        per_part = overheads(folder)
        rows, merge, size, work = predictions(folder, folder / "all.fa")
        explained, merged, bytes_ = attributions(folder, folder / "some.fa")
    one = work / ROWS, merge / ROWS, size / ROWS
    other = explained / ATTRIBUTED, merged / ATTRIBUTED, bytes_ / ATTRIBUTED
    per_task = per_part["Ray, 2 CPUs"][1]
    part_seconds = one[0] * WINDOW
    report.write_text(
        f"""# Runs in parts

Written by `python benchmarks/cluster.py` on {os.cpu_count()} cores, torch {torch.__version__}, with
`{MODEL.name}` on sequences of {
            LENGTH
        } letters. Other programs may share the cores: processor seconds
(CPU s) hold then, the clock does not.

## By workers and engine

Predictions of {ROWS:,} sequences in {
            ROWS // WINDOW
        } parts, with the start of the processes. All gave
the same bytes. Processes of Ray are not counted in CPU s, for they outlive the run.

{
            table(
                ["engine", "clock, s", "sequences per s", "CPU s"],
                [[n, f"{w:.1f}", f"{ROWS / w:,.0f}", f"{c:.1f}"] for n, w, c in rows],
            )
        }

## Per part

Parts of no work, without the start of the engine; the driver is the process that hands them out.
The fsync of a file is included. A part of predictions has {part_seconds * 1000:.0f} ms of work.

{
            table(
                ["engine", "clock, ms per part", "driver, CPU ms per part"],
                [[n, f"{c * 1000:.1f}", f"{d * 1000:.2f}"] for n, (c, d) in per_part.items()],
            )
        }

## A hundred nodes, on paper

{NODES} nodes of {CORES} cores. Work and merge per sequence are the CPU seconds measured above; a
shared folder that takes {
            DISK / 1e6:.0f} MB per second is assumed, and parts are written and read once.
A window of the genome counts as a sequence to predict, every {STEP} positions of hg38
({GENOME:,}): without the work that a scan shares between windows, so it is an upper bound.

{
            table(
                [
                    "run",
                    "sequences",
                    "parts",
                    "parts' files",
                    "core hours",
                    "workers of use",
                    "computing",
                    "merging",
                    "workers at which merging takes as long",
                ],
                [
                    paper("predict, 1 M peaks", PEAKS, WINDOW, *one),
                    paper("attribute, 1 M peaks", PEAKS, PART // LENGTH, *other),
                    paper("hg38, step 10", GENOME / STEP, WINDOW, *one),
                ],
            )
        }

Where it stops scaling: a run has no more workers than parts; merging is one process, so that beyond
the last column more workers hardly shorten a run; and one driver hands out a part per
{per_task * 1000:.1f} ms of its own time with Ray, which feeds {
            part_seconds / max(per_task, 1e-4):,.0f} workers with parts of
{part_seconds:.2f} s. A job array has no driver.
"""
    )


if __name__ == "__main__":
    main()
