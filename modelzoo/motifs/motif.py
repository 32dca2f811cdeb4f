"""A motif, and the files that hold motifs: MEME's minimal format, and tables."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from modelzoo.files import write_atomically
from modelzoo.sequences import ALPHABET

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from modelzoo.motifs.jaspar import Match

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


@dataclass(frozen=True, eq=False)
class Motif:
    """A motif as base probabilities.

    Attributes:
        name: One word that tells it from the others of its set, such as `unit-7` or `MA0037.4`.
        matrix: Base probabilities, rows A, C, G, T; columns sum to 1. Shape (4, width).
        sites: How many sites it was made from; 0 where nobody knows.
        title: What a person calls it, such as `GATA3`.
    """

    name: str
    matrix: np.ndarray
    sites: int = 0
    title: str = ""

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.matrix) != 4 or not self.matrix.size:
            raise ValueError(f"matrix: expected shape (4, width), got {self.matrix.shape}")
        if not np.allclose(self.matrix.sum(0), 1, atol=1e-3) or (self.matrix < 0).any():
            raise ValueError(f"matrix: expected columns of probabilities, got {self.matrix}")
        if len(self.name.split()) != 1:
            raise ValueError(f"name: expected one word, got {self.name!r}")

    @property
    def width(self) -> int:
        """The number of positions."""
        return self.matrix.shape[1]

    @property
    def bits(self) -> np.ndarray:
        """The information of each position against a uniform background. Shape (width,)."""
        return 2 + (self.matrix * np.log2(np.maximum(self.matrix, 1e-12))).sum(0)

    @property
    def consensus(self) -> str:
        """The most probable base of each position; lower case where it has less than one bit."""
        letters = [ALPHABET[base] for base in self.matrix.argmax(0)]
        return "".join(
            letter if bits >= 1 else letter.lower() for letter, bits in zip(letters, self.bits)
        )

    def reverse_complement(self) -> Motif:
        """The same motif as read from the other strand."""
        return Motif(self.name, self.matrix[::-1, ::-1], self.sites, self.title)

    @property
    def informative(self) -> np.ndarray:
        """True where a position says a quarter of a bit or more. Shape (width,)."""
        return self.bits >= 0.25

    def trimmed(self) -> Motif:
        """The motif without its flanks that are not informative; as it is if nothing is."""
        kept = np.flatnonzero(self.informative)
        if not len(kept):
            return self
        return Motif(self.name, self.matrix[:, kept[0] : kept[-1] + 1], self.sites, self.title)

    def logo(self, width: float = 6.0) -> Figure:
        """The logo, in bits.

        Args:
            width: Of the figure, in inches.
        """
        import torch

        from shiftsmooth.plot import plot_logos

        heights = torch.from_numpy(np.ascontiguousarray(self.matrix * self.bits))
        return plot_logos(heights, max_letters=self.width, first=1, width=width)


def write_meme(path: str | Path, motifs: Iterable[Motif]) -> None:
    """Writes motifs in MEME's minimal format, which the MEME suite reads; whole or not at all.

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
        # An unknown number of sites is 20, as the format's description has it.
        parts.append(
            f"\nMOTIF {motif.name} {motif.title}".rstrip()
            + f"\nletter-probability matrix: alength= 4 w= {motif.width}"
            f" nsites= {motif.sites or 20} E= 0\n{rows}"
        )
    write_atomically(Path(path), "".join(parts).encode())


def read_meme(path: str | Path) -> list[Motif]:
    """Reads the names and matrices of a MEME file; not the numbers of sites.

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
    """Writes one row a position: name, position from 1, and A, C, G, T as logomaker takes them.

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
    """Writes the matches under the names of the columns of Tomtom's `tomtom.tsv`.

    Args:
        path: A TSV file.
        motifs: The queries.
        matches: Those of each motif, as :func:`modelzoo.motifs.annotate` returns them.
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
    """Writes a TSV file, whole or not at all.

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
