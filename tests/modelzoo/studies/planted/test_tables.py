"""The tables say what was measured."""

import pytest

from modelzoo.studies.planted import tables


def test_the_report_says_how_many_networks_exciting_sequences_could_be_made_for():
    rows = [
        {"kind": "ARGMINN", "ordinary": 0.9, "exciting": None, "dull": 0.8},
        {"kind": "ARGMINN", "ordinary": 0.7, "exciting": 0.4, "dull": 0.6},
    ]
    table = tables.adversarial_table(rows)
    assert table.cells() == [["ARGMINN", "80.0", "40.0", "1 of 2", "70.0"]]


def test_the_report_chooses_by_validation_not_by_accuracy():
    models = [
        {"kind": "CNN", "seed": 0, "accuracy": 0.9, "validation_auc": 0.8},
        {"kind": "CNN", "seed": 1, "accuracy": 0.7, "validation_auc": 0.9},
    ]
    (row,) = tables.accuracy_rows({"accuracy spi1": {"best": 0.95, "models": models}})
    assert (row["mean"], row["chosen"]) == (pytest.approx(80), 70)
