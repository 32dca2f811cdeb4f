import os
import re
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest


@pytest.fixture
def peaks(tmp_path):
    path = tmp_path / "peaks.fa"
    path.write_text(">one\nACGTTGCAACTTGAC\n>two\nACGT\n><i>../three</i>\nTTGACCNATGAGATA\n")
    return path


def test_attribute_writes_scores_logos_and_a_page(tiny, shiftsmooth, peaks, tmp_path):
    out = tmp_path / "out"
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 3, "-o", out)
    assert done.code == 1  # one record is of another length
    assert "'two' has 4 positions; expected 15" in done.err
    assert "2 attributed, 1 skipped" in done.err
    logos = sorted(os.listdir(out / "logos"))
    assert len(logos) == 2 and {name[:4] for name in logos} == {"001_", "002_"}
    names = {"attributions.h5", "hypothetical.npz", "index.html", "logos", "one_hot.npz"}
    assert set(os.listdir(out)) == names
    page = (out / "index.html").read_text()
    assert page.count("<article ") == 2
    assert "&lt;i&gt;../three&lt;/i&gt;" in page
    assert "<i>" not in page
    assert not re.search(r"(?:src|href|url|import)\W+https?:", page)  # no network
    again = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 3, "-o", out)
    assert "resuming after 2 of 2" in again.err


def test_attribute_refuses_the_folder_of_another_run(tiny, shiftsmooth, peaks, tmp_path):
    out = tmp_path / "out"
    shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "-o", out)
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "--max-shift", 2, "-o", out)
    assert done.code == 2
    assert "is of another run (max-shift 5 there, 2 here)" in done.err
    assert done.err.count("\n") == 2  # the skipped record, the error
    more = ["--max-shift", 2, "--overwrite", "-o", out]
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", *more)
    assert "2 attributed, 1 skipped" in done.err


def test_attribute_into_a_folder_with_other_logos_removes_none(
    tiny, shiftsmooth, peaks, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logos").mkdir()
    (tmp_path / "logos" / "mine.svg").write_text("mine")
    done = shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "-o", ".")
    assert done.code == 2
    assert "logos is of no run; write elsewhere" in done.err
    assert shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "-o", ".", "--overwrite").code == 1
    assert (tmp_path / "logos" / "mine.svg").read_text() == "mine"


@pytest.mark.slow
@pytest.mark.parametrize("kilobytes", [204, 600])  # no room for the first file, for the last
def test_a_full_disk_and_then_room_give_the_numbers_of_one_run(tmp_path, kilobytes):
    from modelzoo.architectures.deepbind import DeepBind

    DeepBind(filters=[16], widths=[11]).save_pretrained(tmp_path / "model")
    letters = np.array(list("ACGT"))[np.random.default_rng(0).integers(0, 4, (200, 101))]
    records = (f">r{number}\n{''.join(row)}\n" for number, row in enumerate(letters))
    (tmp_path / "a.fa").write_text("".join(records))
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(size, *options):
        command = ["mount", "-t", "tmpfs", "-o", ",".join([f"size={size}k", *options]), "none"]
        return subprocess.run([*command, disk], capture_output=True).returncode

    def run(out):
        command = [sys.executable, "-m", "modelzoo.cli.main", "attribute", "a.fa", "-m", "model"]
        command += ["-o", out, "--top", "0"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    if os.getuid() or mount(kilobytes):
        pytest.skip("cannot mount")
    try:
        full = run("disk/out")
        assert full.returncode == 1
        assert "no space left" in full.stderr.lower()
        assert full.stderr.count("\n") == 1
        mount(10_000, "remount")
        assert run("disk/out").returncode == run("whole").returncode == 0
        name = "attributions.h5"
        with h5py.File(disk / "out" / name) as a, h5py.File(tmp_path / "whole" / name) as b:
            assert all(np.array_equal(a[key], b[key]) for key in b)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_equal_runs_leave_equal_bytes(tiny, shiftsmooth, peaks, tmp_path, monkeypatch):
    found = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        shiftsmooth("attribute", peaks, "-m", "tiny-gata3", "-o", "out", "--format", "npz")
        files = [path for path in sorted(Path("out").rglob("*")) if path.is_file()]
        found.append({str(path): path.read_bytes() for path in files})
        time.sleep(1.1)  # some formats know seconds
    assert found[0] == found[1]
    assert {Path(name).suffix for name in found[0]} == {".h5", ".npz", ".html", ".svg"}


@pytest.mark.slow
def test_memory_is_bounded_by_bases(tmp_path):
    """One record of 100,000 positions: 64 such at once took 8 GB."""
    from modelzoo.architectures.deepbind import DeepBind

    DeepBind(filters=[16], widths=[11]).save_pretrained(tmp_path / "model")
    (tmp_path / "a.fa").write_text(f">long\n{'ACGTA' * 20_000}\n")
    code = """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))
from modelzoo.cli.main import main
main()
"""
    command = [sys.executable, "-c", code, "attribute", "a.fa", "-m", "model", "-o", "out"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
