import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from modelzoo.datasets.overlap import overlapping
from modelzoo.studies.factors import experts as study
from modelzoo.studies.factors.experts import judge, other_peaks
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.peaks.sets import with_shared
from tests.support.peaks import fasta


@pytest.fixture
def gata3(toy_models):
    model = copy.deepcopy(toy_models["deepbind-gata3"])
    model.probabilities = torch.sigmoid
    return model


@pytest.fixture
def trained_on(toy_sets, tmp_path, monkeypatch):
    """Training peaks of each toy set; GATA3's hold the first ten of FOXM1's test peaks."""
    files = {}
    for number, data in enumerate(toy_sets):
        rng = np.random.default_rng(number)
        codes = rng.integers(0, 4, (30, 101), dtype=np.uint8)
        if data.name == "GATA3":
            foxm1 = next(one for one in toy_sets if one.name == "FOXM1")
            codes[:10] = foxm1.codes[foxm1.labels == 1][:10]
        files[data.name] = codes
    monkeypatch.setattr(study, "read_peaks", files.__getitem__)
    return files


def test_peaks_of_other_factors_do_not_lie_at_own_ones(toy_sets, trained_on):
    found = other_peaks(toy_sets)
    assert list(found["GATA3"]) == [data.name for data in toy_sets if data.name != "GATA3"]
    assert len(found["GATA3"]["FOXM1"]) == 50 and len(found["ARID3A"]["FOXM1"]) == 60


def test_a_set_without_disjoint_peaks_has_no_auc_on_them(toy_sets, gata3, trained_on):
    sets = [replace(data, shared=data.labels == 1) for data in toy_sets]
    (row,) = judge({"e": gata3}, {"e": "both"}, sets, resamples=20).scores
    assert (row["disjoint_peaks"], row["roc_auc_disjoint"]) == (0, None)


def test_an_expert_is_judged_against_shuffles_and_against_each_other_factor(
    toy_sets, gata3, trained_on, tmp_path
):
    train = fasta(tmp_path / "train.fa", ["A" * 101])
    sets = with_shared(toy_sets, [train])
    assert not overlapping(sets[0].codes, [train]).any()
    judged = judge({"e": gata3}, {"e": "both"}, sets, resamples=20)
    (row,) = judged.scores
    own = next(data for data in sets if data.name == "GATA3")
    answers = logits(gata3, own.codes)[:, 0]
    assert row["roc_auc"] == pytest.approx(roc_auc_score(own.labels, answers))
    assert row["roc_auc_low"] <= row["roc_auc"] <= row["roc_auc_high"]
    assert row["roc_auc_disjoint"] == row["roc_auc"] and row["disjoint_peaks"] == 60
    told = {entry["set"]: entry["roc_auc"] for entry in judged.specificity}
    foxm1 = logits(gata3, other_peaks(sets)["GATA3"]["FOXM1"])[:, 0]
    peaks = answers[own.labels == 1]
    expected = roc_auc_score([1] * 60 + [0] * 50, [*peaks, *foxm1])
    assert told["FOXM1"] == pytest.approx(expected) and told["GATA3"] == row["roc_auc"]
    others = [auc for name, auc in told.items() if name != "GATA3"]
    assert row["roc_auc_others"] == pytest.approx(np.mean(others))
    # CTCF's toy peaks have the motif of GATA3
    assert told["CTCF"] < 0.7 < told["ARID3A"]


def test_calibration_takes_the_error_away(toy_sets, gata3, trained_on):
    gata3.probabilities = lambda z: (z / 50).sigmoid()  # hardly sure of anything
    rows = judge({"e": gata3}, {"e": "shuffles"}, toy_sets, resamples=5).scores
    assert rows[0]["ece_before"] != rows[0]["ece"] > 0.2
