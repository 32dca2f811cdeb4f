"""A motif: base probabilities, position by position."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from modelzoo.sequences import ALPHABET


@dataclass(frozen=True, eq=False)
class Motif:
    """A motif as base probabilities.

    Attributes:
        name: One word that tells it from the others of its set, such as `unit-7` or `MA0037.4`.
        matrix: Base probabilities, (4, width), rows A, C, G, T; columns sum to 1.
        sites: How many sites it was made from; 0 where that is unknown.
        title: A name for people, such as `GATA3`.
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
        """The information of each position against a uniform background, (width,)."""
        return 2 + (self.matrix * np.log2(np.maximum(self.matrix, 1e-12))).sum(0)

    @property
    def consensus(self) -> str:
        """The most probable base of each position; lower case where it has less than one bit."""
        letters = [ALPHABET[base] for base in self.matrix.argmax(0)]
        return "".join(
            letter if bits >= 1 else letter.lower() for letter, bits in zip(letters, self.bits)
        )

    def reverse_complement(self) -> Motif:
        """Return the same motif as read from the other strand."""
        return replace(self, matrix=self.matrix[::-1, ::-1])

    @property
    def informative(self) -> np.ndarray:
        """True where a position holds a quarter of a bit or more, (width,)."""
        return self.bits >= 0.25

    def trimmed(self) -> Motif:
        """Return the motif without uninformative flanks, or unchanged if all of it is flat."""
        kept = np.flatnonzero(self.informative)
        if not len(kept):
            return self
        return replace(self, matrix=self.matrix[:, kept[0] : kept[-1] + 1])
