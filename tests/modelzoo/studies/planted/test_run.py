"""`evaluate argminn` from start to page, on next to no training."""

import json

import pytest

from modelzoo.datasets.planted import likelihood
from modelzoo.studies.planted import report as planted_report
from modelzoo.studies.planted import run as laboratory
from modelzoo.studies.planted.report import accuracy_rows
from modelzoo.training import argminn as training
from modelzoo.training.argminn import Params

pytestmark = pytest.mark.slow  # numba compiles Tomtom, FIMO and the seqlets

FEWER = dict.fromkeys(("motifs", "instances", "accuracy"), ("spi1", "rest")) | {"syntax": ("rest",)}
SMALL = laboratory.Settings(
    initialisations=1,
    params=Params(epochs=1, batches=1, batch_size=32),
    test=60,
    explained=30,
    instances=8,
    read=30,
    gc=(0.5,),
)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        for module in (laboratory, planted_report):
            patch.setattr(module, "SETS", {"spi1": "SPI1", "rest": "REST"})
        few = {"deep-lift-shap", "gradient", "shiftsmooth-5"}
        patch.setattr(laboratory, "ATTRIBUTED", {k: laboratory.ATTRIBUTED[k] for k in few})
        patch.setattr(laboratory, "MEASURES", laboratory.MEASURES | FEWER)
        patch.setattr(training, "VALIDATION_SIZE", 40)
        patch.setattr(likelihood, "_DRAWS", 500)
        page = laboratory.evaluate(out, settings=SMALL, workers=1, progress=False)
        yield page


def test_the_report_has_its_tables_figures_and_page(report):
    text = report.read_text()
    for name in ("accuracy", "gains", "similarity", "instances", "adversarial"):
        assert f'<table id="{name}">' in text
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


def test_called_again_it_computes_nothing(report, monkeypatch):
    results = (report.parent / "results.json").read_bytes()

    def refuse(*arguments):
        raise AssertionError("computed again")

    monkeypatch.setattr(laboratory, "_call", refuse)
    laboratory.evaluate(report.parent, settings=SMALL, workers=1, progress=False)
    assert (report.parent / "results.json").read_bytes() == results


def test_a_folder_of_other_settings_is_refused(report):
    with pytest.raises(ValueError, match="was made with other settings"):
        laboratory.evaluate(report.parent, quick=True, progress=False)
