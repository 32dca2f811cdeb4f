"""Twenty visitors at once: none is lost, and memory stays flat."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from modelzoo.app.explain import EXAMPLES
from tests.support.explorer import explorer

VISITORS = 20
SECONDS = float(os.environ.get("EXPLORER_LOAD_SECONDS", 10))
GROWTH = 8 * 2**20  # bytes
PEAK = EXAMPLES["GATA on both strands"]


def asked(url, visitor, kind, step):
    place = (7 * step + visitor) % len(PEAK)
    sequence = PEAK[:place] + "ACGT"[step % 4] + PEAK[place + 1 :]
    body = {"model": "moe-arid3a-foxm1-gata3", "sequence": sequence, "task": 0, "max_shift": 5}
    headers = {"X-Visitor": f"visitor-{visitor}", "Content-Type": "application/json"}
    request = Request(f"{url}/api/{kind}", json.dumps(body).encode(), headers)
    with urlopen(request, timeout=600) as response:
        return json.load(response)["letters" if kind == "quick" else "hits"], sequence


def memory(process):
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf(
        "SC_PAGE_SIZE"
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_twenty_visitors_are_answered_and_memory_stays_flat(monkeypatch):
    # glibc then gives back at once what is freed; otherwise it keeps up to 45 MiB, by chance.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "65536")
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with explorer("--model", "moe-arid3a-foxm1-gata3") as (url, process):

        def visit(visitor):
            answers = 0
            while time.monotonic() < end or not answers:
                letters, sequence = asked(url, visitor, "quick", answers)
                assert letters == sequence
                if visitor < 4 and answers % 10 == 0:
                    asked(url, visitor, "slow", answers)
                answers += 1
            return answers

        with ThreadPoolExecutor(VISITORS) as pool:
            end = 0.0
            list(pool.map(visit, range(VISITORS)))  # everything is loaded and compiled
            before, end = memory(process), time.monotonic() + SECONDS
            counts = list(pool.map(visit, range(VISITORS)))
            grown = memory(process) - before
        assert min(counts) >= 1
        print(f"{sum(counts)} answers in {SECONDS:g} s, {grown / 2**20:.0f} MiB more")
        assert grown < GROWTH, f"grew by {grown:,} bytes"
