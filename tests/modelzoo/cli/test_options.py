import sys

import pytest

from modelzoo.cli.options import names, one_of


def test_completion_knows_thenames(tiny):
    assert names("tiny") == ["tiny-gata3"]
    assert names("deep") == []


def test_completion_knows_what_is_registered():
    complete = one_of("methods")["autocompletion"]
    assert "shiftsmooth" in complete("shift") and not complete("shifty")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a.fa", "folder"], "expected a file, got a folder: 'folder'"),
        (["a.fa", "b.fa"], "expected a folder, for several files"),
        (["a.fa", "folder/a.fa.gz", "-o", "out"], "expected names that differ, got 'a' again"),
        (["a.fa", "--format", "csv"], "expected some of tsv, parquet, h5ad, got 'csv'"),
        (["a.fa", "--format", "parquet"], "expected a file, for other formats"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tiny, shiftsmooth, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    for name in ("a.fa", "b.fa", "folder/a.fa.gz"):
        (tmp_path / name).write_text(">one\nACGT\n")
    done = shiftsmooth("predict", *words, "-m", "tiny-gata3")
    assert done.code == 2 and message in " ".join(done.err.split())
    assert not (tmp_path / "out").exists()


def test_motifs_of_attributions_decide_how_many_they_are(shiftsmooth, tmp_path):
    (file := tmp_path / "attributions.h5").touch()
    done = shiftsmooth("motifs", "--from-attributions", file, "--units", 3, "-o", tmp_path / "out")
    assert done.code == 2 and "attributions decide how many" in done.err


def test_a_figure_is_not_written_to_the_standard_output(shiftsmooth, tmp_path):
    done = shiftsmooth("figure", tmp_path, "-o", "-")
    assert done.code == 2 and "expected a file, whose name tells the format, got -" in done.err


def test_ray_that_is_not_there_is_named(tiny, shiftsmooth, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.fa").write_text(">one\nACGT\n")
    given = [tmp_path / "a.fa", "-m", "tiny-gata3", "-o", tmp_path / "a.tsv", "--ray"]
    done = shiftsmooth("predict", *given)
    assert done.code == 2 and "pip install 'shiftsmooth[ray]'" in " ".join(done.err.split())
