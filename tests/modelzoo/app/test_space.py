"""The Space: what is uploaded, by the Hub's own client to a Hub on the loopback interface."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from modelzoo.app import space
from modelzoo.zoo.hub import HubError

ROOT = Path(__file__).parents[3]


@pytest.fixture
def signed_in(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    return hub


def test_a_space_holds_what_it_needs(signed_in):
    assert "/someone/explorer/commit/" in space.publish("someone/explorer")
    repo = signed_in.repos["someone/explorer"]
    files = repo.commits[repo.refs["main"]]
    assert set(files) == {"README.md", "Dockerfile", "requirements.txt"}
    metadata = yaml.safe_load(files["README.md"].decode().split("---")[1])
    assert (metadata["sdk"], metadata["app_port"]) == ("docker", 7860)
    assert metadata["models"] == []  # none is on the Hub before it has an owner
    assert b'"--port", "7860"' in files["Dockerfile"]


def test_the_requirements_pin_all_that_the_explorer_asks_for():
    pins = dict(line.split("==") for line in space.requirements())
    assert pins.pop("shiftsmooth[app]") == version("shiftsmooth")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["app"], *extras["zoo"], *extras["plot"]]
    names = {
        text.partition(">")[0].lower() for text in wanted if not text.startswith("shiftsmooth")
    }
    assert set(pins) == names
    assert "+" not in pins["torch"]


def test_without_a_token_the_error_names_the_space(hub):
    with pytest.raises(HubError, match="cannot publish the Space someone/explorer"):
        space.publish("someone/explorer")


def test_a_name_without_an_owner_is_refused():
    with pytest.raises(ValueError, match="repo_id: expected 'owner/name', got 'mine'"):
        space.publish("mine")
