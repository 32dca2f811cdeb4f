import os

import pytest


def test_evaluate_refuses_an_unknown_model(tiny, shiftsmooth, tmp_path):
    done = shiftsmooth("evaluate", "-m", "tiny-gata4", "-o", tmp_path / "report")
    assert done.code == 2
    assert "did you mean 'tiny-gata3'" in done.err
    assert not (tmp_path / "report").exists()


@pytest.mark.data
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_evaluate_writes_the_report_of_the_models_asked_for(tiny, shiftsmooth, tmp_path):
    out = tmp_path / "report"
    done = shiftsmooth("evaluate", "--quick", "--no-attributions", "--seed", 3, "-o", out)
    assert done.code == 0
    assert f"Look at {out / 'index.html'}" in done.out
    results = (out / "results.json").read_text()
    assert "tiny-gata3" in results
    assert '"seed": 3' in results
