import json

import modelzoo
from tests.support.tsv import table

QUICK = "filters = [4]\nwidths = [9]\nepochs = 1\n"


def test_train_expert_then_mixture_then_predict(shiftsmooth, bound, tmp_path):
    (tmp_path / "quick.toml").write_text(QUICK)
    expert, moe = tmp_path / "expert", tmp_path / "moe"
    params = ["--params", tmp_path / "quick.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", expert).code == 0
    assert modelzoo.load(expert).tasks == ("MYTF",)
    assert shiftsmooth("train", "moe", expert, "--peaks", bound, "-o", moe).code == 0
    (row, *_) = table(shiftsmooth("predict", bound, "-m", moe).out)
    assert float(row["gate_MYTF"]) == 1


def test_train_towers_and_mix_them_with_another_expert(shiftsmooth, bound, tmp_path):
    (tmp_path / "tower.toml").write_text("filters = 2\nstem = 5\ndilations = [1]\nepochs = 1\n")
    (tmp_path / "quick.toml").write_text(QUICK)
    tower, expert, moe = (tmp_path / name for name in ("tower", "expert", "moe"))
    params = ["--architecture", "tower", "--params", tmp_path / "tower.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", tower).code == 0
    params = ["--params", tmp_path / "quick.toml"]
    assert shiftsmooth("train", "expert", bound, *params, "-o", expert).code == 0
    half = ["--precision", "bfloat16", "--epochs", "2"]
    assert shiftsmooth("train", "moe", tower, expert, "--peaks", bound, *half, "-o", moe).code == 0
    training = json.loads((moe / "training.json").read_text())
    assert training["epochs"] == 2
    assert training["command"].endswith(f"--seed 0 {' '.join(half)}")
    assert list(modelzoo.load(moe).experts) == ["tower-mytf", "deepbind-mytf"]
    done = shiftsmooth("train", "moe", moe, "-o", tmp_path / "no")
    assert done.code == 2 and "is no expert" in done.err
