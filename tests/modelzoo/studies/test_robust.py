import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import modelzoo
from modelzoo.datasets.peaks import Peaks
from modelzoo.studies import robust
from modelzoo.studies.peaks.scores import logits
from modelzoo.studies.robust import KINDS, MEASURED, QUICK

SETTINGS = replace(QUICK, seeds=2, judged=4)


@pytest.fixture
def small(toy_sets, monkeypatch):
    """One factor, with toy peaks to train on and to be judged on."""
    data = next(one for one in toy_sets if one.name == "GATA3")
    monkeypatch.setattr(robust, "FACTORS", ("GATA3",))
    monkeypatch.setattr(robust, "judged_set", {"GATA3": data}.__getitem__)
    peaks = Peaks({"GATA3": np.concatenate([data.codes[data.labels == 1]] * 2)})
    monkeypatch.setattr(robust, "Peaks", lambda sources: peaks)
    return data


@pytest.mark.slow
@pytest.mark.nightly
def test_every_kind_is_trained_judged_and_explained(small, tmp_path):
    rows = robust.study(tmp_path, SETTINGS)
    measures = list(dict.fromkeys(row["measure"] for row in rows))
    assert len(measures) == 2 + len(MEASURED)
    assert [row["training"] for row in rows] == [*KINDS] * len(measures)
    tested = {row["training"]: row for row in rows if row["measure"] == "ROC AUC, test peaks"}
    for kind in KINDS:
        aucs = []
        for seed in range(2):
            folder = tmp_path / "models" / f"deepbind-gata3-{kind}-{seed}"
            training = json.loads((folder / "training.json").read_text())
            assert (training["params"]["augment"], training["seed"]) == (kind, seed)
            scores = logits(modelzoo.load(folder), small.codes)[:, 0]
            aucs.append(roc_auc_score(small.labels, scores))
        assert tested[kind]["value"] == pytest.approx(np.mean(aucs))
    difference = tested["both"]["value"] - tested["none"]["value"]
    assert tested["both"]["difference"] == pytest.approx(difference)
    # toy peaks may hold no JASPAR hit
    added = [row for row in rows if "added" in row and np.isfinite(row["added"])]
    assert len(added) >= (len(MEASURED) - 1) * len(KINDS)
    assert all(row["added_low"] <= row["added"] <= row["added_high"] for row in added)
    written = (tmp_path / "robust.md").read_text()
    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*")}
    robust.study(tmp_path, SETTINGS)  # trains nothing again
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "models").rglob("*")} == trained
    assert (tmp_path / "robust.md").read_text() == written


def test_differences_are_those_from_the_plain_training_with_paired_intervals():
    means = np.array([0.5, 0.6, 0.4, 0.7])
    drawn = means + np.linspace(-0.3, 0.3, 201)[:, None]  # all rise and fall together
    rows = robust._compared("any", means, drawn)
    assert [row["training"] for row in rows] == [*KINDS] and rows[0]["difference"] is None
    for row, mean in zip(rows[1:], means[1:], strict=True):
        ends = [row["difference_low"], row["difference"], row["difference_high"]]
        assert ends == [pytest.approx(mean - 0.5)] * 3
    shown = robust.table(rows).to_markdown()
    assert "| any | none | 0.500 | – | – |" in shown
    assert "+0.200 (+0.200, +0.200)" in shown and "−0.100 (−0.100, −0.100)" in shown
