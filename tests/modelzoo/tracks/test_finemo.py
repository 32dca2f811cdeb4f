import subprocess
import sys

import h5py
import numpy as np
import pandas
import pytest

from modelzoo.sequences import Interval
from modelzoo.tracks.finemo import write_finemo


def drawn(count=70, length=40, seed=0):
    rng = np.random.default_rng(seed)
    one_hot = np.eye(4, dtype="i1")[rng.integers(4, size=(count, length))].transpose(0, 2, 1)
    intervals = [
        Interval("chr1", 100 * i, 100 * i + length, "+-."[i % 3], f"p{i}") for i in range(count)
    ]
    return intervals, one_hot, rng.normal(size=one_hot.shape).astype("f4")


def test_the_layout_is_that_of_chrombpnet_on_the_forward_strand(tmp_path):
    intervals, one_hot, scores = drawn()
    write_finemo(intervals, one_hot, scores, tmp_path / "c.h5")
    with h5py.File(tmp_path / "c.h5") as file:
        for row, interval in enumerate(intervals):
            turn = np.s_[::-1, ::-1] if interval.strand == "-" else np.s_[:, :]
            letters = one_hot[row][turn]
            assert np.array_equal(file["raw/seq"][row], letters)
            assert np.array_equal(file["shap/seq"][row], scores[row][turn])
            projected = file["projected_shap/seq"][row]
            assert np.array_equal(projected, letters * scores[row][turn])


def test_float16_is_written_on_request(tmp_path):
    write_finemo(*drawn(), tmp_path / "c.h5", dtype="float16")
    with h5py.File(tmp_path / "c.h5") as file:
        assert file["shap/seq"].dtype == file["projected_shap/seq"].dtype == np.float16


def test_regions_are_a_narrow_peak_around_the_middle_and_on_the_chromosome(tmp_path):
    _, one_hot, scores = drawn(1)
    regions = write_finemo([Interval("chr1", -7, 33)], one_hot, scores, tmp_path / "c.h5")
    assert regions.name == "interpreted_regions.bed"
    fields = regions.read_text().split("\t")
    assert fields[:3] == ["chr1", "0", "33"]
    assert int(fields[1]) + int(fields[9]) == -7 + 20
    assert len(fields) == 10


@pytest.mark.slow
def test_finemo_takes_the_regions_from_it(tmp_path):
    pytest.importorskip("finemo")
    intervals, one_hot, scores = drawn()
    regions = write_finemo(intervals, one_hot, scores, tmp_path / "c.h5")
    command = [sys.executable, "-m", "finemo", "extract-regions-chrombpnet-h5"]
    files = ["-c", tmp_path / "c.h5", "-p", regions, "-o", tmp_path / "regions.npz"]
    subprocess.run([*command, *files, "-w", "20"], check=True)
    found = np.load(tmp_path / "regions.npz")
    turned = one_hot.copy()
    turned[1::3] = one_hot[1::3, ::-1, ::-1]
    assert np.array_equal(found["sequences"], turned[:, :, 10:30])
    assert found["start"].tolist() == [interval.start + 10 for interval in intervals]


WORD = "ACAGATAAGACCTTGG"


def bound(count=60, length=60):
    """Windows of which each holds a word that contributes, and where it lies in the genome."""
    rng = np.random.default_rng(0)
    letters = rng.integers(4, size=(count, length))
    scores = rng.normal(0, 0.02, (count, 4, length))
    word = np.array(["ACGT".index(letter) for letter in WORD])
    intervals, truth = [], set()
    for row in range(count):
        start, strand = int(rng.integers(15, 28)), "+-"[row % 2]
        letters[row, start : start + len(word)] = word
        scores[row, word, start + np.arange(len(word))] = 1
        intervals.append(Interval("chr1", 1000 * row, 1000 * row + length, strand, f"p{row}"))
        first = start if strand == "+" else length - start - len(word)
        truth.add((1000 * row + first, strand))
    one_hot = np.eye(4, dtype="i1")[letters].transpose(0, 2, 1)
    return intervals, one_hot, scores.astype("f4"), truth


def motif_file(path):
    """A file as of TF-MoDISco with one pattern, the word."""
    letters = np.eye(4)[["ACGT".index(letter) for letter in WORD]]
    padded = np.pad(letters, ((7, 7), (0, 0)))
    with h5py.File(path, "w") as file:
        pattern = file.create_group("pos_patterns/pattern_0")
        for name in ("sequence", "contrib_scores", "hypothetical_contribs"):
            pattern[name] = padded
    return path


@pytest.mark.slow
def test_finemo_calls_the_hits_that_are_there_in_genome_coordinates(tmp_path):
    pytest.importorskip("finemo")
    *windows, truth = bound()
    regions = write_finemo(*windows, tmp_path / "c.h5", dtype="float16")
    modisco = motif_file(tmp_path / "modisco.h5")
    finemo = [sys.executable, "-m", "finemo"]
    made = ["-c", tmp_path / "c.h5", "-p", regions, "-o", tmp_path / "regions.npz", "-w", "60"]
    subprocess.run([*finemo, "extract-regions-chrombpnet-h5", *made], check=True)
    called = ["-r", tmp_path / "regions.npz", "-m", modisco, "-o", tmp_path / "hits", "-d", "cpu"]
    subprocess.run([*finemo, "call-hits", *called], check=True)
    found = pandas.read_csv(tmp_path / "hits" / "hits_unique.tsv", sep="\t")
    assert set(zip(found["start"], found["strand"])) == truth
