"""The TOML configuration of a simulation: what it may hold, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelzoo.datasets.planted.arrangement import Arrangement
from modelzoo.motifs import Motif, jaspar_matrix
from modelzoo.sequences import ALPHABET, IUPAC

JASPAR_RELEASE = "JASPAR2020"


def parse(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a `Simulation`, without its name, from a parsed configuration.

    Raises:
        ValueError: An entry is wrong; the message names its key.
    """
    known = ("length", "region", "threshold", "score", "trim", "gc")
    _only_keys("the configuration", table, {*known, "motifs", "positives", "negatives"})
    length = _number(table, "length", 500, 1, 10**6, int)
    region = _number(table, "region", min(100, length), 1, length, int)
    score = table.get("score", "log-odds")
    if score not in ("log-odds", "mean-probability"):
        raise ValueError(f"score: expected 'log-odds' or 'mean-probability', got {score!r}")
    trim = _number(table, "trim", 0.5, 0, 2)
    entries = table.get("motifs")
    if not isinstance(entries, Mapping) or not entries:
        raise ValueError(f"motifs: expected at least one [motifs.NAME] table, got {entries!r}")
    motifs = tuple(_motif(key, entry, trim) for key, entry in entries.items())
    return {
        "motifs": motifs,
        "positives": _arrangements(table, "positives", motifs, region),
        "negatives": _arrangements(table, "negatives", motifs, region),
        "length": length,
        "region": region,
        "threshold": _number(table, "threshold", 0.9, 0, 1),
        "score": score,
        "gc": _number(table, "gc", 0.5, 0, 1),
    }


def _motif(name: str, entry: Any, trim: float) -> Motif:
    where = f"motifs.{name}"
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected a table, got {entry!r}")
    _only_keys(where, entry, {"matrix", "consensus", "pfm", "columns"})
    given = [key for key in ("matrix", "consensus", "pfm") if key in entry]
    if len(given) != 1:
        raise ValueError(
            f"{where}: expected one of matrix, consensus and pfm, got {given or 'none'}"
        )
    kind, value = given[0], entry[given[0]]
    try:
        motif = Motif(name, _MATRICES[kind](value), title=name)
        columns = _columns(motif, entry.get("columns"), trim if kind == "matrix" else 0)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from None
    return Motif(name, motif.matrix[:, columns], title=name)


def _columns(motif: Motif, given: Any, trim: float) -> slice:
    """Return the columns to keep: as given, or without the flanks of less information."""
    if given is None:
        kept = np.flatnonzero(motif.bits >= trim)
        if not len(kept):
            raise ValueError(f"columns: expected one with {trim} bits of information, got none")
        return slice(int(kept[0]), int(kept[-1]) + 1)
    pair = isinstance(given, list) and len(given) == 2 and all(type(c) is int for c in given)
    if not pair or not 0 <= given[0] < given[1] <= motif.width:
        raise ValueError(
            f"columns: expected [start, stop] with 0 <= start < stop <= {motif.width}, got"
            f" {given!r}"
        )
    return slice(*given)


def _from_jaspar(matrix: Any) -> np.ndarray:
    return jaspar_matrix(str(matrix), JASPAR_RELEASE).matrix


def _from_consensus(consensus: Any) -> np.ndarray:
    if not isinstance(consensus, str) or not consensus or set(consensus.upper()) - set(IUPAC):
        raise ValueError(f"consensus: expected IUPAC bases, got {consensus!r}")
    allowed = [[base in IUPAC[letter] for letter in consensus.upper()] for base in ALPHABET]
    return np.array(allowed) / np.sum(allowed, axis=0)


def _from_pfm(rows: Any) -> np.ndarray:
    try:
        counts = np.array(rows, dtype=float)
    except (TypeError, ValueError):
        counts = np.empty(0)
    shaped = counts.ndim == 2 and counts.shape[0] == 4 and counts.shape[1] > 0
    sound = np.isfinite(counts).all() and (counts >= 0).all()
    if not (shaped and sound and counts.sum(0).all()):
        raise ValueError(
            "pfm: expected four rows (A, C, G, T) of equally many numbers >= 0, none of the columns"
            f" all zero, got {rows!r}"
        )
    return counts / counts.sum(axis=0)


_MATRICES = {"matrix": _from_jaspar, "consensus": _from_consensus, "pfm": _from_pfm}


def _arrangements(
    table: Mapping[str, Any], key: str, motifs: Sequence[Motif], region: int
) -> tuple[Arrangement, ...]:
    entries = table.get(key)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f"{key}: expected at least one [[{key}]] table, got {entries!r}")
    arrangements = tuple(
        _arrangement(f"{key}[{index}]", entry, motifs, region)
        for index, entry in enumerate(entries)
    )
    total = sum(arrangement.share for arrangement in arrangements)
    if abs(total - 1) > 1e-6:
        raise ValueError(f"{key}: expected shares that sum to 1, got {total:g}")
    return arrangements


def _arrangement(where: str, entry: Any, motifs: Sequence[Motif], region: int) -> Arrangement:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: expected a table, got {entry!r}")
    _only_keys(where, entry, {"share", "motifs", "spacing", "rigid"})
    share = _number(entry, "share", None, 0, 1, prefix=f"{where}.")
    names = [motif.name for motif in motifs]
    chosen = entry.get("motifs")
    if not isinstance(chosen, list) or any(name not in names for name in chosen):
        raise ValueError(f"{where}.motifs: expected a list of names among {names}, got {chosen!r}")
    rigid = entry.get("rigid", True)
    if not isinstance(rigid, bool):
        raise ValueError(f"{where}.rigid: expected true or false, got {rigid!r}")
    spacings = _spacings(f"{where}.spacing", entry.get("spacing"), len(chosen))
    indices = tuple(names.index(name) for name in chosen)
    span = sum(motifs[i].width for i in indices) + max(spacings, default=0) * (len(chosen) - 1)
    if span > region:
        raise ValueError(
            f"{where}: expected no more than region = {region} bp, got motifs that take up to"
            f" {span} bp with their spacing"
        )
    return Arrangement(share, indices, spacings, rigid)


def _spacings(where: str, value: Any, motifs: int) -> tuple[int, ...]:
    if motifs < 2:
        if value is not None:
            raise ValueError(f"{where}: expected none for fewer than two motifs, got {value!r}")
        return ()
    if isinstance(value, Mapping) and set(value) == {"min", "max"}:
        low, high = value["min"], value["max"]
        spacings = list(range(low, high + 1)) if type(low) is type(high) is int else []
    else:
        spacings = value if isinstance(value, list) else []
    if not spacings or any(type(s) is not int or s < 0 for s in spacings):
        raise ValueError(
            f"{where}: expected numbers of bases such as [7, 8, 9] or {{ min = 30, max = 60 }},"
            f" got {value!r}"
        )
    return tuple(spacings)


def _only_keys(where: str, table: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{where}: expected keys among {sorted(known)}, got {unknown[0]!r}")


def _number(
    table: Mapping[str, Any],
    key: str,
    default: float | None,
    low: float,
    high: float,
    kind: type = float,
    *,
    prefix: str = "",
) -> Any:
    value = table.get(key, default)
    number = isinstance(value, int if kind is int else (int, float)) and not isinstance(value, bool)
    if not number or not low <= value <= high:
        wanted = "a whole number" if kind is int else "a number"
        raise ValueError(f"{prefix}{key}: expected {wanted} from {low} to {high}, got {value!r}")
    return kind(value)
