import re
import subprocess
import sys

import numpy as np
import pytest

from modelzoo.sequences import Interval
from modelzoo.tracks.bigwig import write_bedgraph, write_bigwig

SIZES = {"chr1": 90_000, "chr2": 500, "chrM": 16_000}
INTERVALS = [
    Interval("chr1", 60_000, 60_100, "-"),
    Interval("chr1", 60_050, 60_150, "+"),
    Interval("chr1", -20, 80, "-"),
    Interval("chr2", 450, 550),
    Interval("chr1", 1000, 1100),
]
VALUES = -np.random.default_rng(0).random((5, 100)).astype("f4") - 1  # none is positive


def expected(chrom):
    """The track of a chromosome, by hand; the minus strand is read backwards."""
    a, b, c, d, e = VALUES
    track = np.full(SIZES[chrom], np.nan)
    if chrom == "chr1":
        track[60_000:60_050] = a[::-1][:50]
        track[60_050:60_100] = (a[::-1][50:] + b[:50]) / 2
        track[60_100:60_150] = b[50:]
        track[0:80] = c[::-1][20:]
        track[1000:1100] = e
    elif chrom == "chr2":
        track[450:500] = d[:50]
    return track


def test_a_reader_of_the_field_finds_every_value(tmp_path):
    pyBigWig = pytest.importorskip("pyBigWig")
    path = tmp_path / "out.bw"
    write_bigwig(INTERVALS, VALUES, SIZES, path)
    with pyBigWig.open(str(path)) as file:
        assert file.chroms() == SIZES
        for chrom, size in SIZES.items():
            found = np.array(file.values(chrom, 0, size))
            np.testing.assert_allclose(found, expected(chrom), rtol=1e-6)
        header = file.header()
    assert header["nBasesCovered"] == 150 + 80 + 100 + 50
    assert header["maxVal"] == -1  # without decimals; 0 where a writer expects positive values
    assert header["nLevels"] > 0  # what a browser draws from afar


def test_a_browser_that_looks_from_afar_sees_means(tmp_path):
    pyBigWig = pytest.importorskip("pyBigWig")
    path = tmp_path / "out.bw"
    write_bigwig(INTERVALS, VALUES, SIZES, path)
    with pyBigWig.open(str(path)) as file:
        (mean,) = file.stats("chr1", 60_000, 60_150, exact=True)
        assert mean == pytest.approx(np.nanmean(expected("chr1")[60_000:60_150]), rel=1e-5)


def test_bedgraph_lists_the_same_numbers(tmp_path):
    write_bedgraph(INTERVALS, VALUES, SIZES, tmp_path / "out.bedGraph")
    found = {chrom: np.full(size, np.nan) for chrom, size in SIZES.items()}
    last = ("", 0)
    for line in (tmp_path / "out.bedGraph").read_text().splitlines():
        chrom, start, end, value = line.split("\t")
        assert int(end) == int(start) + 1
        assert (chrom, int(start)) > last
        last = (chrom, int(start))
        found[chrom][int(start)] = float(value)
    for chrom in SIZES:
        np.testing.assert_allclose(found[chrom], expected(chrom), rtol=1e-5)


def test_the_same_results_are_the_same_bytes(tmp_path):
    order = [3, 1, 4, 0, 2]
    write_bigwig(INTERVALS, VALUES, SIZES, tmp_path / "a.bw")
    write_bigwig([INTERVALS[i] for i in order], VALUES[order], SIZES, tmp_path / "b.bw")
    assert (tmp_path / "a.bw").read_bytes() == (tmp_path / "b.bw").read_bytes()


def test_no_file_is_left_of_a_track_that_fails(tmp_path):
    with pytest.raises(ValueError, match="values: expected"):
        write_bigwig(INTERVALS, VALUES[:, 1:], SIZES, tmp_path / "out.bw")
    assert list(tmp_path.iterdir()) == []


def test_a_file_may_hold_no_value(tmp_path):
    pyBigWig = pytest.importorskip("pyBigWig")
    write_bigwig([Interval("chr2", 600, 604)], np.ones((1, 4)), SIZES, tmp_path / "out.bw")
    with pyBigWig.open(str(tmp_path / "out.bw")) as file:
        assert file.header()["nBasesCovered"] == 0


# Not what the parent knows of its child: that begins with the parent's own memory.
MEASURED = """
import sys
from pathlib import Path
import numpy as np
from modelzoo.sequences import Interval
from modelzoo.tracks.bigwig import write_bigwig

class Values:
    def __getitem__(self, row):
        return np.random.default_rng(row).normal(size=1 << 18)

count = int(sys.argv[1])
places = [Interval("chr1", row << 18, (row + 1) << 18) for row in range(count)]
write_bigwig(places, Values(), {"chr1": count << 18}, Path("a.bw"))
print(Path("/proc/self/status").read_text())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_a_bigwig(tmp_path):
    def peak(count):
        command = [sys.executable, "-c", MEASURED, str(count)]
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True)
        return int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1])

    few, many = peak(16), peak(64)
    assert many - few < 30_000, f"{few} kB for 4 Mb, {many} kB for 17 Mb"
