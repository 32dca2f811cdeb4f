"""`shiftsmooth variants`, as it is called."""

import shutil

import pandas
import pysam
import pytest

from tests.support import variants as support
from tests.support.variants import GENOME

ROWS = [("chr1", 100, 1, "G"), ("chr1", 120, 1, "<DEL>"), ("chr2", 20, 3, GENOME["chr2"][19])]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    support.genome(tmp_path)
    support.vcf(tmp_path, *ROWS)
    return tmp_path


def run(shiftsmooth, *options, vcf="calls.vcf", model="tiny-gata3"):
    common = ("--genome", "genome.fa", "-m", model, "-o", "out")
    return shiftsmooth("variants", vcf, *common, *options)


def test_effects_are_written_and_what_is_left_out_is_said(desk, shiftsmooth, tiny):
    done = run(shiftsmooth, "--width", 21, "--max-shift", 2)
    assert done.code == 1
    assert "skipped: chr1:120:" in done.err and "<DEL> is not written out" in done.err
    assert "2 scored, 1 skipped" in done.err
    table = pandas.read_csv("out/effects.tsv", sep="\t")
    assert table["pos"].tolist() == [100, 20] and table["windows"].tolist() == [5, 5]
    with pysam.VariantFile("out/effects.vcf.gz") as file:
        assert ["SS_effect" in line.info for line in file] == [True, False, True]
    again = run(shiftsmooth, "--width", 21, "--max-shift", 3)
    assert again.code == 2 and "of another run (max_shift differ" in " ".join(again.err.split())


def test_a_model_of_ones_own_and_its_tasks(desk, shiftsmooth):
    (desk / "mine.py").write_text("from tests.support.variants import Network as build\n")
    support.vcf(desk, ROWS[0])
    options = ("--width", 21, "--tasks", "two", "--attributions")
    done = run(shiftsmooth, *options, model="mine.py:build")
    assert done.code == 0, done.err
    assert pandas.read_csv("out/effects.tsv", sep="\t").columns[-1] == "z"
    assert (desk / "out" / "attributions" / "difference.npz").is_file()


def test_jobs_of_an_array_are_merged_to_the_same_bytes(desk, shiftsmooth, tiny, monkeypatch):
    monkeypatch.setattr("modelzoo.apply.variant_run.PART", 1)  # an allele per part
    options = ("--width", 21, "--max-shift", 2)
    run(shiftsmooth, *options)
    plain = support.made(desk / "out")
    shutil.rmtree(desk / "out")
    for number in (2, 1):
        done = run(shiftsmooth, *options, "--part", f"{number}/2")
        assert f"share {number} of 2 is done" in done.err
        assert not (desk / "out" / "effects.tsv").exists()
    assert shiftsmooth("merge", "out").code == 1  # an allele was left out
    assert support.made(desk / "out") == plain


@pytest.mark.parametrize(
    ("options", "said", "code"),
    [
        (("--tasks", "none"), "task: expected one of GATA3", 2),
        (("--max-shift", -1), "--max-shift", 2),
        (("--width", 0), "--width", 2),
    ],
)
def test_wrong_options_are_wrong_calls(desk, shiftsmooth, tiny, options, said, code):
    done = run(shiftsmooth, *options)
    assert done.code == code and said in done.err
    assert not (desk / "out").exists()


def test_other_names_of_chromosomes_are_said_once(desk, shiftsmooth, tiny):
    text = (desk / "calls.vcf").read_text().replace("\nchr", "\n")
    (desk / "calls.vcf").write_text(text)
    done = run(shiftsmooth, "--width", 21)
    assert done.code == 1 and done.err.count("got '1' for its 'chr1'") == 1


def test_a_file_that_is_no_vcf_is_a_wrong_call(desk, shiftsmooth, tiny):
    done = run(shiftsmooth, "--width", 21, vcf="genome.fa")
    assert done.code == 2 and "line 1: expected a VCF file" in " ".join(done.err.split())
