"""Whatever happens to a run in parts, the same command ends with the bytes of one process."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # every run starts processes

ROWS = 2048  # in a part
MODEL = """
import os, time
from pathlib import Path
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.filters = nn.Conv1d(4, 5, 7)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        Path(f"at-work-{os.getpid()}").touch()
        if self.calls == 3 and Path("hang").exists():
            Path("hang").unlink()
            time.sleep(1000)
        if Path("slow").exists():
            time.sleep(0.2)
        return self.filters(x).amax(2)
"""


@pytest.fixture(scope="module")
def once(tmp_path_factory):
    """Sequences for ten parts, and what one process makes of them."""
    folder = tmp_path_factory.mktemp("once")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("mine.py").write_text(MODEL)
        drawn = random.Random(0)
        rows = ("".join(drawn.choices("ACGT", k=20)) for _ in range(10 * ROWS - 7))
        Path("a.fa").write_text("".join(f">r{i}\n{row}\n" for i, row in enumerate(rows)))
        done = start("--workers", "1", output="one.tsv")
        assert done.wait(300) == 0
    return folder


@pytest.fixture
def desk(once, tmp_path, monkeypatch):
    """A folder with these files, where the model is slow."""
    monkeypatch.chdir(tmp_path)
    for name in ("mine.py", "a.fa", "one.tsv"):
        shutil.copy2(once / name, name)
    Path("slow").touch()
    return tmp_path


def start(*words, output="out.tsv", **environment):
    command = [sys.executable, "-m", "modelzoo.cli.main", "predict", "a.fa", "-m", "mine.py:Model"]
    return subprocess.Popen(
        [*command, "-o", output, *words],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )


def finished(process, code=0):
    said = process.communicate(timeout=400)[1]
    assert process.returncode == code, said
    return said


def some_parts(process, count=2):
    """Wait until a run has done some parts."""
    deadline = time.monotonic() + 300
    while len(list(Path("out.tsv.parts").glob("*.part"))) < count:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)


def whole():
    assert Path("out.tsv").read_bytes() == Path("one.tsv").read_bytes()
    assert not Path("out.tsv.parts").exists()
    return True


def test_the_driver_killed(desk):
    first = start("--workers", "2")
    some_parts(first)
    first.kill()
    first.wait()
    kept = {path: path.stat().st_mtime_ns for path in Path("out.tsv.parts").glob("*.part")}
    assert 2 <= len(kept) < 10 and not Path("out.tsv").exists()
    cut, *_ = kept
    cut.write_bytes(cut.read_bytes()[:-99])
    finished(start("--workers", "1"))
    assert whole()


def test_a_worker_killed(desk):
    run = start("--workers", "2")
    some_parts(run)
    pids = {int(path.name.rpartition("-")[2]) for path in desk.glob("at-work-*")} - {run.pid}
    os.kill(min(pids), signal.SIGKILL)
    finished(run)
    assert whole()


@pytest.mark.nightly
def test_a_worker_that_hangs(desk):
    Path("slow").unlink()
    Path("hang").touch()
    finished(start("--workers", "2", "--part-timeout", "20"))
    assert not Path("hang").exists()
    assert whole()


def test_two_drivers(desk):
    first = start("--workers", "2")
    some_parts(first, 1)
    first.send_signal(signal.SIGSTOP)  # or it might end before the second has begun
    try:
        said = finished(start("--workers", "2"), code=1)
    finally:
        first.send_signal(signal.SIGCONT)
    assert "out.tsv.parts: another run is at work there" in said
    finished(first)
    assert whole()


@pytest.mark.nightly
def test_a_full_disk_and_then_room(desk):
    disk = desk / "disk"
    disk.mkdir()

    def mount(size, *options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}k", *options]), "none"]
        return subprocess.run([*command, disk], capture_output=True).returncode

    if os.getuid() or mount(1200):
        pytest.skip("cannot mount")
    try:
        said = finished(start("--workers", "2", output="disk/out.tsv"), code=1)
        assert "no space left" in said.lower() and said.count("\n") == 1
        left = sorted(path.name for path in Path("disk/out.tsv.parts").iterdir())
        assert any(name.endswith(".part") for name in left)
        assert all(name in (".lock", "command.json") or name.endswith(".part") for name in left)
        mount(20_000, "remount")
        finished(start("--workers", "2", output="disk/out.tsv"))
        assert Path("disk/out.tsv").read_bytes() == Path("one.tsv").read_bytes()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.nightly
def test_ten_jobs_of_an_array_in_random_order_some_twice_at_once(desk):
    Path("slow").unlink()
    numbers = [*range(1, 11), 3, 7]
    random.Random(1).shuffle(numbers)
    numbers += [numbers[-1]]  # the last one twice at once

    def job(number):
        slurm = {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": "10"}
        return finished(start("--part", "slurm", **slurm, SLURM_ARRAY_TASK_MIN="1"))

    with ThreadPoolExecutor(3) as pool:
        said = list(pool.map(job, numbers))
    assert all("is done; after all: shiftsmooth merge out.tsv" in one for one in said)
    merge = [sys.executable, "-m", "modelzoo.cli.main", "merge", "out.tsv"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(merge, check=True, env=environment)
    assert whole()
