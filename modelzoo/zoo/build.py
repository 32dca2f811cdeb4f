"""Bring shipped weights into the catalog.

    python -m modelzoo.zoo.build            # note each file's checksum in its recipe
    python -m modelzoo.zoo.build --check    # write nothing; fail where they differ

Weights that are too large to ship lie on the Hub only; their recipes hold the checksum already.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from modelzoo.files import sha256, write_atomically
from modelzoo.zoo import catalog


def drifted() -> dict[str, str]:
    """Return the checksums of the shipped weights whose recipe does not hold them, by model."""
    found = {path.stem: sha256(path.read_bytes()) for path in catalog.WEIGHTS.iterdir()}
    return {name: sum_ for name, sum_ in found.items() if _recipe(name).get("sha256") != sum_}


def build() -> None:
    """Note the checksum of every file of shipped weights in its recipe."""
    for name, sum_ in drifted().items():
        text = json.dumps({**_recipe(name), "sha256": sum_}, indent=2) + "\n"
        write_atomically(catalog.RECIPES / f"{name}.json", text.encode())


def _recipe(name: str) -> dict[str, Any]:
    return json.loads((catalog.RECIPES / f"{name}.json").read_text(encoding="utf-8"))


def main() -> None:
    """Note the checksums of the shipped weights in their recipes, or check them."""
    parser = argparse.ArgumentParser(prog="python -m modelzoo.zoo.build", description=main.__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    if not parser.parse_args().check:
        build()
    elif names := sorted(drifted()):
        sys.exit(f"{', '.join(names)}: the weights have drifted from their recipes")


if __name__ == "__main__":
    main()
