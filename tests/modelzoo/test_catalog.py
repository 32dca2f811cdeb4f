import dataclasses
import json

import pytest

import modelzoo
from modelzoo import catalog


def test_lists_names_of_all_and_of_one_architecture(tiny):
    assert modelzoo.list_models() == ["tiny-gata3"]
    assert modelzoo.list_models("deepbind") == ["tiny-gata3"]


def test_unknown_architecture_names_those_there_are(tiny):
    with pytest.raises(ValueError, match="architecture is 'moa'; expected one of deepbind"):
        modelzoo.list_models("moa")


def test_entry_is_typed_and_frozen(tiny):
    info = modelzoo.info("tiny-gata3")
    assert info.tasks == ("GATA3",)
    assert info.config == tiny.config
    assert info.scores["GATA3"]["roc_auc"] == 0.912345
    assert info.recipe["seed"] == 7
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.sha256 = "0"


def test_unknown_name_lists_the_names_and_the_nearest(tiny):
    with pytest.raises(catalog.UnknownModelError) as error:
        modelzoo.info("tiny-gata4")
    assert "did you mean 'tiny-gata3'?" in str(error.value)
    assert "There are: tiny-gata3" in str(error.value)


def test_built_sum_is_that_of_the_file(tiny):
    # The oracle is the system's own sha256sum format: hashlib over the file in pieces.
    import hashlib

    digest = hashlib.sha256()
    with tiny.info.weights.open("rb") as file:
        while piece := file.read(100):
            digest.update(piece)
    assert tiny.info.sha256 == digest.hexdigest()


def test_check_finds_drift(tiny, monkeypatch):
    monkeypatch.setattr("sys.argv", ["catalog", "--check"])
    catalog.main()
    tiny.info.weights.write_bytes(tiny.info.weights.read_bytes()[:-1] + b"!")
    with pytest.raises(SystemExit, match="drifted"):
        catalog.main()


def test_committed_catalog_is_the_one_built_from_weights_and_recipes():
    assert json.loads(catalog.build()) == json.loads(catalog.CATALOG.read_text(encoding="utf-8"))
