import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants
from safetensors.torch import save

import modelzoo
from modelzoo.architectures import ARCHITECTURES
from modelzoo.datasets import chipseq
from modelzoo.zoo import catalog
from modelzoo.zoo.card import model_card
from modelzoo.zoo.catalog import UnknownModelError
from modelzoo.zoo.hub import HubError, WeightsError, export, publish

X = torch.rand(3, 4, 50, generator=torch.Generator().manual_seed(1))
REPO = "someone/binding"


def same(loaded, model):
    with torch.no_grad():
        return torch.equal(loaded(X), model(X))


def files(tiny, **config):
    """The two files of a repository that holds the tiny model."""
    config = {"architecture": "deepbind", **tiny.config, **config}
    return {
        "config.json": json.dumps(config).encode(),
        "model.safetensors": tiny.info.weights.read_bytes(),
    }


def write(folder, content):
    folder.mkdir(exist_ok=True)
    for name, data in content.items():
        (folder / name).write_bytes(data)
    return folder


def cached(tmp_path):
    return [path for path in (tmp_path / "cache").rglob("*") if path.name != "CACHEDIR.TAG"]


# Shipped files and folders


def test_shipped_model_is_in_eval_mode_and_gives_the_same_logits(tiny):
    loaded = modelzoo.load("tiny-gata3")
    assert not loaded.training
    assert loaded.tasks == ("GATA3",)
    assert same(loaded, tiny.model)


def test_shipped_model_asks_the_hub_nothing(tiny, hub):
    modelzoo.load("tiny-gata3")
    assert hub.requests == []


def test_loading_leaves_the_random_state_alone(tiny):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    modelzoo.load("tiny-gata3")
    assert torch.equal(torch.rand(2), expected)


def test_shipped_bytes_that_do_not_match_are_refused(tiny):
    data = bytearray(tiny.info.weights.read_bytes())
    data[-1] ^= 1
    tiny.info.weights.write_bytes(data)
    with pytest.raises(WeightsError, match=f"expected sha256 {tiny.info.sha256}, got"):
        modelzoo.load("tiny-gata3")


def test_shipped_only_says_where_else_the_model_is(tiny):
    tiny.info.weights.unlink()
    with pytest.raises(WeightsError, match=r"not shipped.*source='hub'"):
        modelzoo.load("tiny-gata3", source="shipped")


def test_saved_folder_loads_identically(tiny, tmp_path):
    tiny.model.save_pretrained(tmp_path / "mine")
    assert same(modelzoo.load(tmp_path / "mine"), tiny.model)


def test_folder_named_like_a_catalog_model_does_not_hide_it(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tiny-gata3", {"config.json": b"{}", "model.safetensors": b""})
    assert same(modelzoo.load("tiny-gata3"), tiny.model)
    with pytest.raises(WeightsError, match=r"architecture: expected one of .* got None"):
        modelzoo.load("./tiny-gata3")


def test_unknown_name_names_the_nearest(tiny):
    with pytest.raises(UnknownModelError, match="did you mean 'tiny-gata3'"):
        modelzoo.load("tiny-gata")


def test_unknown_source_is_refused(tiny):
    with pytest.raises(ValueError, match="source: expected one of auto, shipped, hub, got 'cloud'"):
        modelzoo.load("tiny-gata3", source="cloud")


def test_shipped_source_takes_no_revision(tiny):
    with pytest.raises(ValueError, match=r"revision: expected None, .* got 'main'"):
        modelzoo.load("tiny-gata3", source="shipped", revision="main")


def test_shipped_source_takes_catalog_names_only(tiny):
    with pytest.raises(UnknownModelError, match="'someone/binding'"):
        modelzoo.load(REPO, source="shipped")


def test_folder_takes_no_revision(tiny, tmp_path):
    with pytest.raises(
        ValueError, match="revision, source: expected neither for a folder, got 'main'"
    ):
        modelzoo.load(tmp_path, revision="main")


# What a folder or repository may hold


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "transformer"},
            "architecture: expected one of .*deepbind.* got 'transformer'",
        ),
        ({"depth": 3}, "configuration of deepbind: .*depth"),
        (
            {"embedding_size": 16},
            r"'hidden.weight': expected shape \[16, \d+\], got \[32, \d+\]",
        ),
    ],
)
def test_configuration_that_does_not_fit_says_what_was_expected(tiny, tmp_path, change, message):
    folder = write(tmp_path / "model", files(tiny, **change))
    with pytest.raises(WeightsError, match=message):
        modelzoo.load(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[]", "config.json: expected a JSON object"),
        (b"{", "config.json is not JSON"),
        (b"{}", "architecture: expected one of .* got None"),
    ],
)
def test_malformed_configuration_is_named(tiny, tmp_path, text, message):
    folder = write(tmp_path / "model", {**files(tiny), "config.json": text})
    with pytest.raises(WeightsError, match=message):
        modelzoo.load(folder)


def test_missing_and_unexpected_tensors_are_named(tiny, tmp_path):
    tensors = dict(tiny.model.state_dict())
    bias = tensors.pop("output.bias")
    folder = write(tmp_path / "model", {**files(tiny), "model.safetensors": save(tensors)})
    with pytest.raises(WeightsError, match=r"lacks 'output\.bias'"):
        modelzoo.load(folder)
    tensors.update({"output.bias": bias, "extra": bias.clone()})
    (folder / "model.safetensors").write_bytes(save(tensors))
    with pytest.raises(WeightsError, match="unexpected, 'extra'"):
        modelzoo.load(folder)


class Bomb:
    """Unpickling one leaves a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_pickle_named_safetensors_is_refused(tiny, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    folder = write(tmp_path / "model", {**files(tiny), "model.safetensors": bomb})
    with pytest.raises(WeightsError, match="not safetensors"):
        modelzoo.load(folder)
    assert not (tmp_path / "trace").exists()


def test_folder_with_a_pickle_only_is_refused(tiny, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    config = files(tiny)["config.json"]
    folder = write(tmp_path / "model", {"config.json": config, "pytorch_model.bin": bomb})
    with pytest.raises(WeightsError, match=r"no model.safetensors.*pickled weights are never"):
        modelzoo.load(folder)
    assert not (tmp_path / "trace").exists()


# The Hub


def test_repository_downloads_and_gives_the_same_logits(tiny, hub):
    hub.add(REPO, files(tiny))
    assert same(modelzoo.load(REPO), tiny.model)


def test_catalog_model_that_is_not_shipped_comes_from_its_tag(tiny, hub):
    publish_by_hand(tiny, hub)
    hub.add(tiny.info.repo_id, {"model.safetensors": b"a later, other model"})
    shutil.move(tiny.info.weights, tiny.info.weights.with_suffix(".away"))
    assert same(modelzoo.load("tiny-gata3"), tiny.model)


def test_revision_of_a_catalog_model_must_hold_the_same_bytes(tiny, hub):
    first = hub.add(tiny.info.repo_id, files(tiny))
    torch.manual_seed(5)
    other = ARCHITECTURES["deepbind"](**tiny.config)
    hub.add(tiny.info.repo_id, {"model.safetensors": save(other.state_dict())})
    assert same(modelzoo.load("tiny-gata3", revision=first), tiny.model)
    with pytest.raises(WeightsError, match=r"revision main, .*: expected sha256"):
        modelzoo.load("tiny-gata3", revision="main")


def publish_by_hand(tiny, hub):
    commit = hub.add(tiny.info.repo_id, files(tiny))
    hub.repos[tiny.info.repo_id].refs[tiny.info.revision] = commit


def test_cached_catalog_model_needs_no_request(tiny, hub):
    publish_by_hand(tiny, hub)
    modelzoo.load("tiny-gata3", source="hub")
    downloads = len(hub.requests)
    assert downloads > 0
    assert same(modelzoo.load("tiny-gata3", source="hub"), tiny.model)
    assert len(hub.requests) == downloads


def test_cached_commit_needs_no_request(tiny, hub):
    commit = hub.add(REPO, files(tiny))
    modelzoo.load(REPO, revision=commit)
    downloads = len(hub.requests)
    modelzoo.load(REPO, revision=commit)
    assert len(hub.requests) == downloads


def test_branch_is_asked_whether_it_moved(tiny, hub):
    hub.add(REPO, files(tiny))
    modelzoo.load(REPO)
    downloads = len(hub.requests)
    modelzoo.load(REPO)
    assert hub.requests[downloads:] == [f"HEAD /{REPO}/resolve/main/config.json"]


def test_revision_chooses_the_commit(tiny, hub):
    first = hub.add(REPO, files(tiny))
    torch.manual_seed(5)
    other = ARCHITECTURES["deepbind"](**tiny.config).eval()
    hub.add(REPO, {"model.safetensors": save(other.state_dict())})
    assert same(modelzoo.load(REPO, revision=first), tiny.model)
    assert same(modelzoo.load(REPO), other)


def test_cache_dir_is_honoured(tiny, hub, tmp_path):
    hub.add(REPO, files(tiny))
    modelzoo.load(REPO, cache_dir=tmp_path / "elsewhere")
    assert list((tmp_path / "elsewhere").rglob("model.safetensors"))
    assert not cached(tmp_path)


def test_missing_repository_says_so(tiny, hub):
    message = "cannot load config.json from http.*/someone/binding: no such repository"
    with pytest.raises(HubError, match=message):
        modelzoo.load(REPO)


def test_missing_revision_says_so(tiny, hub):
    hub.add(REPO, files(tiny))
    with pytest.raises(HubError, match="revision v9: no such revision"):
        modelzoo.load(REPO, revision="v9")


def test_private_repository_needs_the_token(tiny, hub, monkeypatch):
    hub.add(REPO, files(tiny), private=True)
    with pytest.raises(HubError, match=r"private.*HF_TOKEN"):
        modelzoo.load(REPO)
    monkeypatch.setenv("HF_TOKEN", hub.token)
    assert same(modelzoo.load(REPO), tiny.model)


@pytest.mark.parametrize("status", [500, 503])
def test_server_error_is_named_and_the_cache_steps_in(tiny, hub, status):
    hub.add(REPO, files(tiny))
    hub.status = status
    with pytest.raises(HubError, match=f"not in the cache.*{status}"):
        modelzoo.load(REPO)
    hub.status = None
    modelzoo.load(REPO)
    hub.status = status
    assert same(modelzoo.load(REPO), tiny.model)


def test_connection_cut_in_mid_file_is_retried(tiny, hub):
    hub.add(REPO, files(tiny))
    modelzoo.load(REPO, revision="main")
    publish_by_hand(tiny, hub)
    hub.cuts = [1000]
    assert same(modelzoo.load("tiny-gata3", source="hub"), tiny.model)
    assert sum(request.startswith("GET /cdn") for request in hub.requests) == 3


def test_connection_cut_for_good_leaves_nothing_and_a_second_try_succeeds(tiny, hub, tmp_path):
    publish_by_hand(tiny, hub)
    hub.cuts = [1000] * 99  # more than the client tries
    with pytest.raises(HubError, match=r"cannot load model.safetensors"):
        modelzoo.load("tiny-gata3", source="hub")
    hub.cuts = []
    assert not [path for path in cached(tmp_path) if path.is_file() and path.stat().st_size >= 1000]
    assert same(modelzoo.load("tiny-gata3", source="hub"), tiny.model)


@pytest.mark.parametrize("name", ["tiny-gata3", REPO])
def test_corrupted_bytes_are_refused_and_leave_the_cache(tiny, hub, tmp_path, name):
    publish_by_hand(tiny, hub)
    hub.add(REPO, files(tiny))
    hub.corrupt = True
    with pytest.raises(WeightsError, match=f"expected sha256 {tiny.info.sha256}, got"):
        modelzoo.load(name, source="hub")
    size = len(files(tiny)["model.safetensors"])
    assert not [path for path in cached(tmp_path) if path.stat().st_size == size]
    hub.corrupt = False
    assert same(modelzoo.load(name, source="hub"), tiny.model)


def test_cached_file_that_rots_is_refused_once(tiny, hub, tmp_path):
    hub.add(REPO, files(tiny))
    modelzoo.load(REPO)
    (blob,) = (tmp_path / "cache").rglob(f"blobs/{tiny.info.sha256}")
    blob.write_bytes(blob.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="it was not used"):
        modelzoo.load(REPO)
    assert same(modelzoo.load(REPO), tiny.model)


def test_pickle_only_repository_is_refused(tiny, hub, tmp_path):
    bomb = pickle.dumps(Bomb(tmp_path / "trace"))
    hub.add(REPO, {"config.json": files(tiny)["config.json"], "pytorch_model.bin": bomb})
    with pytest.raises(HubError, match="nothing is unpickled"):
        modelzoo.load(REPO)
    with pytest.raises(ValueError, match="a pickle is never loaded"):
        ARCHITECTURES["deepbind"].from_pretrained(REPO)
    assert not (tmp_path / "trace").exists()


def test_unknown_architecture_on_the_hub_is_named(tiny, hub):
    hub.add(REPO, files(tiny, architecture="transformer"))
    with pytest.raises(WeightsError, match=r"architecture: expected one of .* got 'transformer'"):
        modelzoo.load(REPO)


def test_wrong_shape_on_the_hub_is_named(tiny, hub):
    hub.add(REPO, files(tiny, embedding_size=8))
    with pytest.raises(WeightsError, match=r"expected shape \[8, .* got \[32, "):
        modelzoo.load(REPO)


def test_from_pretrained_reads_what_load_reads(tiny, hub):
    hub.add(REPO, files(tiny))
    assert same(ARCHITECTURES["deepbind"].from_pretrained(REPO), tiny.model)


@pytest.mark.slow
def test_environment_variables_of_the_client_are_honoured(tiny, hub, tmp_path):
    hub.add(REPO, files(tiny), private=True)
    script = f"import modelzoo; print(modelzoo.load({REPO!r}).tasks)"
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(tmp_path / "home"),
        "HF_TOKEN": hub.token,
        "HF_HUB_DISABLE_XET": "1",
    }

    def run(**more):
        return subprocess.run(
            [sys.executable, "-c", script],
            env={**environment, **more},
            capture_output=True,
            text=True,
        )

    offline = run(HF_HUB_OFFLINE="1")
    assert "HubError" in offline.stderr and hub.requests == []
    assert run().stdout == "('GATA3',)\n"
    assert list((tmp_path / "home" / "hub").rglob("model.safetensors"))
    downloads = len(hub.requests)
    assert run(HF_HUB_OFFLINE="1").stdout == "('GATA3',)\n"
    assert len(hub.requests) == downloads


# Publishing


def test_export_writes_three_files_that_load(tiny, tmp_path):
    export("tiny-gata3", tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["README.md", "config.json", "model.safetensors"]
    assert same(modelzoo.load(tmp_path / "out"), tiny.model)


def test_published_model_loads_from_its_repository(tiny, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    url = publish("tiny-gata3", REPO)
    repo = hub.repos[REPO]
    assert url == f"{hub.url}/{REPO}/commit/{repo.refs['main']}"
    published = repo.commits[repo.refs["main"]]
    assert sorted(published) == ["README.md", "config.json", "model.safetensors"]
    assert published["model.safetensors"] == tiny.info.weights.read_bytes()
    assert repo.refs[tiny.info.revision] == repo.refs["main"]
    assert same(modelzoo.load(REPO), tiny.model)


def test_published_card_tells_to_load_the_repository_it_is_in(tiny, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    publish("tiny-gata3", REPO)
    card = ModelCard.load(REPO)
    assert f'modelzoo.load("{REPO}")' in card.text
    assert tiny.info.repo_id not in card.text


def test_publishing_again_keeps_the_tag(tiny, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    publish("tiny-gata3", tiny.info.repo_id)
    publish("tiny-gata3", tiny.info.repo_id)
    assert same(modelzoo.load("tiny-gata3", source="hub"), tiny.model)


def test_publishing_needs_a_token(tiny, hub):
    with pytest.raises(HubError, match=r"cannot publish to http.*401"):
        publish("tiny-gata3", REPO)
    assert hub.repos == {}


def test_publishing_needs_an_owner(tiny):
    with pytest.raises(ValueError, match="repo_id: expected 'owner/repo', got 'binding'"):
        publish("tiny-gata3", "binding")


def test_loading_takes_under_a_second(tiny):
    started = time.perf_counter()
    modelzoo.load("tiny-gata3")
    assert time.perf_counter() - started < 1


# The card


def test_card_links_the_explorer(tiny):
    link = f"[the explorer]({constants.ENDPOINT}/spaces/shiftsmooth/explorer)"
    assert link in model_card(tiny.info).text


def test_card_carries_valid_metadata_and_scores(tiny, tmp_path):
    export("tiny-gata3", tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.license == "bsd-3-clause"
    assert card.data.library_name == "shiftsmooth"
    assert "deepbind" in card.data.tags
    assert card.data.datasets == ["lab-rasool/TFBS"]
    found = {(r.dataset_name, r.metric_type): r.metric_value for r in card.data.eval_results}
    assert found == {
        ("GATA3", "roc_auc"): 0.9123,
        ("GATA3", "average_precision"): 0.9,
        ("CTCF", "roc_auc"): 0.5,
        ("CTCF", "average_precision"): 0.4,
    }
    assert "| GATA3 | 0.900 | 0.912 |" in card.text
    assert "shiftsmooth train expert GATA3 --seed 7" in card.text


def test_card_of_a_model_of_simulated_sequences_claims_no_peaks(tiny, tmp_path):
    path = catalog.RECIPES / "tiny-gata3.json"
    recipe = json.loads(path.read_text())
    path.write_text(json.dumps({**recipe, "data": {"tal-gata": "0" * 64}}))
    export("tiny-gata3", tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.datasets is None
    assert "ChIP" not in card.content
    assert "ENCODE" not in card.content


def test_card_tells_the_negatives_and_the_home_of_the_peaks(tiny, tmp_path):
    path = catalog.RECIPES / "tiny-gata3.json"
    recipe = json.loads(path.read_text())
    file = chipseq.sets("train")["ELK1"].rpartition("/")[2]
    path.write_text(json.dumps({**recipe, "data": {file: "0"}, "params": {"negatives": "both"}}))
    export("tiny-gata3", tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.datasets == ["jisraeli/DeepBind"]
    assert "shuffles and peaks of other factors, half and half" in card.text


def test_card_says_where_a_factors_own_motif_is_not_what_is_found():
    assert "lie at sites of FOXA" in model_card(catalog.info("deepbind-arid3a")).text
    assert "lie at sites of" not in model_card(catalog.info("deepbind-gata3")).text


def test_three_lines_of_use_on_the_card_run(tiny, hub, tmp_path):
    publish_by_hand(tiny, hub)
    export("tiny-gata3", tmp_path)
    code = ModelCard.load(tmp_path / "README.md").text.split("```python\n")[1].split("```")[0]
    scope = {}
    exec(code, scope)
    assert scope["logits"].shape == (1, 1)
