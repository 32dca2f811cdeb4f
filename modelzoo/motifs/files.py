"""Files of motifs: MEME's minimal format, and tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from pathlib import Path

from modelzoo.files import write_atomically
from modelzoo.motifs.motif import Motif
from modelzoo.motifs.tomtom import Match
from modelzoo.sequences import ALPHABET

MATCH_COLUMNS = (
    "Query_ID",
    "Target_ID",
    "Target_name",
    "Optimal_offset",
    "p-value",
    "q-value",
    "Overlap",
    "Query_consensus",
    "Target_consensus",
    "Orientation",
)


def write_meme(path: str | Path, motifs: Iterable[Motif]) -> None:
    """Write motifs in MEME's minimal format, whole or not at all.

    Args:
        path: The file.
        motifs: With names that differ, in their order.
    """
    parts = [
        "MEME version 4\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
        "Background letter frequencies\nA 0.25 C 0.25 G 0.25 T 0.25\n"
    ]
    for motif in motifs:
        rows = "".join(" ".join(f"{p:.6f}" for p in column) + "\n" for column in motif.matrix.T)
        # The description of the format sets an unknown number of sites to 20.
        parts.append(
            f"\nMOTIF {motif.name} {motif.title}".rstrip()
            + f"\nletter-probability matrix: alength= 4 w= {motif.width}"
            f" nsites= {motif.sites or 20} E= 0\n{rows}"
        )
    write_atomically(Path(path), "".join(parts).encode())


def read_meme(path: str | Path) -> list[Motif]:
    """Return the motifs of a MEME file, without their numbers of sites.

    Args:
        path: The file.

    Raises:
        ValueError: There is no motif in it, or it is damaged.
    """
    from memelite.io import read_meme as read

    try:
        found = {name: matrix / matrix.sum(0) for name, matrix in read(str(path)).items()}
    except (ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: expected MEME's minimal format ({error})") from error
    if not found:
        raise ValueError(f"{path}: expected at least one motif in MEME's minimal format, got none")
    split = ((name.partition(" "), matrix) for name, matrix in found.items())
    return [Motif(name, matrix, title=title) for (name, _, title), matrix in split]


def write_matrices(path: str | Path, motifs: Iterable[Motif]) -> None:
    """Write one row per position: name, position from 1, and the probabilities of A, C, G, T.

    Args:
        path: A TSV file.
        motifs: In their order.
    """
    rows = (
        [motif.name, position, *(f"{p:.6f}" for p in column)]
        for motif in motifs
        for position, column in enumerate(motif.matrix.T, start=1)
    )
    write_table(path, ["name", "position", *ALPHABET], rows)


def write_matches(
    path: str | Path, motifs: Sequence[Motif], matches: Sequence[Sequence[Match]]
) -> None:
    """Write matches, with the column names of Tomtom's `tomtom.tsv`.

    Args:
        path: A TSV file.
        motifs: The queries.
        matches: The matches of each motif, as `annotate` returns them.
    """
    rows = (
        [
            motif.name,
            match.target.name,
            match.target.title,
            match.offset,
            f"{match.p_value:.3g}",
            f"{match.q_value:.3g}",
            match.overlap,
            motif.consensus,
            match.oriented.consensus,
            match.orientation,
        ]
        for motif, found in zip(motifs, matches, strict=True)
        for match in found
    )
    write_table(path, MATCH_COLUMNS, rows)


def write_table(path: str | Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a TSV file, whole or not at all.

    Args:
        path: The file.
        header: The names of the columns.
        rows: As many values each.
    """
    text = StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(Path(path), text.getvalue().encode())
