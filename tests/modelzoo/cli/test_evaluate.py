import os
from dataclasses import replace

import pytest

from modelzoo.studies.peaks import evaluate


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


@pytest.fixture
def small(monkeypatch, toy_sets):
    """A quick evaluation is one of few simulated peaks, for which no file is needed."""
    monkeypatch.setattr(evaluate, "paper_sets", lambda: [one.first(20) for one in toy_sets])
    monkeypatch.setattr(evaluate, "trained_on", lambda models: [])
    few = replace(evaluate.QUICK, peaks=3, resamples=20, methods=("gradient", "smoothgrad"))
    monkeypatch.setattr(evaluate, "QUICK", few)


@pytest.mark.slow
@pytest.mark.nightly
def test_an_array_of_jobs_writes_the_report_of_one_process(tiny, shiftsmooth, tmp_path, small):
    def contents(folder):
        files = [path for path in sorted(folder.rglob("[!.]*")) if path.is_file()]
        kept = [path for path in files if path.name not in ("timings.json", "command.json")]
        return {str(path.relative_to(folder)): path.read_bytes() for path in kept}

    command = ("evaluate", "models", "--quick", "-m", "tiny-gata3", "-o")
    whole, merged = tmp_path / "whole", tmp_path / "merged"
    assert shiftsmooth(*command, whole, "--workers", 1).code == 0
    for number in (3, 1, 3):
        done = shiftsmooth(*command, merged, "--part", f"{number}/3")
        assert done.code == 0 and f"share {number} of 3 is done" in done.err
    early = shiftsmooth("merge", merged)
    assert early.code == 1 and "are missing. Run the jobs again" in " ".join(early.err.split())
    assert not (merged / "index.html").exists()
    assert shiftsmooth(*command, merged, "--part", "2/3").code == 0
    assert shiftsmooth("merge", merged).code == 0
    assert "cells/GATA3-expert-smoothgrad.part" in contents(merged)
    assert contents(merged) == contents(whole)
