import modelzoo


def test_train_explainn_over_trained_models(shiftsmooth, labelled, tmp_path):
    from modelzoo.architectures import ARCHITECTURES

    expert, out = tmp_path / "an.expert", tmp_path / "model"
    ARCHITECTURES["deepbind"](filters=[4], widths=[9]).save_pretrained(expert)
    units = ["--unit", expert, "--hidden", 5]
    data = ["--data", labelled, "--epochs", 1]
    assert shiftsmooth("train", "explainn", *units, *data, "-o", out).code == 0
    assert modelzoo.load(out).heads.output.shape == (1, 5)
