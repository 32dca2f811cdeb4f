"""Models of one's own, intervals in, tracks out: the commands on a small genome."""

import io
import os

import h5py
import numpy as np
import pandas
import pytest
import torch

import modelzoo
from modelzoo.sequences import Genome, Interval

MODEL = """
import torch
from torch import nn

def build():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 3, 7, padding=3), nn.ReLU(), nn.AdaptiveAvgPool1d(5))
"""
PEAKS = [("chr1", 300, 420, "a", "+", 50), ("chr1", 330, 500, "a", "-", 60)]
PEAKS += [("chr2", 0, 90, ".", ".", 10), ("chr1", 900, 960, "d", ".", 30)]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    letters = ["".join(rng.choice(list("ACGT"), size)) for size in (1000, 300)]
    (tmp_path / "genome.fa").write_text(">chr1\n{}\n>chr2\n{}\n".format(*letters))
    lines = [
        f"{chrom}\t{start}\t{end}\t{name}\t0\t{strand}\t1\t1\t1\t{summit}\n"
        for chrom, start, end, name, strand, summit in PEAKS
    ]
    (tmp_path / "peaks.narrowPeak").write_text("".join(lines))
    (tmp_path / "black.bed").write_text("chr1\t905\t911\n")
    (tmp_path / "mine.py").write_text(MODEL)
    return tmp_path


def run(shiftsmooth, command, *options):
    common = ("--genome", "genome.fa", "-m", "mine.py:build", "--width", 40)
    done = shiftsmooth(command, "peaks.narrowPeak", *common, *options)
    assert done.code == 0, done.err
    return done


def test_windows_around_summits_keep_their_place(desk, shiftsmooth):
    text = run(shiftsmooth, "predict", "--exclude", "black.bed").out
    rows = pandas.read_csv(io.StringIO(text), sep="\t")
    assert rows["id"].tolist() == ["a", "a", "chr2:-10-30"]
    assert rows["start"].tolist() == [330, 370, -10]
    assert rows["strand"].tolist() == ["+", "-", "."]
    torch.manual_seed(0)
    names = {}
    exec(MODEL, names)
    with Genome("genome.fa") as genome:
        letters = genome.sequence(Interval("chr1", 370, 410, "-"))
    wanted = names["build"]()(modelzoo.one_hot(letters)).mean(2)[0]
    found = rows.loc[1, ["output_0", "output_1", "output_2"]].astype(float)
    np.testing.assert_allclose(found, wanted.detach(), rtol=1e-4)


def test_excluded_windows_are_counted_and_are_no_error(desk, shiftsmooth):
    done = run(shiftsmooth, "predict", "--exclude", "black.bed")
    assert "3 predicted, 0 skipped, 1 excluded" in done.err


def test_a_track_and_bins_are_chosen(desk, shiftsmooth):
    table = run(shiftsmooth, "predict", "--track", "1:3", "--bins", "0:2").out
    assert table.splitlines()[0].split("\t")[-1] == "output"


def test_predictions_are_written_as_tables_too(desk, shiftsmooth):
    pytest.importorskip("anndata")
    run(shiftsmooth, "predict", "-o", "p.tsv", *("--format", "tsv", "--format", "parquet"))
    run(shiftsmooth, "predict", "-o", "p.tsv", "--format", "h5ad")
    text = pandas.read_csv("p.tsv", sep="\t")
    table = pandas.read_parquet("p.parquet")
    assert list(table) == list(text)
    np.testing.assert_allclose(table["output_2"], text["output_2"], rtol=1e-4)
    import anndata

    matrix = anndata.read_h5ad("p.h5ad")
    np.testing.assert_allclose(matrix.X[:, 2], text["output_2"], rtol=1e-4)
    assert list(matrix.obs["start"]) == list(text["start"])


def test_tracks_and_fields_of_attributions(desk, shiftsmooth):
    pyBigWig = pytest.importorskip("pyBigWig")
    formats = [word for name in ("bigwig", "bedgraph", "finemo") for word in ("--format", name)]
    run(shiftsmooth, "attribute", "--task", "1", *formats, "--spread", "-o", "out")
    names = {"attributions.h5", "contributions.bw", "contributions.bedGraph", "spread.bw"}
    names |= {"spread.bedGraph", "finemo.h5", "interpreted_regions.bed", "index.html", "logos"}
    names |= {"quality.json"}
    assert set(os.listdir("out")) == names
    with h5py.File("out/attributions.h5") as file:
        assert file["chrom"].asstr()[()].tolist() == ["chr1", "chr1", "chr2", "chr1"]
        assert file["start"][()].tolist() == [330, 370, -10, 910]
        assert file["strand"].asstr()[()].tolist() == ["+", "-", ".", "."]
        attributes = dict(file.attrs)
        one, two = file["projected"][0], file["projected"][1][::-1]
        assert (file["spread"][()] >= 0).all() and file["spread"][()].max() > 0
    assert attributes["model"] == "mine.py:build" and attributes["task"] == "1"
    assert {"checksum", "version", "command", "method"} <= attributes.keys()
    with pyBigWig.open("out/contributions.bw") as file:
        assert file.chroms() == {"chr1": 1000, "chr2": 300}
        np.testing.assert_allclose(file.values("chr1", 330, 370), one, rtol=1e-5, atol=1e-9)
        np.testing.assert_allclose(file.values("chr1", 370, 410), two, rtol=1e-5, atol=1e-9)


def test_finemo_is_written_in_half_the_space_too(desk, shiftsmooth):
    run(shiftsmooth, "attribute", "--format", "finemo", "-o", "out")
    run(shiftsmooth, "attribute", "--format", "finemo-float16", "-o", "half")
    whole, half = datasets("out/finemo.h5"), datasets("half/finemo.h5")
    assert whole.keys() == half.keys()
    scores = [name for name, values in whole.items() if values.dtype == "float32"]
    assert scores
    for name in scores:
        assert half[name].dtype == "float16"
        np.testing.assert_array_equal(half[name], whole[name].astype("float16"))


def datasets(path):
    """Return what a file holds, by path."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]} if hasattr(item, "dtype") else {})
        )
    return found


def test_several_files_have_their_own_results(desk, shiftsmooth):
    (desk / "one.bed").write_text("chr1\t300\t340\n")
    (desk / "list.txt").write_text("one.bed\n")
    run(shiftsmooth, "attribute", "--files", "list.txt", "-o", "out")
    assert sorted(os.listdir("out")) == ["one", "peaks"]
    run(shiftsmooth, "predict", "--files", "list.txt", "-o", "tables")
    assert sorted(os.listdir("tables")) == ["one.tsv", "peaks.tsv"]


def test_another_run_is_told_by_the_flag_and_overwritten_on_request(desk, shiftsmooth):
    run(shiftsmooth, "attribute", "-o", "out")
    words = ("attribute", "peaks.narrowPeak", "--genome", "genome.fa", "-m", "mine.py:build")
    words += ("--width", 40, "--max-shift", 2, "-o", "out")
    done = shiftsmooth(*words)
    assert done.code == 2
    assert "max-shift 5 there, 2 here" in done.err
    assert shiftsmooth(*words, "--overwrite").code == 0


def test_intervals_of_several_lengths_need_a_width(desk, shiftsmooth):
    words = ("attribute", "peaks.narrowPeak", "--genome", "genome.fa", "-m", "mine.py:build")
    done = shiftsmooth(*words, "-o", "out")
    assert done.code == 2
    assert "width: expected one, for the intervals are of several lengths" in done.err


def test_a_catalog_model_takes_windows_of_its_own_length(desk, shiftsmooth):
    done = shiftsmooth(
        "predict", "peaks.narrowPeak", "--genome", "genome.fa", "-m", "deepbind-gata3"
    )
    rows = [line.split("\t") for line in done.out.splitlines()[1:]]
    assert {int(row[3]) - int(row[2]) for row in rows} == {101}


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_an_output_that_is_no_file_is_written_to(desk, shiftsmooth, kind):
    if kind == "link":
        (desk / "out").symlink_to(desk / "target.tsv")
        run(shiftsmooth, "predict", "-o", "out")
        assert (desk / "out").is_symlink()
        assert (desk / "target.tsv").read_text().startswith("id\t")
        return
    os.mkfifo("out")
    reader = os.open("out", os.O_RDONLY | os.O_NONBLOCK)
    run(shiftsmooth, "predict", "-o", "out")
    assert os.read(reader, 3) == b"id\t"
    os.close(reader)


@pytest.mark.slow  # numba compiles the seqlet caller
@pytest.mark.xdist_group("numba")
def test_hits_lie_in_the_genome(desk, shiftsmooth):
    run(shiftsmooth, "attribute", "--format", "hits", "-o", "out")
    hits = pandas.read_csv("out/hits.tsv", sep="\t")
    assert set(hits["chrom"]) <= {"chr1", "chr2"}
    with h5py.File("out/attributions.h5") as file:
        first = file["projected"][0]
    inside = hits[(hits["chrom"] == "chr1") & (hits["start"] >= 330) & (hits["end"] <= 370)]
    inside = inside[inside["windows"] == 1]
    assert len(inside)
    for start, end, found in inside[["start", "end", "attribution"]].itertuples(index=False):
        assert found == pytest.approx(first[start - 330 : end - 330].sum(), rel=1e-3, abs=1e-6)


def test_the_same_sequences_elsewhere_are_another_run(desk, shiftsmooth):
    letters = "ACGTTGCAAC" * 6
    (desk / "twice.fa").write_text(f">chr1\n{letters * 2}\n")
    for start in (0, 10):
        (desk / "a.bed").write_text(f"chr1\t{start}\t{start + 40}\tsame\n")
        done = shiftsmooth(
            *("attribute", "a.bed", "--genome", "twice.fa", "-m", "mine.py:build", "-o", "out")
        )
        assert done.code == (2 if start else 0)
    assert "is of another run" in done.err


def test_a_figure_of_a_peak_and_a_paragraph_for_the_methods(desk, shiftsmooth):
    run(shiftsmooth, "attribute", "--task", 1, "-o", "out")
    done = shiftsmooth("figure", "out", "--peak", "chr1:330-370", "--mm", 89, "-o", "f.pdf")
    assert done.code == 0, done.err
    assert (desk / "f.pdf").read_bytes().startswith(b"%PDF")
    assert "Sequences of 40 bp were scored with the model mine.py:build" in done.out
    assert "no motif is boxed" in done.err
    done = shiftsmooth("figure", "out", "--peak", "a", "-o", "f.pdf")
    assert done.code == 2 and "got 2, of which chrom:start-end tells one" in done.err
