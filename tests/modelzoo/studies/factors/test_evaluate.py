import json
import os

import pytest

from modelzoo.datasets.chipseq import OOD_FACTORS
from modelzoo.studies.factors import evaluate as study
from modelzoo.studies.shipped import MOE12
from modelzoo.zoo import catalog


def test_experts_are_told_apart_by_what_they_were_trained_against():
    kinds = study.experts_of_peaks()
    assert set(kinds) == set(catalog.list_models("deepbind"))
    for name, kind in kinds.items():
        assert kind == ("both" if name.endswith("-specific") else "shuffles")


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.skipif("MODELZOO_DATA_DIR" not in os.environ, reason="needs MODELZOO_DATA_DIR")
def test_a_quick_run_makes_every_table_and_figure_and_says_that_it_is_quick(tmp_path):
    page = study.evaluate(tmp_path / "report", quick=True)
    assert "do not cite" in page.read_text()
    for name in ("experts", "unseen", "growth", "readouts", "additions"):
        assert (page.parent / "tables" / f"{name}.csv").is_file()
    for name in ("specificity_both", "specificity_shuffles", "reliability", "growth"):
        assert (page.parent / "figures" / f"{name}.svg").is_file()
    results = json.loads((page.parent / "results.json").read_text())
    first = results["unseen"][0]["model"]
    assert first == MOE12
    assert {f"disjoint {name}" for name in OOD_FACTORS} <= results["unseen"][0].keys()
    assert len(results["experts"]) == len(study.experts_of_peaks())
