"""Servers that lie, hang or send without an end: `load` gives up soon and leaves nothing behind."""

import gzip
import json
import socket
import time

import pytest
import torch
from safetensors.torch import save

import modelzoo
from modelzoo.architectures.weights import CONFIG_LIMIT, HEADER_LIMIT, WeightsError
from modelzoo.zoo import session
from modelzoo.zoo.hub import HubError

REPO = "someone/binding"
ESCAPE = "\x1b[2J\x1b]0;owned\x07"


def repository(tiny, **config):
    return {
        "config.json": json.dumps({"architecture": "deepbind", **tiny.config, **config}).encode(),
        "model.safetensors": tiny.info.weights.read_bytes(),
    }


def left(tmp_path):
    """The bytes of files in the cache, whole or in part."""
    return sum(path.stat().st_size for path in (tmp_path / "cache").rglob("blobs/*"))


def test_weights_are_not_fetched_for_a_configuration_that_is_none(tiny, hub):
    hub.add(REPO, repository(tiny, filters=[0]))
    with pytest.raises(WeightsError, match="filters: expected a whole number"):
        modelzoo.load(REPO)
    assert not [request for request in hub.requests if "safetensors" in request or "cdn" in request]


def test_weights_that_are_larger_than_the_model_are_not_fetched(tiny, hub, tmp_path):
    hub.add(REPO, {**repository(tiny), "model.safetensors": bytes(HEADER_LIMIT + 10**5)})
    with pytest.raises(
        HubError, match=r"model\.safetensors .*expected at most \d+ bytes, got more"
    ):
        modelzoo.load(REPO)
    assert left(tmp_path) < 10_000


def test_a_configuration_that_is_too_large_is_not_fetched(tiny, hub, tmp_path):
    hub.add(REPO, {**repository(tiny), "config.json": b" " * (CONFIG_LIMIT + 1)})
    with pytest.raises(HubError, match=f"config\\.json .*expected at most {CONFIG_LIMIT} bytes"):
        modelzoo.load(REPO)
    assert left(tmp_path) < 10_000


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_file_without_an_end_is_left(tiny, hub, tmp_path, file):
    hub.add(REPO, repository(tiny))
    hub.endless = file
    with pytest.raises(HubError, match="expected at most"):
        modelzoo.load(REPO)
    assert hub.sent < 100 * 2**20
    assert left(tmp_path) < 10_000


def test_a_catalog_model_without_an_end_is_left(tiny, hub, tmp_path):
    commit = hub.add(tiny.info.repo_id, repository(tiny))
    hub.repos[tiny.info.repo_id].refs[tiny.info.revision] = commit
    hub.endless = "model.safetensors"
    with pytest.raises(HubError, match="expected at most"):
        modelzoo.load(tiny.name, source="hub")
    assert left(tmp_path) < 10_000


def test_an_error_of_a_server_is_not_obeyed_by_the_terminal(tiny, hub):
    name = f"x{ESCAPE}"
    hub.add(REPO, {**repository(tiny), "model.safetensors": save({name: torch.zeros(1)})})
    with pytest.raises(WeightsError) as error:
        modelzoo.load(REPO)
    assert str(error.value).isprintable()


# Time


@pytest.fixture
def impatient(hub, monkeypatch):
    """A second for a download, half a second for an answer."""
    from huggingface_hub import constants, file_download

    monkeypatch.setattr(session, "SECONDS", 1.0)
    monkeypatch.setattr(session, "SLOWEST", 1e9)
    monkeypatch.setattr(session, "_GRACE", 0.2)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 0.5)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.5)
    assert file_download.constants is constants


def refused(match, seconds=5.0):
    """Loads the repository; the error comes soon."""
    started = time.monotonic()
    with pytest.raises(HubError, match=match):
        modelzoo.load(REPO)
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_silent_server_is_left(tiny, hub, impatient, tmp_path, method):
    hub.add(REPO, repository(tiny))
    hub.silent = method
    refused("cannot load config.json")
    assert len(hub.requests) <= 2 + session.REQUESTS
    assert left(tmp_path) == 0


@pytest.mark.parametrize("what", ["headers", "body"])
def test_a_server_that_sends_letter_by_letter_is_left(tiny, hub, impatient, tmp_path, what):
    hub.add(REPO, repository(tiny, tasks=["x" * 150]))
    hub.drip = what
    refused("took longer than 1 s")
    assert left(tmp_path) == 0


def test_the_time_grows_with_the_size_that_a_file_may_have(hub):
    with pytest.raises(TimeoutError, match="longer than 160 s"), session.limited(10_000_000):
        session._current.get().until = 0
        raise OSError


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "1"}])
@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_and_the_terminal_told(tiny, hub, caplog, status, headers):
    hub.add(REPO, repository(tiny))
    hub.busy = [(status, headers)] * 2
    modelzoo.load(REPO)
    assert f"the server answers {status} for {hub.url}/{REPO}; trying again in 1 s" in caplog.text


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_stays_busy_is_left(tiny, hub, status):
    hub.add(REPO, repository(tiny))
    hub.status = status
    refused(f"the server answers {status}")
    assert len(hub.requests) <= 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_server_that_wants_a_long_pause_is_left_at_once(tiny, hub, monkeypatch, status, method):
    hub.add(REPO, repository(tiny))
    hub.busy, hub.busy_methods = [(status, {"Retry_After": "3600"})] * 9, (method,)
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    refused(f"the server answers {status}")
    assert slept == []


def test_a_bomb_is_not_unpacked(tiny, hub, tmp_path):
    hub.add(REPO, repository(tiny))
    hub.packed = gzip.compress(bytes(50 * 2**20))
    refused("expected bytes as they are, got them packed as 'gzip'")
    assert left(tmp_path) == 0


def test_an_endless_message_of_a_server_is_left(tiny, hub):
    hub.add(REPO, repository(tiny))
    hub.endless, hub.endless_status = "config.json", 404
    refused("expected at most|no such file")
    assert hub.sent < 20 * 2**20


def test_without_a_network_a_folder_that_is_not_there_is_told_at_once(hub, monkeypatch):
    from huggingface_hub import constants

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        template = url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        slept = []
        monkeypatch.setattr(time, "sleep", slept.append)
        refused("the Hub cannot be reached.*there is no folder 'someone/binding' either")
        assert sum(slept) < 2


def test_limits_hold_for_our_downloads_only(hub):
    from huggingface_hub import get_session

    with session.limited(10):
        pass
    hub.busy = [(200, {"Content_Encoding": "gzip"})]
    assert get_session().get(hub.url).headers["Content-Encoding"] == "gzip"
    assert get_session().get(hub.url).status_code == 404
