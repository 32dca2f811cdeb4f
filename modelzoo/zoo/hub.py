"""From a name to verified weights, and from the zoo to the Hugging Face Hub.

Weights are found in this order: a folder given, the files shipped in the wheel, the Hub's cache,
the Hub. Files are checked before they are used and only safetensors are read: nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from huggingface_hub import HfApi
from torch import nn

from modelzoo.architectures import ARCHITECTURES
from modelzoo.architectures.dnabert import VOCABULARY_FILE, bert_options
from modelzoo.architectures.pretrained import CALIBRATION
from modelzoo.architectures.weights import (
    CONFIG_FILE,
    CONFIG_LIMIT,
    WEIGHTS_FILE,
    WEIGHTS_LIMIT,
    WeightsError,
    fill,
    read_config,
    size,
    without_numbers,
)
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

CARD_FILE = "README.md"

_REPO_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


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
        WeightsError: A file does not match its checksum, its architecture or its shapes, or has
            numbers that are not finite.
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
    models = catalog.list_models()
    if source == "shipped" and revision is not None:
        raise ValueError(f"revision: expected None, as shipped files have none, got {revision!r}")
    if name in models:
        model = _load_catalog(catalog.info(name), source, revision, cache_dir)
    elif source == "shipped":
        raise catalog.UnknownModelError(name, models)
    elif os.path.isdir(name):
        if revision is not None or source == "hub":
            raise ValueError(
                f"revision, source: expected neither for a folder, got {revision!r} and {source!r}"
            )
        model = _load_folder(Path(name))
    elif _REPO_ID.fullmatch(name):
        model = _load_repository(name, revision, cache_dir)
    else:
        raise catalog.UnknownModelError(name, models)
    # The tensors are on the CPU already, and asking each of them takes time.
    return model if torch.device(device).type == "cpu" else model.to(device)


def publish(name: str, repo_id: str, *, private: bool = False) -> str:
    """Upload a catalog model's configuration, weights and card; return the commit's address.

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
    _load_catalog(info, "shipped", None, None)  # checks the weights
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architecture": info.architecture, **info.config}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    shutil.copyfile(info.weights, folder / WEIGHTS_FILE)
    model_card(info, repo_id).save(folder / CARD_FILE)


def bert_folder(source: str | Path, *, cache_dir: str | Path | None = None) -> Path:
    """Return the folder of a BERT of 6-mers, for `DNABERT.from_bert`.

    Args:
        source: The folder itself, or a repository on the Hub, whose files are downloaded.
        cache_dir: Where downloads are kept; the Hub's own cache by default.
    """
    if os.path.isdir(source):
        return Path(source)
    repo_id = str(source)
    config = download(repo_id, CONFIG_FILE, None, cache_dir, CONFIG_LIMIT)
    bert_options(config.parent)
    for file, limit in ((VOCABULARY_FILE, CONFIG_LIMIT), (WEIGHTS_FILE, WEIGHTS_LIMIT)):
        download(repo_id, file, commit_of(config), cache_dir, limit)
    return config.parent


def _load_catalog(
    info: catalog.ModelInfo,
    source: Source,
    revision: str | None,
    cache_dir: str | Path | None,
) -> nn.Module:
    model = _unfilled({"architecture": info.architecture, **info.config}, info.name)
    # A revision is something only the Hub has.
    if source == "shipped" or (source == "auto" and revision is None and info.shipped):
        if not info.shipped:
            raise WeightsError(
                f"{info.file} is not shipped with this installation; load it with source='hub'"
            )
        fill(model, info.weights, info.file, info.sha256)
        return model.eval()
    pin = revision or info.revision
    # The sum makes a cached file as good as the Hub's, so the Hub is not asked whether it changed.
    path = cached(info.repo_id, WEIGHTS_FILE, pin, cache_dir)
    if path is None:
        path = download(info.repo_id, WEIGHTS_FILE, pin, cache_dir, size(model))
    origin = f"{address(info.repo_id)}, revision {pin}"
    return _filled(model, path, origin, info.sha256, cache_dir)


def _load_repository(repo_id: str, revision: str | None, cache_dir: str | Path | None) -> nn.Module:
    try:
        config = download(repo_id, CONFIG_FILE, revision, cache_dir, CONFIG_LIMIT)
    except HubError as error:  # the name may have been meant as that of a folder
        raise HubError(f"{error}; there is no folder {repo_id!r} either") from error
    # Both files of one commit, even if the branch moves between the two downloads.
    commit = commit_of(config)
    origin = f"{address(repo_id)}, revision {revision or commit}"
    model = _unfilled(read_config(config, f"{origin}, {CONFIG_FILE}"), origin)
    weights = download(repo_id, WEIGHTS_FILE, commit, cache_dir, size(model))
    return _filled(model, weights, origin, checksum(weights), cache_dir)


def _load_folder(folder: Path) -> nn.Module:
    for file in (CONFIG_FILE, WEIGHTS_FILE):
        if not os.path.isfile(folder / file):
            raise WeightsError(
                f"{folder} has no {file}; a model is a folder with {CONFIG_FILE} and"
                f" {WEIGHTS_FILE} (pickled weights are never loaded)"
            )
    model = _unfilled(read_config(folder / CONFIG_FILE, str(folder / CONFIG_FILE)), str(folder))
    fill(model, folder / WEIGHTS_FILE, str(folder / WEIGHTS_FILE))
    return model.eval()


def _filled(
    model: nn.Module, path: Path, origin: str, sum_: str | None, cache_dir: str | Path | None
) -> nn.Module:
    """Return the model with the numbers of a download; a download that is bad leaves the cache."""
    try:
        fill(model, path, f"{origin}, {WEIGHTS_FILE}", sum_)
    except WeightsError:
        evict(path, cache_dir)
        raise
    return model.eval()


def _unfilled(config: Mapping[str, Any], origin: str) -> nn.Module:
    """Return the model that a configuration describes, without numbers."""
    arguments = dict(config)
    architecture = arguments.pop("architecture", None)
    calibration = arguments.pop(CALIBRATION, None)
    if not isinstance(architecture, str) or architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise WeightsError(f"{origin}: architecture: expected one of {known}, got {architecture!r}")
    try:
        with without_numbers():
            model = ARCHITECTURES[architecture](**arguments)
        model.calibrate(calibration)
        return model
    # What is wrong with arguments beyond their types and ranges is found at many places, in PyTorch
    # and transformers too; whatever they raise, the configuration describes no model.
    except Exception as error:
        raise WeightsError(f"{origin}: configuration of {architecture}: {error}") from error
