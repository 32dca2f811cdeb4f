"""Sequences: letters to tensors, and files to letters.

Encoding is one table look-up over the bytes of a whole batch. Readers are generators: they hold one
record at a time, and what is wrong with a file is said with its name, its line and the cause.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import IO, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

ALPHABET = "ACGT"
AMBIGUOUS = 4  # the code of N and of every other IUPAC letter that names more than one base
SEQ_HEADER = ("FoldID", "EventID", "seq", "Bound")

_INVALID = 255
_CODES = np.full(256, _INVALID, dtype=np.uint8)
for _letters, _code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), ("NRYSWKMBDHV", AMBIGUOUS)):
    for _letter in _letters + _letters.lower():
        _CODES[ord(_letter)] = _code

_LETTERS = bytes(np.flatnonzero(_CODES != _INVALID).tolist())
_COLUMNS = torch.cat([torch.eye(4), torch.full((1, 4), 0.25)])  # code -> its one-hot column


Reject = Callable[[ValueError], None]


def refuse(error: ValueError) -> None:
    """Raise what is wrong with a record: what readers do unless they are told otherwise."""
    raise error


class Record(NamedTuple):
    """One sequence of a file; ``label`` is None where the file gives none."""

    name: str
    sequence: str
    label: int | None = None


def encode(sequences: Sequence[str] | str) -> np.ndarray:
    """Return the (N, L) uint8 codes of ``sequences``: A, C, G, T as 0 to 3, ambiguous ones as 4.

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
    # "replace" turns what is not ASCII into "?", one for one, which is then refused as a letter
    letters = np.frombuffer("".join(sequences).encode("ascii", "replace"), dtype=np.uint8)
    codes = _CODES[letters].reshape(len(sequences), length)
    if (codes == _INVALID).any():
        row, column = (int(i) for i in np.argwhere(codes == _INVALID)[0])
        raise ValueError(
            f"sequences: expected IUPAC nucleotide letters, got {sequences[row][column]!r} at "
            f"position {column} of index {row}"
        )
    return codes


def one_hot(sequences: Sequence[str] | str) -> Tensor:
    """Return ``sequences`` as the (N, 4, L) float32 tensor that the models take.

    Channels are A, C, G, T. N and the other ambiguous IUPAC letters are 0.25 in each channel, lower
    case is as upper case, and U is T.

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


def columns(codes: np.ndarray | Tensor) -> Tensor:
    """Return the (N, 4, L) float32 one-hot tensor of (N, L) codes as made by :func:`encode`."""
    return _COLUMNS[torch.as_tensor(codes).long()].transpose(1, 2).contiguous()


def reverse_complement(x: Tensor) -> Tensor:
    """Return the other strand of one-hot sequences, (..., 4, L) -> (..., 4, L).

    Example:
        >>> from modelzoo.sequences import one_hot, reverse_complement
        >>> reverse_complement(one_hot("AAC")).equal(one_hot("GTT"))
        True
    """
    return x.flip(-2, -1)


def read_seq(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a tab-separated file FoldID, EventID, seq, Bound, gzipped or not.

    A file with a header and no rows yields nothing. EventID ties a shuffle to its peak, so a
    repeated one is an error.

    Args:
        path: The file.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The file is not what it should be; the message names file, line and cause.
    """
    seen: set[str] = set()
    line = 0
    for line, text in _lines(path):
        fields = tuple(text.split("\t"))
        if line == 1:
            if fields != SEQ_HEADER:
                raise _error(path, 1, f"expected the header {SEQ_HEADER}, got {fields}")
            continue
        if not text:
            continue
        if len(fields) != len(SEQ_HEADER):
            cause = f"expected {len(SEQ_HEADER)} columns, got {len(fields)}"
            reject(_error(path, line, cause))
            continue
        _, name, sequence, bound = fields
        if bound not in ("0", "1"):
            reject(_error(path, line, f"expected Bound to be 0 or 1, got {bound!r} for {name!r}"))
            continue
        if name in seen:
            reject(_error(path, line, f"expected every EventID once, got {name!r} again"))
            continue
        seen.add(name)
        yield from _checked(Record(name, sequence, int(bound)), path, line, reject)
    if line == 0:
        raise _error(path, 1, f"expected the header {SEQ_HEADER}, got an empty file")


def read_fasta(path: str | Path, *, reject: Reject = refuse) -> Iterator[Record]:
    """Yield the records of a FASTA file, gzipped or not; a record is named by its first word.

    An empty file yields nothing. Repeated names are kept, in the file's order: tools that cut
    windows from a genome write them.

    Args:
        path: The file; ``-`` is the standard input.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The file is not what it should be; the message names file, line and cause.
    """
    name, start, parts = None, 0, list[str]()
    for line, text in _lines(path):
        if text.startswith(">"):
            if name is not None:
                yield from _checked(Record(name, "".join(parts)), path, start, reject)
            words = text[1:].split(maxsplit=1)
            if not words:
                raise _error(path, line, "expected a name after '>', got none")
            name, start, parts = words[0], line, []
        elif text.strip():
            if name is None:
                raise _error(path, line, f"expected a record to begin with '>', got {text[:20]!r}")
            parts.append(text.strip())
    if name is not None:
        yield from _checked(Record(name, "".join(parts)), path, start, reject)


def read_bed(
    path: str | Path, genome: str | Path, *, width: int | None = None, reject: Reject = refuse
) -> Iterator[Record]:
    """Yield the sequences of a BED file's intervals, reverse complemented on the minus strand.

    Records take the BED name, or ``chrom:start-end`` where there is none; repeated ones are kept.

    Args:
        path: BED file with at least chrom, start, end (0-based, half open), gzipped or not.
        genome: FASTA file of the genome; its index is written beside it on first use.
        width: Length to cut every interval or extend it to, about its middle. What then lies
            beyond a chromosome's ends reads as N. None keeps the intervals as they are.
        reject: Called with what is wrong with an interval, which is left out if it returns.

    Raises:
        ValueError: An interval is malformed or not in the genome; the message names file, line
            and cause.
    """
    from pyfaidx import Fasta

    if width is not None and width < 1:
        raise ValueError(f"width: expected at least 1, got {width}")
    if not Path(genome).is_file():
        raise FileNotFoundError(f"genome: no such file: {genome}")
    with Fasta(str(genome)) as chromosomes:
        for line, text in _lines(path):
            if not text.strip() or text.startswith(("#", "track", "browser")):
                continue
            fields = text.split("\t")
            if len(fields) < 3:
                cause = f"expected chrom, start, end, got {len(fields)} column(s)"
                reject(_error(path, line, cause))
                continue
            chrom, *rest = fields
            try:
                start, end = int(rest[0]), int(rest[1])
            except ValueError:
                reject(_error(path, line, f"expected integers, got {rest[0]!r}, {rest[1]!r}"))
                continue
            if chrom not in chromosomes:
                reject(_error(path, line, f"no chromosome {chrom!r} in {genome}"))
                continue
            size = len(chromosomes[chrom])
            if not 0 <= start < end <= size:
                cause = f"expected 0 <= start < end <= {size}, got {start}, {end}"
                reject(_error(path, line, cause))
                continue
            if width is not None:
                start = (start + end) // 2 - width // 2
                end = start + width
            sequence = str(chromosomes[chrom][max(start, 0) : min(end, size)])
            sequence = "N" * -min(start, 0) + sequence + "N" * max(end - size, 0)
            if len(rest) > 4 and rest[4] == "-":
                sequence = sequence.translate(_COMPLEMENT)[::-1]
            named = len(rest) > 2 and rest[2] not in ("", ".")
            name = rest[2] if named else f"{chrom}:{start}-{end}"
            yield from _checked(Record(name, sequence), path, line, reject)


def read_sequences(
    path: str | Path, genome: str | Path | None = None, *, reject: Reject = refuse
) -> Iterator[Record]:
    """Yield the records of a file, read as its name says.

    Args:
        path: ``.seq``, ``.fa``, ``.fasta``, ``.fna`` or ``.bed``, each also with ``.gz``; ``-`` is
            FASTA from the standard input.
        genome: FASTA file of the genome, for BED files.
        reject: Called with what is wrong with a record, which is left out if it returns.

    Raises:
        ValueError: The name says no known format, a BED file comes without a genome, or the
            content is not what it should be.
    """
    suffix = Path(path).name.lower().removesuffix(".gz").rpartition(".")[2]
    if suffix == "seq":
        return read_seq(path, reject=reject)
    if suffix in ("-", "fa", "fasta", "fna"):
        return read_fasta(path, reject=reject)
    if suffix in ("bed", "narrowpeak"):
        if genome is None:
            raise ValueError(f"genome: expected a FASTA file, for {path} holds intervals; got None")
        return read_bed(path, genome, reject=reject)
    raise ValueError(
        f"path: expected .seq, .fa, .fasta, .fna, .bed or .narrowPeak, with or without .gz, "
        f"got {path}"
    )


def batched(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Yield lists of up to ``size`` consecutive records of one length, as :func:`one_hot` needs."""
    if size < 1:
        raise ValueError(f"size: expected at least 1, got {size}")
    batch: list[Record] = []
    for record in records:
        if batch and (len(batch) == size or len(record.sequence) != len(batch[0].sequence)):
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


_COMPLEMENT = str.maketrans("ACGTURYSWKMBDHVNacgturyswkmbdhvn", "TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn")


def _error(path: str | Path, line: int, cause: str) -> ValueError:
    return ValueError(f"{path}, line {line}: {cause}")


def _checked(record: Record, path: str | Path, line: int, reject: Reject) -> Iterator[Record]:
    """Yield ``record`` if it can be encoded; else reject it, saying where it came from."""
    if not record.sequence:
        reject(_error(path, line, f"expected a sequence for {record.name!r}, got none"))
        return
    letters = record.sequence.encode("ascii", "replace")
    if wrong := letters.translate(None, _LETTERS):
        position = letters.index(wrong[:1])
        cause = f"got {record.sequence[position]!r} at position {position} of {record.name!r}"
        reject(_error(path, line, f"expected IUPAC nucleotide letters, {cause}"))
        return
    yield record


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, text without its end) of a plain or gzipped text file."""
    line = 0
    with _open(path) as file:
        try:
            for line, raw in enumerate(file, start=1):
                yield line, raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise _error(path, line, "expected UTF-8 text") from None
        except EOFError:
            raise _error(path, line + 1, "the gzip file is truncated") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise _error(path, line + 1, f"the gzip file is damaged ({error})") from None


@contextmanager
def _open(path: str | Path) -> Iterator[IO[bytes]]:
    # by content, not by name: a browser may have unpacked a .gz, or a tool packed a plain name
    standard_input = nullcontext(cast(BufferedReader, sys.stdin.buffer))
    with standard_input if str(path) == "-" else open(path, "rb") as file:
        packed = file.peek(2)[:2] == b"\x1f\x8b"
        if packed:
            with gzip.open(file) as unpacked:
                yield cast(IO[bytes], unpacked)
        else:
            yield file
