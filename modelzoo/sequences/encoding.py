"""Letters, codes and one-hot columns of sequences, and their reverse complements.

A sequence is text, or codes (A, C, G, T as 0 to 3, every ambiguous letter as 4), or one-hot
columns (4, L). Encoding is one table look-up over the bytes of a whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

ALPHABET = "ACGT"
AMBIGUOUS = 4  # the code of N and of every other IUPAC letter that names more than one base
IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT",
    "K": "GT", "M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT",
}  # fmt: skip

_INVALID = 255
_CODES = np.full(256, _INVALID, dtype=np.uint8)
for _letter, _bases in IUPAC.items():
    _code = ALPHABET.index(_bases) if len(_bases) == 1 else AMBIGUOUS
    _CODES[[ord(_letter), ord(_letter.lower())]] = _code

LETTERS = bytes(np.flatnonzero(_CODES != _INVALID).tolist())  # all that `encode` takes
_COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")
_CODE_COMPLEMENT = _CODES[list((ALPHABET + "N").translate(_COMPLEMENT).encode())]


def encode(sequences: Sequence[str] | str) -> np.ndarray:
    """Return the (N, L) uint8 codes of `sequences`: A, C, G, T as 0 to 3, ambiguous letters as 4.

    Args:
        sequences: Strings of one length, upper or lower case; U reads as T. One string is a batch
            of one.

    Raises:
        ValueError: The lengths differ, or a letter is not a IUPAC nucleotide code.
    """
    if isinstance(sequences, str):
        sequences = [sequences]
    if len(sequences) == 0:
        return np.empty((0, 0), dtype=np.uint8)
    length = len(sequences[0])
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise TypeError(
                f"sequences: expected strings, got {type(sequence).__name__} at index {index}"
            )
        if len(sequence) != length:
            raise ValueError(
                f"sequences: expected one length, got {length} at index 0 and {len(sequence)} at "
                f"index {index}"
            )
    # "replace" turns each letter that is not ASCII into "?", which is then refused as a letter.
    letters = np.frombuffer("".join(sequences).encode("ascii", "replace"), dtype=np.uint8)
    codes = _CODES[letters].reshape(len(sequences), length)
    if (codes == _INVALID).any():
        row, column = (int(i) for i in np.argwhere(codes == _INVALID)[0])
        raise ValueError(
            f"sequences: expected IUPAC nucleotide letters, got {sequences[row][column]!r} at "
            f"position {column} of index {row}"
        )
    return codes


def decode(codes: np.ndarray) -> list[str]:
    """Return the letters of (N, L) codes; the code of ambiguous letters gives N."""
    letters = np.frombuffer((ALPHABET + "N").encode(), dtype=np.uint8)[codes]
    return [row.tobytes().decode() for row in letters]


def one_hot(sequences: Sequence[str] | str) -> Tensor:
    """Return `sequences` as the (N, 4, L) float32 tensor that the models take.

    Channels are A, C, G, T. N and the other ambiguous IUPAC letters are 0.25 in each channel. Lower
    case reads as upper case, and U as T.

    Args:
        sequences: Strings of one length. One string is a batch of one.

    Raises:
        ValueError: The lengths differ, or a letter is not a IUPAC nucleotide code.

    Example:
        >>> import modelzoo
        >>> modelzoo.one_hot("ACN")
        tensor([[[1.0000, 0.0000, 0.2500],
                 [0.0000, 1.0000, 0.2500],
                 [0.0000, 0.0000, 0.2500],
                 [0.0000, 0.0000, 0.2500]]])
    """
    return columns(encode(sequences))


def columns(codes: np.ndarray | Tensor, *, ambiguous: float = 0.25) -> Tensor:
    """Return the (N, 4, L) float32 one-hot tensor of (N, L) codes as made by `encode`.

    Args:
        codes: (N, L).
        ambiguous: The value of an ambiguous letter in each channel. The models take 0.25; tools
            that count or scan letters take 0.
    """
    table = torch.cat([torch.eye(4), torch.full((1, 4), ambiguous)])
    return table[torch.as_tensor(codes).long()].transpose(1, 2).contiguous()


def from_columns(x: Tensor | np.ndarray) -> np.ndarray:
    """Return the (N, L) uint8 codes of one-hot sequences (N, 4, L), the inverse of `columns`.

    A column without a 1 is ambiguous, whatever it holds.
    """
    highest, codes = torch.as_tensor(x).max(dim=1)
    return codes.where(highest == 1, AMBIGUOUS).to(torch.uint8).numpy()


def reverse_complement(x: Tensor) -> Tensor:
    """Return the other strand of one-hot sequences, (..., 4, L) -> (..., 4, L).

    Example:
        >>> from modelzoo.sequences import one_hot, reverse_complement
        >>> reverse_complement(one_hot("AAC")).equal(one_hot("GTT"))
        True
    """
    return x.flip(-2, -1)


def reverse_complement_codes(codes: np.ndarray) -> np.ndarray:
    """Return the other strand of codes, (..., L) -> (..., L)."""
    return _CODE_COMPLEMENT[codes[..., ::-1]]


def reverse_complement_letters(sequence: str) -> str:
    """Return the other strand of a sequence; every IUPAC letter keeps its case."""
    return sequence.translate(_COMPLEMENT)[::-1]
