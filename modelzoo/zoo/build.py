"""Bring shipped weights into the catalog, and the catalog to the Hub.

    python -m modelzoo.zoo.build            # note each file's checksum in its recipe
    python -m modelzoo.zoo.build --check    # write nothing; fail where they differ
    python -m modelzoo.zoo.build publish --owner OWNER --weights FOLDER

The last uploads every model to OWNER/NAME and gives its commit the tag that the catalog pins. The
folder holds NAME.safetensors of the models that are too large to ship; their recipes hold the
checksum already. Afterwards set `OWNER` in `modelzoo/zoo/catalog.py`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelzoo.architectures.weights import WeightsError
from modelzoo.files import sha256, write_atomically
from modelzoo.zoo import catalog, hub
from modelzoo.zoo.downloads import HubError


def drifted() -> dict[str, str]:
    """Return the checksums of the shipped weights whose recipe does not hold them, by model."""
    found = {path.stem: sha256(path.read_bytes()) for path in catalog.WEIGHTS.iterdir()}
    return {name: sum_ for name, sum_ in found.items() if _recipe(name).get("sha256") != sum_}


def build() -> None:
    """Note the checksum of every file of shipped weights in its recipe."""
    for name, sum_ in drifted().items():
        text = json.dumps({**_recipe(name), "sha256": sum_}, indent=2) + "\n"
        write_atomically(catalog.RECIPES / f"{name}.json", text.encode())


def publish(owner: str, weights: Path | None = None) -> Iterator[str]:
    """Upload every model of the catalog; yield the address of each commit.

    Nothing is uploaded unless the weights of all models are there. What was uploaded before is
    uploaded again without a change, so that a run that was cut off can be repeated.

    Args:
        owner: A user or an organisation on the Hub.
        weights: A folder with NAME.safetensors of the models that are not shipped.

    Raises:
        WeightsError: A model's weights are neither shipped nor in the folder, or they are others.
        HubError: The Hub cannot be reached, or refuses.
    """
    infos = catalog.read().values()
    files = {
        info.name: info.weights if info.shipped or weights is None else weights / info.file
        for info in infos
    }
    lacking = [info for info in infos if not files[info.name].is_file()]
    if lacking:
        told = "; ".join(f"{info.name}: {info.recipe.get('command')}" for info in lacking)
        raise WeightsError(f"weights: expected NAME.safetensors of every model, lacking {told}")
    for info in infos:
        if sha256(files[info.name].read_bytes()) != info.sha256:
            raise WeightsError(f"{files[info.name]}: expected sha256 {info.sha256}, got another")
    for name, file in files.items():
        yield hub.publish(name, f"{owner}/{name}", weights=file)


def _recipe(name: str) -> dict[str, Any]:
    return json.loads((catalog.RECIPES / f"{name}.json").read_text(encoding="utf-8"))


def main() -> None:
    """Note the checksums of the shipped weights in their recipes, or check them, or publish all."""
    parser = argparse.ArgumentParser(prog="python -m modelzoo.zoo.build", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    commands = parser.add_subparsers(dest="command")
    publishing = commands.add_parser("publish", help="upload every model to the Hub")
    publishing.add_argument("--owner", required=True, help="a user or organisation on the Hub")
    publishing.add_argument("--weights", type=Path, help="holds NAME.safetensors if not shipped")
    arguments = parser.parse_args()
    if arguments.command:
        try:
            for address in publish(arguments.owner, arguments.weights):
                print(address)
        except (HubError, WeightsError) as error:
            sys.exit(str(error))
        print(f"Set OWNER = {arguments.owner!r} in modelzoo/zoo/catalog.py.")
    elif not arguments.check:
        build()
    elif names := sorted(drifted()):
        sys.exit(f"{', '.join(names)}: the weights have drifted from their recipes")


if __name__ == "__main__":
    main()
