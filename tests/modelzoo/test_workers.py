"""Parts leave the same files wherever they are done, and however often that is interrupted."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from modelzoo import workers
from modelzoo.workers import Part, alone, run, share
from tests.support.work import dying, failing, gpu, hanging, parts, squared


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.part")}


def log(folder):
    return [line.split() for line in (folder / "log").read_text().splitlines()]


def test_a_part_leaves_what_its_work_gives(tmp_path):
    part = Part(tmp_path / "a", partial(squared, 7), key="7")
    assert part.read() is None
    part.do()
    assert part.read() == b"49"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:20], lambda b: b + b"0"])
def test_a_damaged_file_is_not_there(tmp_path, damage):
    part = Part(tmp_path / "a", partial(squared, 7))
    part.do()
    part.path.write_bytes(damage(part.path.read_bytes()))
    assert part.read() is None


def test_a_file_of_another_key_is_not_there(tmp_path):
    Part(tmp_path / "a", partial(squared, 7), key="7").do()
    assert Part(tmp_path / "a", partial(squared, 7), key="8").read() is None


def test_leftovers_of_killed_attempts_are_cleared_away(tmp_path):
    (tmp_path / ".a.0123abcd").write_bytes(b"half")
    (tmp_path / ".b.0123abcd").write_bytes(b"of another part")
    Part(tmp_path / "a", partial(squared, 7)).do()
    assert {path.name for path in tmp_path.iterdir()} == {"a", ".b.0123abcd"}


def test_a_part_done_by_many_at_once_is_whole_at_every_moment(tmp_path):
    part = Part(tmp_path / "a", lambda: b"x" * 100_000)
    part.do()
    others = [threading.Thread(target=part.do) for _ in range(20)]
    for other in others:
        other.start()
    while any(other.is_alive() for other in others):
        assert part.read() is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_processes_and_this_process_leave_the_same_bytes(tmp_path):
    for name, count in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        run(parts(tmp_path / name, 5), workers=count, progress=False)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert {pid for _, pid in log(tmp_path / "one")} == {str(os.getpid())}
    pids = {pid for _, pid in log(tmp_path / "two")}
    assert len(pids) == 2 and str(os.getpid()) not in pids


def test_what_is_done_is_not_done_again(tmp_path):
    some = parts(tmp_path, 4)
    some[2].do()
    before = some[2].path.stat().st_mtime_ns
    run(some, workers=1, progress=False)
    run(some, workers=1, progress=False)
    assert sorted(number for number, _ in log(tmp_path)) == ["0", "1", "2", "3"]
    assert some[2].path.stat().st_mtime_ns == before


def test_the_most_expensive_part_is_begun_first(tmp_path):
    some = [replace(p, cost=cost) for p, cost in zip(parts(tmp_path, 3), (1, 9, 3))]
    run(some, workers=1, progress=False)
    assert [number for number, _ in log(tmp_path)] == ["1", "2", "0"]


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_in_a_part_ends_the_run_and_is_told(tmp_path, count):
    some = [*parts(tmp_path, 2), Part(tmp_path / "bad", partial(failing, 13), cost=2)]
    with pytest.raises(ArithmeticError, match="13 is not a good number") as raised:
        run(some, workers=count, progress=False)
    assert not (tmp_path / "bad").exists()
    if count == 2:
        assert "in failing" in raised.value.__notes__[0]


def test_this_process_works_with_one_thread_meanwhile(tmp_path):
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        part = Part(tmp_path / "a", lambda: str(torch.get_num_threads()).encode())
        run([part], workers=1, progress=False)
        seen = [part.read(), torch.get_num_threads()]
    finally:
        torch.set_num_threads(before)
    assert seen == [b"1", 2]


def test_the_part_of_a_killed_worker_is_done_by_another(tmp_path):
    run(parts(tmp_path, 3, dying, times=1), workers=2, progress=False)
    assert [part.read() for part in parts(tmp_path, 3)] == [b"0", b"1", b"4"]


def test_a_part_that_ends_every_process_ends_the_run(tmp_path):
    with pytest.raises(RuntimeError, match=r"\d.part: its process ended 3 times .* memory"):
        run(parts(tmp_path, 2, dying, times=100), workers=2, progress=False)


def test_a_worker_that_hangs_is_ended_and_its_part_begun_again(tmp_path):
    start = time.monotonic()
    some = parts(tmp_path, 1, hanging, times=1)
    run(some, workers=1, timeout=5, progress=False)
    assert some[0].read() == b"0" and time.monotonic() - start < 50


def test_a_part_that_always_hangs_ends_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "ATTEMPTS", 1)
    with pytest.raises(TimeoutError, match=r"0.part: took longer than 1 s, 1 times"):
        run(parts(tmp_path, 1, hanging, times=9), timeout=1, progress=False)


@pytest.mark.parametrize(("listed", "given"), [(None, {b"0", b"1"}), ("5,7,9", {b"5", b"7"})])
def test_each_process_has_a_gpu_of_its_own(tmp_path, monkeypatch, listed, given):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if listed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", listed)
    some = parts(tmp_path, 2, gpu)
    run(some, gpus=2, progress=False)
    assert {part.read() for part in some} == given


def test_a_single_gpu_is_no_reason_to_work_in_this_process(tmp_path):
    some = parts(tmp_path, 2)
    run(some, gpus=1, progress=False)
    (pid,) = {pid for _, pid in log(tmp_path)}
    assert pid != str(os.getpid())


@pytest.mark.parametrize(("worth", "room", "others"), [(0.0, 9, 3), (9e9, 9, 0), (0.0, 1, 0)])
def test_a_run_goes_on_in_processes_once_it_is_worth_their_start(
    tmp_path, monkeypatch, worth, room, others
):
    monkeypatch.setattr(workers, "WORTH", worth)
    monkeypatch.setattr(workers, "_room", lambda: room)
    monkeypatch.setattr(workers, "cores", lambda: 2)
    some = parts(tmp_path, 4)
    run(some, begin_here=True, progress=False)
    assert [part.read() for part in some] == [squared(number) for number in range(4)]
    assert sum(pid != str(os.getpid()) for _, pid in log(tmp_path)) == others


def test_there_is_room_for_a_process_like_this_one():
    assert 0 < workers._room() < 10_000


def test_cores_are_those_that_this_process_may_use():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
    code += "from modelzoo.workers import cores; print(cores())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout == b"1\n"


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_the_shares_of_all_jobs_are_all_parts_each_once(tmp_path, of):
    some = parts(tmp_path, 5)
    shares = [share(some, number, of) for number in range(1, of + 1)]
    assert sorted(p.path for one in shares for p in one) == [p.path for p in some]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize(("number", "of"), [(0, 3), (4, 3), (1, 0)])
def test_a_job_that_there_is_not_is_named(number, of):
    with pytest.raises(ValueError, match=f"part: expected 1/{of} to {of}/{of}, got {number}/{of}"):
        share([], number, of)


@pytest.mark.slow  # each job imports torch
def test_jobs_in_any_order_some_twice_at_once_leave_the_bytes_of_one_process(tmp_path):
    for name in ("one", "jobs"):
        (tmp_path / name).mkdir()
    run(parts(tmp_path / "one", 5), workers=1, progress=False)
    script = tmp_path / "job.py"
    script.write_text(JOB)
    numbers = list(range(1, 6))
    random.Random(0).shuffle(numbers)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path / "jobs")]
    with ThreadPoolExecutor(3) as pool:
        jobs = [
            pool.submit(subprocess.run, [*command, str(n)], env=environment, check=True)
            for number in numbers
            for n in ([number, number] if number < 3 else [number])
        ]
    assert [job.result().returncode for job in jobs] == [0] * 7
    assert contents(tmp_path / "one") == contents(tmp_path / "jobs")
    assert not list((tmp_path / "jobs").glob(".*"))


JOB = """
import sys
from tests.support.work import parts
from modelzoo.workers import run, share
run(share(parts(sys.argv[1], 5), int(sys.argv[2]), 5), workers=1, progress=False)
"""


def test_the_second_run_in_a_folder_says_so_and_waits_even_if_the_first_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    first = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], env=environment, stdout=subprocess.PIPE
    )
    assert first.stdout.readline() == b"mine\n"
    said = []

    def kill(message):
        said.append(message)
        first.kill()

    with alone(tmp_path, kill):
        assert first.wait(10) == -signal.SIGKILL
    assert said == [f"{tmp_path}: another run is at work there; waiting until it has ended"]
    with alone(tmp_path, said.append):
        assert len(said) == 1


HOLDER = """
import sys, time
from pathlib import Path
from modelzoo.workers import alone
with alone(Path(sys.argv[1])):
    print("mine", flush=True)
    time.sleep(60)
"""


SCRIPT = """
import sys
from functools import partial
from tests.support.work import hanging, locking, parts
from modelzoo.workers import run
if __name__ == "__main__":
    work = {"hanging": partial(hanging, times=9), "locking": locking}[sys.argv[2]]
    run(parts(sys.argv[1], 2, work), workers=2, progress=False)
"""


def test_workers_clear_up_what_they_made(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, str(script), str(tmp_path), "locking"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(contents(tmp_path)) == 2


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path, how):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), "hanging"],
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("naps-*"))) < 2:  # both are at work
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) >= 2
        process.send_signal(how)
        assert process.wait(10) != 0
    deadline = time.monotonic() + 10
    while any(map(alive, children)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow  # numba compiles Tomtom
@pytest.mark.xdist_group("numba")
@pytest.mark.parametrize("first", ["", "import torch"])
def test_a_worker_has_one_thread_whatever_numba_does(first):
    code = """
FIRST
from modelzoo.workers import one_thread
one_thread()
import torch
from memelite import tomtom
motif = torch.eye(4, 8).numpy() + 0.1
tomtom([motif], [motif])
import numba
print(numba.get_num_threads(), torch.get_num_threads())
"""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", code.replace("FIRST", first)],
        check=True, capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.stdout.split() == ["1", "1"]
