"""The benchmark from start to page, on next to no training."""

import json

import pytest

from modelzoo.jobs import Where
from modelzoo.reports.page import QUICK_RUN
from modelzoo.studies.benchmark.evaluate import evaluate
from modelzoo.studies.benchmark.settings import QUICK, Settings

pytestmark = pytest.mark.slow

SMALL = Settings(
    seeds=1,
    train=128,
    validation=64,
    epochs=1,
    permuted_epochs=1,
    test=64,
    explained=3,
    learned=0,
    resamples=50,
    sets=("or",),
    randomised=("or",),
    models=("global-max", "basset"),
    methods=("gradient", "smoothgrad", "shiftsmooth-5", "ism"),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return evaluate(out, settings=SMALL, where=Where(workers=1), progress=False)


def test_the_report_has_its_tables_figures_and_page(report):
    text = report.read_text()
    names = ("sets", "models", "methods", "frontiers", "gains-shiftsmooth-5", "best", "predicted")
    for name in (*names, "sanity"):
        assert f'<table id="table-{name}">' in text
        assert (report.parent / "tables" / f"{name}.md").stat().st_size > 50
    for name in ("budget", "gains", "predicted"):
        assert f'<figure id="{name}">' in text


def test_the_same_weights_and_numbers_come_out_again(report, tmp_path):
    again = evaluate(tmp_path, settings=SMALL, where=Where(workers=1), progress=False)
    for path in (report.parent / "models").iterdir():
        assert path.read_bytes() == (tmp_path / "models" / path.name).read_bytes()
    first, second = (json.loads((p.parent / "results.json").read_text()) for p in (report, again))
    assert first["gains"] == second["gains"] and first["sanity"] == second["sanity"]


def test_called_again_it_computes_nothing(report):
    before = {path: path.stat().st_mtime_ns for path in report.parent.glob("[mc]*/*.part")}
    evaluate(report.parent, settings=SMALL, where=Where(workers=1), progress=False)
    assert {path: path.stat().st_mtime_ns for path in before} == before and before


def test_randomised_models_are_other_models(report):
    sanity = json.loads((report.parent / "results.json").read_text())["sanity"]
    assert {row["method"] for row in sanity} == set(SMALL.methods)
    assert all(abs(row["weights"]) < 0.9 for row in sanity)


def test_a_folder_of_other_settings_is_refused(report):
    with pytest.raises(ValueError, match="was made with other settings"):
        evaluate(report.parent, quick=True, progress=False)


@pytest.mark.nightly
def test_a_quick_run_covers_everything_and_says_what_it_is(tmp_path):
    page = evaluate(tmp_path, quick=True, where=Where(workers=1), progress=False)
    assert QUICK_RUN in page.read_text()
    found = json.loads((tmp_path / "results.json").read_text())
    assert {row["method"] for row in found["methods"]} == set(QUICK.methods)
    assert {(row["set"], row["model"]) for row in found["models"]} == {
        (name, model) for name in QUICK.sets for model in QUICK.models
    }
