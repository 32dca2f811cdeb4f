import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.datasets.peaks import Peaks
from modelzoo.datasets.tables import Table
from modelzoo.sequences import columns
from modelzoo.sequences.batches import in_batches
from modelzoo.training.batches import both_strands
from modelzoo.training.expert import untrained
from modelzoo.training.validation import Validation, auc
from tests.support.peaks import fasta, planted
from tests.support.tables import table

CONFIG = {"units": 6, "hidden": 8, "width": 9}


@pytest.fixture
def peaks(tmp_path):
    words = {"gata": "GATAAGAT", "ap1": "TGACTCAT"}
    return [fasta(tmp_path / f"{name}.fa", planted(200, word)) for name, word in words.items()]


def test_one_strand_of_one_task_is_judged_by_its_auc(peaks):
    data = Peaks(peaks[:1])
    model = untrained("gata", {"filters": [8], "widths": [9]}).eval()
    codes, labels = data.held_out
    with torch.no_grad():
        expected = roc_auc_score(labels[:, 0], model(columns(codes))[:, 0])
    assert Validation(data)(model) == pytest.approx(expected)


def test_the_validation_score_is_the_mean_over_tasks_of_the_auc_on_both_strands(peaks):
    data = Peaks(peaks)
    torch.manual_seed(0)
    model = ExplaiNN(**CONFIG, length=40, tasks=data.tasks).eval()
    codes, labels = data.held_out
    x = columns(codes)
    with torch.no_grad():
        logits = torch.cat([model(x), model(x.flip(1, 2))])
    labels = torch.cat([labels, labels])
    expected = []
    for task in range(2):
        known = ~labels[:, task].isnan()
        expected.append(roc_auc_score(labels[known, task], logits[known, task]))
    validation = Validation(data, strands=2)
    assert validation(model) == pytest.approx(np.mean(expected))
    assert list(validation.by_task(model).values()) == pytest.approx(expected)


def test_equal_labels_validate_nothing(tmp_path):
    rows = [(i, s, 1) for i, s in enumerate(planted(60, "GATA", 0))]
    data = Table(table(tmp_path / "t.tsv", rows, ("id", "sequence", "a")))
    with pytest.raises(ValueError, match="data: expected different labels to validate by"):
        Validation(data)


def test_a_task_of_equal_labels_has_no_score(tmp_path):
    rows = [(i, s, i % 2, 1) for i, s in enumerate(planted(60, "GATA", 0))]
    data = Table(table(tmp_path / "t.tsv", rows, ("id", "sequence", "a", "same")))
    model = ExplaiNN(**CONFIG, length=data.length, tasks=data.tasks).eval()
    validation = Validation(data)
    assert set(validation.by_task(model)) == {"a"}
    assert validation(model) == validation.by_task(model)["a"]


def test_numbers_are_validated_by_their_correlation(tmp_path):
    rows = [(i, s, i / 7, i % 5 or "") for i, s in enumerate(planted(200, "GATA", 0))]
    data = Table(table(tmp_path / "t.tsv", rows), "mse")
    torch.manual_seed(0)
    model = ExplaiNN(**CONFIG, length=40, tasks=data.tasks).eval()
    codes, labels = both_strands(*data.held_out)
    outputs = in_batches(model, codes).numpy()
    found = []
    for y, t in zip(outputs.T, labels.numpy().T):
        known = ~np.isnan(t)
        found.append(np.corrcoef(y[known], t[known])[0, 1])
    assert Validation(data, "mse", strands=2)(model) == pytest.approx(np.mean(found), abs=1e-5)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_has_no_score(peaks, bad):
    model = untrained("gata", {"filters": [8], "widths": [9]}).eval()
    with torch.no_grad():
        model.output.bias.fill_(bad)
    assert math.isnan(Validation(Peaks(peaks[:1]))(model))
    assert math.isnan(auc(np.array([0, 1]), np.array([0.0, bad])))
