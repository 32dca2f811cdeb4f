import os


def test_search_prints_parameters_that_training_takes(shiftsmooth, bound, tmp_path):
    from modelzoo.training.expert import Recipe

    done = shiftsmooth("train", "search", bound, "--trials", 1, "-o", tmp_path / "found")
    assert done.code == 0
    assert Recipe.from_toml(done.out).config["filters"]
    assert "deepbind-mytf.toml" in os.listdir(tmp_path / "found")
