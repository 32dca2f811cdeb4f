import json

import pytest

import modelzoo
from tests.support.tsv import table


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["expert", "GATA9", "-o", "x"], "GATA9"),
        (["moe", "deepbind-gata9", "-o", "x"], "did you mean"),
        (["expert"], "Missing argument 'SOURCE'"),
    ],
)
def test_wrong_training_call_is_said_in_one_line(tiny, shiftsmooth, arguments, message):
    done = shiftsmooth("train", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("command", [("explainn", "--units", 4), ("baseline", "deepstarr")])
def test_train_several_tasks_from_a_table_then_predict(
    shiftsmooth, labelled, bound, tmp_path, command
):
    out = tmp_path / "model"
    done = shiftsmooth("train", *command, "--data", labelled, "--epochs", 1, "-o", out)
    assert done.code == 0 and f"--model {out}" in done.err
    assert modelzoo.load(out).tasks == ("liver", "kidney")
    (row, *_) = table(shiftsmooth("predict", bound, "-m", out).out)
    assert {"probability_liver", "probability_kidney"} <= row.keys()
    training = json.loads((out / "training.json").read_text())
    words = " ".join(map(str, command))
    assert training["command"] == f"shiftsmooth train {words} --data {labelled} --epochs 1 --seed 0"
