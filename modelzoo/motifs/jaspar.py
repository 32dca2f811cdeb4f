"""The motifs of JASPAR, as pyjaspar ships them."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np

from modelzoo.motifs.motif import Motif
from modelzoo.sequences import ALPHABET

RELEASE = "JASPAR2026"
GROUP = "vertebrates"


def releases() -> list[str]:
    """The releases of JASPAR that there are, the newest first."""
    return list(_database(RELEASE).get_releases())


@cache
def jaspar(release: str = RELEASE, group: str | None = GROUP) -> tuple[Motif, ...]:
    """The motifs of JASPAR's CORE collection, the latest version of each; read once a process.

    Args:
        release: One of :func:`releases`.
        group: The taxonomic group, such as `"vertebrates"` or `"plants"`; None is all.

    Raises:
        ValueError: There is no such release or group.
    """
    if release not in releases():
        raise ValueError(f"release: expected one of {', '.join(releases())}, got {release!r}")
    groups = None if group is None else [group]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = _database(release).fetch_motifs(collection="CORE", tax_group=groups)
    if not found:
        raise ValueError(f"group: expected a taxonomic group of {release}, got {group!r}")
    motifs = []
    for motif in sorted(found, key=lambda motif: motif.matrix_id):
        counts = np.array([motif.counts[base] for base in ALPHABET], dtype=float)
        sites = round(float(counts.sum(0).max()))
        motifs.append(Motif(motif.matrix_id, counts / counts.sum(0), sites, motif.name))
    return tuple(motifs)


@cache
def _database(release: str):  # type: ignore[no-untyped-def]
    from pyjaspar import jaspardb

    return jaspardb(release=release)
