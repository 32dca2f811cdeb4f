"""The explorer as a Space on the Hugging Face Hub."""

from __future__ import annotations

import re
import tempfile
from importlib.metadata import requires, version
from pathlib import Path

from huggingface_hub import HfApi

from modelzoo.app.explain import Models
from modelzoo.app.files import data
from modelzoo.zoo import catalog
from modelzoo.zoo.downloads import HubError, reason

_EXTRAS = ("app", "zoo", "plot")
_WANTED = re.compile(r"(?P<name>[\w.-]+)[^;]*(; extra == ['\"](?P<extra>\w+)['\"])?")


def publish(repo_id: str, *, private: bool = False) -> str:
    """Upload the explorer as a Space, which then builds itself; return the commit's address.

    Args:
        repo_id: `"owner/name"`; created if it does not exist.
        private: Whether a Space that is created can be seen by its owner only.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo_id, re.ASCII):
        raise ValueError(f"repo_id: expected 'owner/name', got {repo_id!r}")
    api = HfApi()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        try:
            api.create_repo(
                repo_id, repo_type="space", space_sdk="docker", private=private, exist_ok=True
            )
            commit = api.upload_folder(
                repo_id=repo_id,
                repo_type="space",
                folder_path=folder,
                commit_message=f"Publish the explorer of shiftsmooth {version('shiftsmooth')}",
            )
        except Exception as error:  # the client's errors have no common base
            raise HubError(f"cannot publish the Space {repo_id}: {reason(error)}") from error
    return commit.commit_url


def write(folder: Path) -> None:
    """Write what a Space needs: its README with metadata, its Dockerfile, pinned requirements."""
    repositories = [catalog.info(name).repo_id for name in Models().names]
    models = "\n".join(f"  - {repository}" for repository in repositories if repository) or "  []"
    (folder / "README.md").write_text(data("space/README.md").format(models=models), "utf-8")
    (folder / "Dockerfile").write_text(data("space/Dockerfile"), "utf-8")
    (folder / "requirements.txt").write_text("\n".join(requirements()) + "\n", "utf-8")


def requirements() -> list[str]:
    """Return this version of the package and of what it requires, as they are installed here."""
    found = [match for text in requires("shiftsmooth") or () if (match := _WANTED.match(text))]
    names = {m["name"].lower() for m in found if not m["extra"] or m["extra"] in _EXTRAS}
    names.discard("shiftsmooth")
    # Without the local part, such as +cpu, which an index may not have.
    pins = [f"{name}=={version(name).partition('+')[0]}" for name in sorted(names)]
    return [f"shiftsmooth[app]=={version('shiftsmooth')}", *pins]
