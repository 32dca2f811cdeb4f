"""The motifs of JASPAR, as pyjaspar ships them."""

from __future__ import annotations

import warnings
from functools import cache
from typing import Any

import numpy as np

from modelzoo.motifs.motif import Motif
from modelzoo.sequences import ALPHABET

RELEASE = "JASPAR2026"
GROUP = "vertebrates"


def releases() -> list[str]:
    """Return the releases of JASPAR that there are, the newest first."""
    return list(_database(RELEASE).get_releases())


@cache
def jaspar(release: str = RELEASE, group: str | None = GROUP) -> tuple[Motif, ...]:
    """Return the motifs of JASPAR's CORE collection, the latest version of each.

    A release is read once per process.

    Args:
        release: One of `releases`.
        group: The taxonomic group, such as `"vertebrates"` or `"plants"`; None is all.

    Raises:
        ValueError: There is no such release or group.
    """
    if release not in releases():
        raise ValueError(f"release: expected one of {', '.join(releases())}, got {release!r}")
    groups = None if group is None else [group]
    with warnings.catch_warnings(action="ignore"):  # of none found, which is an error below
        found = _database(release).fetch_motifs(collection="CORE", tax_group=groups)
    if not found:
        raise ValueError(f"group: expected a taxonomic group of {release}, got {group!r}")
    return tuple(sorted(map(_motif, found), key=lambda motif: motif.name))


def jaspar_matrix(matrix: str, release: str = RELEASE) -> Motif:
    """Return one version of one motif of JASPAR.

    Args:
        matrix: Its id and version, such as `"MA0080.5"`.
        release: One of `releases`.

    Raises:
        ValueError: The release holds no such matrix, or the version is missing.
    """
    base, _, version = matrix.partition(".")
    with warnings.catch_warnings(action="ignore"):
        found = _database(release).fetch_motif_by_id(matrix) if base and version else None
    if found is None:
        raise ValueError(
            f"matrix: expected the id and version of a {release} matrix, such as 'MA0080.5', got"
            f" {matrix!r}"
        )
    return _motif(found)


def _motif(found: Any) -> Motif:
    counts = np.array([found.counts[base] for base in ALPHABET], dtype=float)
    sites = round(float(counts.sum(0).max()))
    return Motif(found.matrix_id, counts / counts.sum(0), sites, found.name)


@cache
def _database(release: str) -> Any:
    from pyjaspar import jaspardb

    return jaspardb(release=release)
