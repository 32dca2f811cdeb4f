import os
import re

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
    assert "is of another run" in done.err
    assert done.err.count("\n") == 2  # the skipped record, the error
