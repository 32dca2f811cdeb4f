"""The planted-motif study from start to page, on next to no training."""

import json

import pytest

from modelzoo.datasets.planted import likelihood
from modelzoo.jobs import Where
from modelzoo.studies.planted import evaluate as module
from modelzoo.studies.planted.evaluate import evaluate
from modelzoo.studies.planted.settings import Settings
from modelzoo.studies.planted.tables import accuracy_rows
from modelzoo.training.argminn import Params

# numba compiles TF-MoDISco and the seqlets
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("numba")]

SMALL = Settings(
    initialisations=1,
    params=Params(epochs=1, batches=1, batch_size=32, held_out=40),
    test=60,
    explained=30,
    instances=8,
    read=30,
    gc=(0.5,),
    sets=("spi1", "rest"),
    attributed=("deep-lift-shap",),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(likelihood, "_DRAWS", 500)
        yield evaluate(out, settings=SMALL, where=Where(workers=1), progress=False)


def test_the_report_has_its_tables_figures_and_page(report):
    text = report.read_text()
    for name in ("accuracy", "gains", "similarity", "instances", "adversarial"):
        assert f'<table id="table-{name}">' in text
        assert (report.parent / "tables" / f"{name}.csv").stat().st_size > 50
    for name in ("similarity", "spacing", "instances", "gc"):
        assert f'<figure id="{name}">' in text


def test_every_kind_is_judged_on_its_sets(report):
    rows = accuracy_rows(json.loads((report.parent / "results.json").read_text()))
    assert len(rows) == 2 * 4 + 1
    assert {row["set"] for row in rows if row["kind"] == "DeepBind"} == {"SPI1"}
    for row in rows:
        assert 0 <= row["mean"] <= 100 and row["best"] > 75
        assert row["from_best"] == pytest.approx(row["mean"] - row["best"])
    paper = {(row["set"], row["kind"]): row["paper"] for row in rows}
    assert paper["REST", "ARGMINN"] == 88.3 and paper["SPI1", "CNN"] == 88.7


def test_called_again_it_computes_nothing(report):
    results = (report.parent / "results.json").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in report.parent.glob("[mc]*/*")}
    evaluate(report.parent, settings=SMALL, where=Where(workers=1), progress=False)
    assert (report.parent / "results.json").read_bytes() == results
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.nightly
def test_an_array_of_jobs_gives_the_bytes_of_one_process(
    report, shiftsmooth, tmp_path, monkeypatch
):
    monkeypatch.setattr(likelihood, "_DRAWS", 500)
    monkeypatch.setattr(module, "Settings", lambda: SMALL)

    def contents(folder):
        files = [path for path in sorted(folder.rglob("[!.]*")) if path.is_file()]
        kept = [path for path in files if path.name != "command.json"]
        return {str(path.relative_to(folder)): path.read_bytes() for path in kept}

    arrays = 0
    while shiftsmooth("merge", tmp_path).code:
        arrays += 1
        assert arrays <= 3  # one per step, where jobs run side by side
        for number in (2, 1, 2):
            done = shiftsmooth("evaluate", "argminn", "-o", tmp_path, "--part", f"{number}/2")
            assert done.code == 0
    assert arrays >= 1
    assert contents(tmp_path) == contents(report.parent)


def test_a_folder_of_other_settings_is_refused(report):
    with pytest.raises(ValueError, match="was made with other settings"):
        evaluate(report.parent, quick=True, progress=False)
