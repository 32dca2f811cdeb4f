"""From a name to verified weights, and from the zoo to the Hugging Face Hub.

Weights are found in this order: a folder given, the files shipped in the wheel, the Hub's cache,
the Hub. A file is checked before it is used and only safetensors are read: nothing is unpickled.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import safetensors.torch
import torch
from huggingface_hub import HfApi
from safetensors import SafetensorError
from torch import nn

from modelzoo.architectures import ARCHITECTURES
from modelzoo.files import sha256
from modelzoo.zoo import catalog
from modelzoo.zoo.card import model_card
from modelzoo.zoo.downloads import (
    HubError,
    address,
    cached,
    checksum,
    commit_of,
    download,
    evict,
    reason,
)

Source = Literal["auto", "shipped", "hub"]

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


class WeightsError(ValueError):
    """A model's files are not what they should be; none of them was used."""


def load(
    name: str | Path,
    *,
    source: Source = "auto",
    revision: str | None = None,
    cache_dir: str | Path | None = None,
    device: str | torch.device = "cpu",
) -> nn.Module:
    """Return a trained model, in eval mode.

    Args:
        name: A name of the catalog; else a folder that holds `config.json` and
            `model.safetensors`; else a repository on the Hub, `"owner/repo"`.
        source: `"auto"` takes a catalog model's weights from this installation if they are
            shipped with it and from the Hub otherwise; `"shipped"` and `"hub"` allow one only.
        revision: A branch, tag or commit on the Hub. A catalog model is pinned to its own tag and
            its bytes must match the catalog at every revision.
        cache_dir: Where downloads are kept; the Hub's own cache by default.
        device: Where the model is put.

    Raises:
        UnknownModelError: The name is no catalog name, folder or `"owner/repo"`.
        WeightsError: A file does not match its sum, its architecture or its shapes.
        HubError: The Hub cannot be reached or does not have the file.

    Example:
        >>> import modelzoo
        >>> expert = modelzoo.load("deepbind-gata3")
        >>> expert(modelzoo.one_hot(["ACAGATAAGAATCAGATAAGTTCC"])).shape
        torch.Size([1, 1])
    """
    if source not in get_args(Source):
        raise ValueError(f"source: expected one of {', '.join(get_args(Source))}, got {source!r}")
    name = str(name)
    models = catalog.read()
    if source == "shipped" and revision is not None:
        raise ValueError(f"revision: expected None, as shipped files have none, got {revision!r}")
    if name in models:
        model = _load_catalog(models[name], source, revision, cache_dir)
    elif source == "shipped":
        raise catalog.UnknownModelError(name, models)
    elif Path(name).is_dir():
        if revision is not None or source == "hub":
            raise ValueError(
                f"revision, source: expected neither for a folder, got {revision!r} and {source!r}"
            )
        model = _load_folder(Path(name), origin=name)
    elif _REPO_ID.fullmatch(name):
        model = _load_repository(name, revision, cache_dir)
    else:
        raise catalog.UnknownModelError(name, models)
    return model.to(device)


def publish(name: str, repo_id: str, *, private: bool = False) -> str:
    """Upload a catalog model's configuration, weights and card; returns the commit's address.

    The commit gets the tag that the catalog pins, so that these bytes can be loaded whatever is
    published after them.

    Args:
        name: A name of the catalog, whose weights are shipped with this installation.
        repo_id: `"owner/repo"`; created if it does not exist.
        private: Whether a repository that is created can be seen by its owner only.
    """
    if not _REPO_ID.fullmatch(repo_id):
        raise ValueError(f"repo_id: expected 'owner/repo', got {repo_id!r}")
    info = catalog.info(name)
    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        export(name, folder, repo_id=repo_id)
        try:
            api.create_repo(repo_id, private=private, exist_ok=True)
            commit = api.upload_folder(
                repo_id=repo_id, folder_path=folder, commit_message=f"Publish {name}"
            )
            api.create_tag(repo_id, tag=info.revision, revision=commit.oid, exist_ok=True)
        except Exception as error:  # the client's errors have no common base
            raise HubError(f"cannot publish to {address(repo_id)}: {reason(error)}") from error
    return commit.commit_url


def export(name: str, folder: str | Path, *, repo_id: str | None = None) -> None:
    """Write a catalog model as the Hub keeps it: configuration, weights and card.

    Args:
        name: A name of the catalog, whose weights are shipped with this installation.
        folder: The folder for the three files; created if it does not exist.
        repo_id: The repository that the card tells readers to load; by default the catalog's.
    """
    info = catalog.info(name)
    weights = _shipped(info)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architecture": info.architecture, **info.config}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / WEIGHTS_FILE).write_bytes(weights)
    model_card(info, repo_id).save(folder / CARD_FILE)


def _load_catalog(
    info: catalog.ModelInfo,
    source: Source,
    revision: str | None,
    cache_dir: str | Path | None,
) -> nn.Module:
    # A revision is something only the Hub has.
    if source == "shipped" or (source == "auto" and revision is None and info.weights.is_file()):
        return _build(info.architecture, info.config, _shipped(info), info.file)
    pin = revision or info.revision
    # The sum makes a cached file as good as the Hub's, so the Hub is not asked whether it changed.
    path = cached(info.repo_id, WEIGHTS_FILE, pin, cache_dir)
    if path is None:
        path = download(info.repo_id, WEIGHTS_FILE, pin, cache_dir)
    origin = f"{address(info.repo_id)}, revision {pin}"
    weights = _verified(path, info.sha256, origin, cache_dir)
    return _build(info.architecture, info.config, weights, origin)


def _load_repository(repo_id: str, revision: str | None, cache_dir: str | Path | None) -> nn.Module:
    config = download(repo_id, CONFIG_FILE, revision, cache_dir)
    # Both files of one commit, even if the branch moves between the two downloads.
    commit = commit_of(config)
    weights = download(repo_id, WEIGHTS_FILE, commit, cache_dir)
    origin = f"{address(repo_id)}, revision {revision or commit}"
    data = _verified(weights, checksum(weights), origin, cache_dir)
    return _build(*_parse_config(config, origin), data, origin)


def _load_folder(folder: Path, origin: str) -> nn.Module:
    for file in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / file).is_file():
            raise WeightsError(
                f"{origin} has no {file}; a model is a folder with {CONFIG_FILE} and"
                f" {WEIGHTS_FILE} (pickled weights are never loaded)"
            )
    architecture, config = _parse_config(folder / CONFIG_FILE, origin)
    return _build(architecture, config, (folder / WEIGHTS_FILE).read_bytes(), origin)


def _shipped(info: catalog.ModelInfo) -> bytes:
    if not info.weights.is_file():
        raise WeightsError(
            f"{info.file} is not shipped with this installation; load it with source='hub'"
        )
    data = info.weights.read_bytes()
    _check_sum(data, info.sha256, info.file)
    return data


def _verified(path: Path, sha256: str | None, origin: str, cache_dir: str | Path | None) -> bytes:
    """Return a downloaded file's bytes; a file that does not match its sum leaves the cache."""
    data = path.read_bytes()
    if sha256 is not None:
        try:
            _check_sum(data, sha256, origin)
        except WeightsError:
            evict(path, cache_dir)
            raise
    return data


def _check_sum(data: bytes, expected: str, origin: str) -> None:
    found = sha256(data)
    if found != expected:
        raise WeightsError(
            f"{origin}: {WEIGHTS_FILE} has sha256 {found}, expected {expected}; it was not used"
        )


def _parse_config(path: Path, origin: str) -> tuple[str, dict[str, Any]]:
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise WeightsError(f"{origin}: {CONFIG_FILE} is not JSON: {error}") from error
    if not isinstance(config, dict) or "architecture" not in config:
        raise WeightsError(f"{origin}: {CONFIG_FILE} names no architecture; {_architectures()}")
    return config.pop("architecture"), config


def _build(architecture: str, config: Mapping[str, Any], weights: bytes, origin: str) -> nn.Module:
    """Return the model that a configuration and the bytes of its weights describe."""
    if architecture not in ARCHITECTURES:
        raise WeightsError(f"{origin}: architecture is {architecture!r}; {_architectures()}")
    try:
        # The initial weights are thrown away, so drawing them must not move the caller's seed.
        with torch.random.fork_rng(devices=[]):
            model = ARCHITECTURES[architecture](**config)
    except (TypeError, ValueError) as error:
        raise WeightsError(f"{origin}: configuration of {architecture}: {error}") from error
    try:
        tensors = safetensors.torch.load(weights)
    except SafetensorError as error:
        raise WeightsError(f"{origin}: {WEIGHTS_FILE} is not safetensors: {error}") from error
    _check_tensors(tensors, model.state_dict(), origin)
    model.load_state_dict(tensors)
    return model.eval()


def _check_tensors(
    found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], origin: str
) -> None:
    for problem, names in (
        ("lacks", expected.keys() - found.keys()),
        ("has, unexpected,", found.keys() - expected.keys()),
    ):
        if names:
            raise WeightsError(
                f"{origin}: {WEIGHTS_FILE} {problem} {', '.join(sorted(names))};"
                f" expected {', '.join(expected)}"
            )
    for name, tensor in expected.items():
        if found[name].shape != tensor.shape:
            raise WeightsError(
                f"{origin}: {name} has shape {tuple(found[name].shape)},"
                f" expected {tuple(tensor.shape)}"
            )


def _architectures() -> str:
    return f"expected one of {', '.join(ARCHITECTURES)}"
