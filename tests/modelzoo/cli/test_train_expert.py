def test_training_overwrites_nothing(shiftsmooth, bound, tmp_path):
    done = shiftsmooth("train", "expert", bound, "-o", tmp_path)
    assert done.code == 2
    assert "exists already" in done.err
