"""The command line in this process, the loopback Hub, and a catalog of one tiny model."""

import json
import sys
from types import SimpleNamespace

import pytest
import torch

from modelzoo.architectures import ARCHITECTURES
from modelzoo.zoo import build, catalog
from tests.support import hub_server


@pytest.fixture(scope="session")
def scrambled():
    """Gives a network other numbers than its first: zeros and ones hide what they multiply."""

    def scramble(model, seed=0):
        torch.manual_seed(seed)
        for name, tensor in model.eval().state_dict().items():
            if name.endswith("var"):
                tensor.uniform_(0.5, 2)
            else:
                tensor.normal_(std=0.3)
        return model

    return scramble


@pytest.fixture
def shiftsmooth(monkeypatch, capsys):
    """Runs the command line in this process; gives exit code, output and error output."""
    from modelzoo.cli.main import main

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["shiftsmooth", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=said.out, err=said.err)

    return run


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
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        _http.close_session()  # the next one reads the proxies again
        # Between retries the client would sleep for up to half a minute.
        monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
        yield server


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A catalog of one small model, `tiny-gata3`, in a folder of its own."""
    root = tmp_path / "zoo"
    monkeypatch.setattr(catalog, "OWNER", "zoo-keepers")
    weights, recipes = root / "weights", root / "recipes"
    weights.mkdir(parents=True)
    recipes.mkdir()
    config = {"filters": [4], "widths": [9], "embedding_size": 32, "tasks": ["GATA3"]}
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
        "data": {"GATA3_SH-SY5Y_GATA3_(SC-269)_USC_AC.seq.gz": "a5d2"},
        "date": "2025-07-13",
        "scores": {
            "GATA3": {"roc_auc": 0.912345, "average_precision": 0.9},
            "CTCF": {"roc_auc": 0.5, "average_precision": 0.4},
        },
    }
    (recipes / "tiny-gata3.json").write_text(json.dumps(recipe))
    monkeypatch.setattr(catalog, "WEIGHTS", weights)
    monkeypatch.setattr(catalog, "RECIPES", recipes)
    build.build()
    return SimpleNamespace(
        name="tiny-gata3", model=model, config=config, info=catalog.info("tiny-gata3")
    )


class Scanner(torch.nn.Module):
    """An expert without training: the best match of one motif, on either strand."""

    architecture = "deepbind"

    def __init__(self, factor, motif):
        super().__init__()
        self.tasks = (factor,)
        odds = torch.log2(torch.tensor(motif).clamp(min=0.02) / 0.25).float()
        self.filters = torch.nn.Conv1d(4, 2, odds.shape[1], padding=odds.shape[1] // 2)
        with torch.no_grad():
            self.filters.weight.copy_(torch.stack([odds, odds.flip(0, 1)]))
            self.filters.bias.fill_(-0.4 * float(odds.max(0).values.sum()))
        self.relu = torch.nn.ReLU()

    def forward(self, x):
        return self.relu(self.filters(x.float())).amax((1, 2))[:, None] - 2


class Mixture(torch.nn.Module):
    """A mixture without training: the expert that answers loudest answers most."""

    architecture = "moe"

    def __init__(self, experts):
        super().__init__()
        self.tasks = ("binding",)
        self.experts = torch.nn.ModuleDict(experts)

    def gate(self, x):
        return torch.cat([expert(x) for expert in self.experts.values()], 1).softmax(1)

    def forward(self, x):
        answers = torch.cat([expert(x) for expert in self.experts.values()], 1)
        return (self.gate(x) * answers).sum(1, keepdim=True)


@pytest.fixture(scope="session")
def toy_models():
    """Three experts and their mixture, named and shaped as the catalog's, that need no training."""
    from modelzoo.datasets.planted import Simulation

    torch.manual_seed(0)
    toml = "[[positives]]\nshare = 1\nmotifs = []\n[[negatives]]\nshare = 1\nmotifs = []\n"
    ids = {"ARID3A": "MA0047.3", "FOXM1": "MA1634.1", "GATA3": "MA0037.3"}
    toml += "".join(f'[motifs.{name}]\nmatrix = "{id}"\n' for name, id in ids.items())
    motifs = {m.name: m.matrix for m in Simulation.from_toml(toml).motifs}
    experts = {factor: Scanner(factor, matrix) for factor, matrix in motifs.items()}
    named = {f"deepbind-{factor.lower()}": expert for factor, expert in experts.items()}
    models = {**named, "moe-arid3a-foxm1-gata3": Mixture(experts)}
    return {name: model.eval() for name, model in models.items()}


@pytest.fixture(scope="session")
def toy_sets():
    """Small data sets in which each factor's motif is planted; CTCF's has the motif of GATA3."""
    import numpy as np

    from modelzoo.datasets.planted import Simulation
    from modelzoo.studies.peaks.sets import LabelledSet

    motifs = {"ARID3A": "MA0047.3", "FOXM1": "MA1634.1", "GATA3": "MA0037.3", "CTCF": "MA0037.3"}
    sets = []
    for seed, (name, matrix) in enumerate(motifs.items()):
        toml = f"""
            length = 101
            region = 80
            [motifs.M]
            matrix = "{matrix}"
            [[positives]]
            share = 1
            motifs = ["M"]
            [[negatives]]
            share = 1
            motifs = []
        """
        batch = Simulation.from_toml(toml).sample(120, seed=seed)
        kind = "out of distribution" if name == "CTCF" else "in distribution"
        order = np.argsort(-batch.labels.astype(int), kind="stable")
        groups = np.tile(np.arange(60), 2)
        sets.append(LabelledSet(name, kind, batch.codes[order], batch.labels[order], groups))
    return sets
