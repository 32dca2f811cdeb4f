"""A tower that goes on from another factor's, and what it is compared on."""

from dataclasses import replace

import pytest
from sklearn.metrics import roc_auc_score

import modelzoo
from modelzoo.datasets.peaks import Peaks
from modelzoo.studies import pretraining
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import judged_set
from modelzoo.training.expert import Recipe


@pytest.mark.slow
@pytest.mark.data
def test_the_second_tower_begins_with_the_first_ones_weights(tmp_path, monkeypatch):
    few = Peaks([pretraining.FACTOR]).fewer(40, 0)
    monkeypatch.setattr(pretraining, "Peaks", lambda sources: few)
    still = replace(Recipe.found("ARID3A", "tower").params, epochs=1, learning_rate=1e-12)
    rows = pretraining.study(tmp_path, params=still)
    assert [row["start"] for row in rows] == ["nothing", "FOXA1's tower"]
    data = judged_set("ARID3A")
    for row, name in zip(rows, ("tower-arid3a", "tower-foxa1")):
        found = roc_auc_score(data.labels, logits(modelzoo.load(name), data.codes)[:, 0])
        assert row["test"] == pytest.approx(found, abs=2e-3)  # batch statistics move a little
    assert rows[0]["test peaks apart"] == rows[1]["test peaks apart"] < 500
    assert rows == pretraining.study(tmp_path, params=still)  # the training is kept
