import h5py
import numpy as np
import pandas
import pyBigWig
import pytest

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 3, 7, padding=3), nn.ReLU(), nn.AdaptiveAvgPool1d(5))
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 600))
    (tmp_path / "genome.fa").write_text(f">chr1\n{letters}\n")
    (tmp_path / "some.bed").write_text("chr1\t100\t150\n")
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


def test_scan_writes_two_tracks(desk, tiny, shiftsmooth):
    done = shiftsmooth("scan", "genome.fa", "-m", "tiny-gata3", "--width", 30, "-o", "out")
    assert done.code == 0, done.err
    assert "see out/predictions.bw and out/attributions.bw" in " ".join(done.err.split())
    with pyBigWig.open("out/attributions.bw") as file:
        assert file.chroms() == {"chr1": 600}
        assert np.isfinite(file.values("chr1", 0, 600)).all()


def test_scan_takes_regions_and_a_model_of_ones_own(desk, shiftsmooth):
    options = ("--width", 40, "--step", 5, "--regions", "some.bed", "--bins", "1:3", "--task", "2")
    done = shiftsmooth("scan", "genome.fa", "-m", "mine.py:build", *options, "-o", "out")
    assert done.code == 0, done.err
    with pyBigWig.open("out/predictions.bw") as file:
        values = np.array(file.values("chr1", 0, 600))
    assert np.isfinite(values[100:150]).all() and np.isnan(values[:100]).all()


def test_jobs_of_an_array_are_merged_to_the_same_bytes(desk, tiny, shiftsmooth):
    common = ("scan", "genome.fa", "-m", "tiny-gata3", "--width", 40, "--step", 20)
    (desk / "two.bed").write_text("chr1\t0\t100\nchr1\t300\t400\n")
    common += ("--regions", "two.bed")
    assert shiftsmooth(*common, "-o", "plain").code == 0
    for number in (2, 1):
        done = shiftsmooth(*common, "-o", "out", "--part", f"{number}/2")
        assert done.code == 0 and f"share {number} of 2 is done" in done.err
    assert shiftsmooth("merge", "out").code == 0
    for name in ("predictions.bw", "attributions.bw"):
        assert (desk / "out" / name).read_bytes() == (desk / "plain" / name).read_bytes()
    assert not (desk / "out" / "cells").exists()


@pytest.mark.slow
def test_two_processes_leave_the_same_bytes(desk, tiny, shiftsmooth, monkeypatch):
    common = ("scan", "genome.fa", "-m", "mine.py:build", "--width", 40, "--step", 20)
    (desk / "two.bed").write_text("chr1\t0\t100\nchr1\t300\t400\n")
    for workers in (1, 2):
        done = shiftsmooth(
            *common, "--regions", "two.bed", "--workers", workers, "-o", f"out{workers}"
        )
        assert done.code == 0, done.err
    one, two = (desk / "out1" / "attributions.bw", desk / "out2" / "attributions.bw")
    assert one.read_bytes() == two.read_bytes()


def test_scan_needs_a_width_for_a_model_of_ones_own(desk, shiftsmooth):
    done = shiftsmooth("scan", "genome.fa", "-m", "mine.py:build", "-o", "out")
    assert done.code == 2 and "width: expected one" in " ".join(done.err.split())


def test_several_formats_hold_the_same_numbers(desk, tiny, shiftsmooth):
    common = ("scan", "genome.fa", "-m", "tiny-gata3", "--width", 30, "--regions", "some.bed")
    names = ("bigwig", "hdf5", "parquet")
    asked = [word for name in names for word in ("--format", name)]
    done = shiftsmooth(*common, *asked, "-o", "out")
    assert done.code == 0, done.err
    files = "out/predictions.bw and out/attributions.bw and out/tracks.h5 and out/tracks.parquet"
    assert f"see {files}" in " ".join(done.err.split())
    with pyBigWig.open("out/attributions.bw") as file:
        wanted = np.array(file.values("chr1", 0, 600))
    with h5py.File("out/tracks.h5") as file:
        np.testing.assert_array_equal(file["chr1/attributions"], wanted.astype("f4"))
        assert file.attrs["model"] == "tiny-gata3"
        assert file.attrs["command"].startswith("shiftsmooth scan genome.fa -m tiny-gata3")
    table = pandas.read_parquet("out/tracks.parquet")
    np.testing.assert_array_equal(table["start"], range(100, 150))
    np.testing.assert_array_equal(table["attributions"], wanted[100:150].astype("f4"))


def test_a_format_that_is_not_known_is_refused(desk, tiny, shiftsmooth):
    done = shiftsmooth("scan", "genome.fa", "-m", "tiny-gata3", "--format", "wig", "-o", "out")
    assert done.code == 2 and "hdf5, parquet, got 'wig'" in " ".join(done.err.split())
    assert not (desk / "out").exists()
