from tests.support.tsv import table


def test_models_lists_names_tasks_and_scores_as_tsv(tiny, shiftsmooth):
    (row,) = table(shiftsmooth("models").out)
    assert row["name"] == "tiny-gata3"
    assert row["tasks"] == "GATA3"
    assert row["ROC AUC"] == "GATA3 0.912, CTCF 0.500"
    assert row["shipped"] == "yes"
