"""Parts on a real Ray cluster of two nodes on this machine leave the bytes of one process."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from modelzoo.workers import run
from tests.support.work import dying, failing, hanging, parts, squared

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow  # a cluster takes half a minute to start


@pytest.fixture(scope="module")
def cluster():
    """A head and a second node, each with processes of its own, which listen here alone."""
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    quick = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Else Ray replaces 127.0.0.1 by an address that other machines can reach.
        patch.setenv(ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR, "0")
        patch.setattr(ray_constants, "ENABLE_RAY_CLUSTER", False)
        made = Cluster(True, head_node_args={**node, "_system_config": quick})
        try:
            second = made.add_node(**node)
            ray.init(
                made.address, _node_ip_address="127.0.0.1", log_to_driver=False,
                logging_level="ERROR",
            )  # fmt: skip
            made.wait_for_nodes()
            yield made, second
        finally:
            ray.shutdown()
            made.shutdown()


def on_ray(some, **arguments):
    from modelzoo.on_ray import OnRay

    run(some, engine=OnRay(**arguments), progress=False)


def expected(count):
    return [squared(number) for number in range(count)]


def test_two_nodes_leave_the_same_bytes_as_this_process(cluster, tmp_path):
    for name in ("here", "ray"):
        (tmp_path / name).mkdir()
    run(parts(tmp_path / "here", 6), workers=1, progress=False)
    on_ray(parts(tmp_path / "ray", 6))
    for part in parts(tmp_path / "here", 6):
        assert part.path.read_bytes() == (tmp_path / "ray" / part.path.name).read_bytes()
    pids = {line.split()[1] for line in (tmp_path / "ray" / "log").read_text().splitlines()}
    assert str(os.getpid()) not in pids


def test_an_error_in_a_part_is_told_as_it_is(cluster, tmp_path):
    some = parts(tmp_path, 1, lambda folder, number: failing(number))
    with pytest.raises(ArithmeticError, match="0 is not a good number"):
        on_ray(some)


def test_the_part_of_a_killed_worker_is_done_by_another(cluster, tmp_path):
    some = parts(tmp_path, 3, dying, times=1)
    on_ray(some)
    assert [part.read() for part in some] == expected(3)


def test_a_part_that_ends_every_worker_ends_the_run(cluster, tmp_path):
    with pytest.raises(RuntimeError, match="its process ended 3 times"):
        on_ray(parts(tmp_path, 1, dying, times=100))


def test_a_part_that_hangs_is_begun_again(cluster, tmp_path):
    some = parts(tmp_path, 1, hanging, times=1)
    on_ray(some, timeout=5)
    assert some[0].read() == b"0"


def test_ctrl_c_cancels_the_tasks_and_keeps_what_is_done(cluster, tmp_path):
    (tmp_path / "slow").mkdir()
    done = parts(tmp_path, 1)
    some = [*done, *parts(tmp_path / "slow", 2, hanging, times=9)]

    def press():
        while not (done[0].read() and list((tmp_path / "slow").glob("naps-*"))):
            time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        on_ray(some)
    assert done[0].read() == squared(0)
    deadline = time.monotonic() + 30  # a task that goes on would take a minute
    while ray.available_resources().get("CPU") != ray.cluster_resources()["CPU"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not list((tmp_path / "slow").glob("*.part"))


def test_nobody_else_can_reach_the_cluster(cluster):
    mine = {info.process.pid for node in cluster[0].list_all_nodes()
            for infos in node.all_processes.values() for info in infos}  # fmt: skip
    sockets = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    heard = [
        line.split()[3] for line in sockets.splitlines()
        if any(f"pid={pid}," in line for pid in mine)
    ]  # fmt: skip
    assert heard and all(
        address.startswith(("127.0.0.1:", "[::ffff:127.0.0.1]:")) for address in heard
    ), heard


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

    def forward(self, x):
        if not Path(f"nap-{os.getpid()}").exists():  # once per process
            Path(f"nap-{os.getpid()}").touch()
            time.sleep(5 if len(x) > 1 else 0)
        return self.filters(x).amax(2)
"""


def test_a_command_on_a_cluster_of_which_a_node_is_killed(
    cluster, shiftsmooth, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(MODEL)
    Path("a.fa").write_text("".join(f">r{i}\n{'ACGTTGCA' * 3}\n" for i in range(9000)))
    words = ("predict", "a.fa", "-m", "mine.py:Model")
    assert shiftsmooth(*words, "-o", "one.tsv", "--workers", "1").code == 0
    for path in tmp_path.glob("nap-*"):
        path.unlink()
    made, _ = cluster
    third = made.add_node(num_cpus=1, node_ip_address="127.0.0.1", include_dashboard=False)
    made.wait_for_nodes()
    alive = len([node for node in ray.nodes() if node["Alive"]])

    def kill_when_all_work():
        while len(list(tmp_path.glob("nap-*"))) < alive + 1:  # the driver has tried the model
            time.sleep(0.1)
        made.remove_node(third, allow_graceful=False)

    killer = threading.Thread(target=kill_when_all_work, daemon=True)
    killer.start()
    done = shiftsmooth(*words, "-o", "two.tsv", "--ray", made.address)
    assert done.code == 0, done.err
    killer.join(1)
    assert not killer.is_alive()
    assert Path("one.tsv").read_bytes() == Path("two.tsv").read_bytes()
    assert not Path("two.tsv.parts").exists()


def test_the_parts_of_a_killed_node_are_done_by_the_other(cluster, tmp_path):
    """The last test: the second node is gone afterwards."""
    made, second = cluster
    some = parts(tmp_path, 2, hanging, times=1, seconds=8)
    killer = threading.Thread(target=_kill_when_both_work, args=(made, second, tmp_path))
    killer.start()
    on_ray(some)
    killer.join()
    assert [part.read() for part in some] == expected(2)
    assert sum(path.stat().st_size for path in tmp_path.glob("naps-*")) == 3


def _kill_when_both_work(made, node, folder):
    while len(list(folder.glob("naps-*"))) < 2:
        time.sleep(0.1)
    made.remove_node(node, allow_graceful=False)
