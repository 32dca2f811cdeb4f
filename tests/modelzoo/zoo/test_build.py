import hashlib
import json

import pytest

import modelzoo
from modelzoo.zoo import build, catalog


def checked(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["build", *arguments])
    build.main()


def test_built_sum_is_that_of_the_file(tiny):
    digest = hashlib.sha256()
    with tiny.info.weights.open("rb") as file:
        while piece := file.read(100):
            digest.update(piece)
    assert tiny.info.sha256 == digest.hexdigest()


def test_check_finds_drift_and_changes_nothing(tiny, monkeypatch):
    checked(monkeypatch, "--check")
    tiny.info.weights.write_bytes(tiny.info.weights.read_bytes()[:-1] + b"!")
    with pytest.raises(SystemExit, match="tiny-gata3: the weights have drifted"):
        checked(monkeypatch, "--check")
    assert modelzoo.info("tiny-gata3") == tiny.info
    checked(monkeypatch)
    checked(monkeypatch, "--check")
    assert modelzoo.info("tiny-gata3").sha256 != tiny.info.sha256


def test_building_keeps_the_rest_of_a_recipe(tiny):
    path = catalog.RECIPES / "tiny-gata3.json"
    before = json.loads(path.read_text())
    path.write_text(json.dumps({**before, "sha256": "0", "seed": 8}))
    build.build()
    assert json.loads(path.read_text()) == {**before, "seed": 8}


def test_what_is_too_large_to_ship_is_listed_by_the_sum_in_its_recipe(tiny):
    tiny.info.weights.unlink()
    build.build()
    info = modelzoo.info("tiny-gata3")
    assert not info.shipped and info.sha256 == tiny.info.sha256


def test_committed_recipes_hold_the_sums_of_the_shipped_weights():
    assert build.drifted() == {}
