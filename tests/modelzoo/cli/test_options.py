from modelzoo.cli.options import names


def test_completion_knows_thenames(tiny):
    assert names("tiny") == ["tiny-gata3"]
    assert names("deep") == []
