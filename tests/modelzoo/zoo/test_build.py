import hashlib
import json

import pytest

import modelzoo
from modelzoo.architectures.weights import WeightsError
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


@pytest.fixture
def two(tiny, tmp_path):
    """A second model, whose weights are in a folder and not shipped."""
    folder = tmp_path / "large"
    folder.mkdir()
    recipe = json.loads((catalog.RECIPES / "tiny-gata3.json").read_text())
    (catalog.RECIPES / "large.json").write_text(json.dumps(recipe))
    (folder / "large.safetensors").write_bytes(tiny.info.weights.read_bytes())
    return folder


def test_every_model_is_published_and_loads_at_its_pin_whatever_comes_after(
    two, hub, monkeypatch, capsys
):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    checked(monkeypatch, "publish", "--owner", "someone", "--weights", str(two))
    *addresses, last = capsys.readouterr().out.splitlines()
    assert [address.split("/")[-3] for address in addresses] == ["large", "tiny-gata3"]
    assert last == "Set OWNER = 'someone' in modelzoo/zoo/catalog.py."
    monkeypatch.setattr(catalog, "OWNER", "someone")
    for info in catalog.read().values():
        repo = hub.repos[info.repo_id]
        assert repo.refs[info.revision] == repo.refs["main"]
        hub.add(info.repo_id, {"model.safetensors": b"a later, other model"})
        assert modelzoo.load(info.name, source="hub").tasks == ("GATA3",)
        assert (
            f'load("someone/{info.name}")'
            in repo.commits[repo.refs[info.revision]]["README.md"].decode()
        )
    assert not modelzoo.info("large").shipped


def test_publishing_twice_is_as_good_as_once(two, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    first, second = (list(build.publish("someone", two)) for _ in range(2))
    assert len(first) == len(second) == 2


def test_nothing_is_published_while_a_model_is_lacking(two, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    with pytest.raises(SystemExit, match="every model, lacking large: shiftsmooth train e"):
        checked(monkeypatch, "publish", "--owner", "someone")
    assert hub.requests == []


def test_nothing_is_published_while_a_file_is_another(two, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    (two / "large.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"large\.safetensors: expected sha256"):
        list(build.publish("someone", two))
    assert hub.requests == []


def test_committed_recipes_hold_the_sums_of_the_shipped_weights():
    assert build.drifted() == {}
