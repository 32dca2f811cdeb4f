"""The loopback Hub and a catalog of one tiny model, for every test of loading and publishing."""

import importlib.util
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from modelzoo import catalog
from modelzoo.architectures import ARCHITECTURES

# Tests are no package, so a helper beside them is loaded by its path.
_spec = importlib.util.spec_from_file_location(
    "hub_server", Path(__file__).with_name("hub_server.py")
)
hub_server = importlib.util.module_from_spec(_spec)
sys.modules["hub_server"] = hub_server
_spec.loader.exec_module(hub_server)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A running Hub that this process's huggingface_hub client uses, with an empty cache."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http

    with hub_server.HubServer() as server:
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        # The client reads its environment once, at import; a subprocess test covers that.
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        # Between retries the client would sleep for up to half a minute.
        monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
        yield server


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A catalog of one small model, `tiny-gata3`, in a folder of its own."""
    root = tmp_path / "zoo"
    weights, recipes = root / "weights", root / "recipes"
    weights.mkdir(parents=True)
    recipes.mkdir()
    config = {"filters": [4], "widths": [8], "embedding_size": 32, "tasks": ["GATA3"]}
    torch.manual_seed(0)
    model = ARCHITECTURES["deepbind"](**config).eval()
    from safetensors.torch import save_file

    save_file(model.state_dict(), weights / "tiny-gata3.safetensors")
    recipe = {
        "architecture": "deepbind",
        "config": config,
        "tasks": ["GATA3"],
        "command": "shiftsmooth train expert GATA3 --seed 7",
        "seed": 7,
        "date": "2025-07-13",
        "scores": {"GATA3": {"roc_auc": 0.912345, "average_precision": 0.9}},
    }
    (recipes / "tiny-gata3.json").write_text(json.dumps(recipe))
    monkeypatch.setattr(catalog, "WEIGHTS", weights)
    monkeypatch.setattr(catalog, "RECIPES", recipes)
    monkeypatch.setattr(catalog, "CATALOG", root / "catalog.json")
    catalog.CATALOG.write_text(catalog.build())
    return SimpleNamespace(
        name="tiny-gata3", model=model, config=config, info=catalog.info("tiny-gata3")
    )
