import warnings

import numpy as np
import pytest

from modelzoo.reports.attributions import write_attributions_page
from modelzoo.sequences import encode
from modelzoo.tracks.h5 import AttributionsFile


@pytest.fixture
def file(tmp_path):
    """A finished run over three sequences."""
    parameters = {"method": "shiftsmooth", "max_shift": 5, "task": "GATA3", "seed": 0}
    codes = encode(["ACGTTGCAAC", "TTGACCNATG", "GGGATAAGCA"])
    made = AttributionsFile(
        tmp_path / "attributions.h5", parameters, ["a", "<b>/..", "c"], codes, ["GATA3"]
    )
    scores = np.random.default_rng(0).normal(size=(3, 4, 10)).astype("f4")
    made.write(0, scores, np.float32([[1.5], [3], [2]]))
    return made


def test_the_highest_logits_have_logos_and_cards(file):
    page = write_attributions_page(file, "deepbind-gata3", 2).read_text()
    assert "&lt;b&gt;/.." in page and "<b>" not in page
    assert page.index("&lt;b&gt;/..") < page.index("<h3>c</h3>")
    assert "<h3>a</h3>" not in page
    logos = sorted(path.name for path in (file.path.parent / "logos").iterdir())
    assert logos == ["001__b__...svg", "002_c.svg"]


def test_drawing_warns_of_nothing(file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_attributions_page(file, "deepbind-gata3", 1)


def test_the_same_run_makes_the_same_bytes(file):
    first = write_attributions_page(file, "deepbind-gata3", 3).read_bytes()
    logos = [path.read_bytes() for path in sorted((file.path.parent / "logos").iterdir())]
    assert write_attributions_page(file, "deepbind-gata3", 3).read_bytes() == first
    assert [p.read_bytes() for p in sorted((file.path.parent / "logos").iterdir())] == logos
