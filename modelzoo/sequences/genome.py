"""Genomes in FASTA, plain or bgzipped, and in 2bit: the letters of an interval."""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from modelzoo.sequences.encoding import reverse_complement_letters
from modelzoo.sequences.intervals import Interval

_TWO_BIT = (b"\x43\x27\x41\x1a", b"\x1a\x41\x27\x43")  # the first bytes, in either byte order
_GZIP = b"\x1f\x8b"


class Genome:
    """The chromosomes of a file. Close it, or use it in a `with` statement, or drop it.

    The index of a FASTA file is kept in the user's cache folder, under the file's identity (path,
    size, inode, times): a folder of genomes may be read-only, and the index of a file that was
    replaced is never used. An index that lies beside the file is not looked at.

    Args:
        path: FASTA, plain or bgzipped, or 2bit.

    Attributes:
        path: The file.
        sizes: The length of each chromosome, in the file's order.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no genome.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"genome: no such file: {path}")
        self._stack = ExitStack()
        weakref.finalize(self, self._stack.close)
        self.sizes: dict[str, int]
        self._letters: Callable[[str, int, int], str]
        with open(self.path, "rb") as file:
            two_bit = file.read(4) in _TWO_BIT
        if two_bit:
            self._open_two_bit()
        else:
            self._open_fasta()

    def __enter__(self) -> Genome:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stack.close()

    def sequence(self, interval: Interval) -> str:
        """Return the letters of an interval on its strand; beyond the chromosome they are N.

        Raises:
            ValueError: The genome has no such chromosome.
            LookupError: The genome has it under the name with `chr`, or without.
        """
        size = self.size(interval.chrom)
        start, end = min(max(interval.start, 0), size), max(min(interval.end, size), 0)
        letters = self._letters(interval.chrom, start, end) if start < end else ""
        letters = "N" * min(max(-interval.start, 0), interval.width) + letters
        letters = letters.ljust(interval.width, "N")
        return reverse_complement_letters(letters) if interval.strand == "-" else letters

    def size(self, chrom: str) -> int:
        """Return the length of a chromosome; raises as `sequence` does."""
        if chrom in self.sizes:
            return self.sizes[chrom]
        other = chrom.removeprefix("chr") if chrom.startswith("chr") else f"chr{chrom}"
        if other in self.sizes:
            # One line will do for a whole file, so this is not one of the errors of a record.
            raise LookupError(
                f"chromosomes: expected the names of {self.path}, got {chrom!r} for its"
                f" {other!r}; rename the chromosomes in one of the two files"
            )
        raise ValueError(f"no chromosome {chrom!r} in {self.path}")

    def _open_two_bit(self) -> None:
        import py2bit

        try:
            file = py2bit.open(str(self.path))
        except RuntimeError as error:
            raise ValueError(f"genome: expected a 2bit file, got {self.path}: {error}") from error
        self._stack.callback(file.close)
        self.sizes = dict(file.chroms())
        self._letters = file.sequence

    def _open_fasta(self) -> None:
        from pyfaidx import Fasta, FastaIndexingError, UnsupportedCompressionFormat

        # A RuntimeError comes of two blank lines behind a sequence.
        refused = (FastaIndexingError, UnsupportedCompressionFormat, RuntimeError, ValueError)
        try:
            names = _index(self.path, self._stack)
            fasta = Fasta(str(self.path), **names, rebuild=False, build_index=False, as_raw=True)
        except refused as error:
            cause = " ".join(str(error).split())
            raise ValueError(f"genome: expected FASTA or 2bit, got {self.path}: {cause}") from error
        self._stack.callback(fasta.close)
        self.sizes = {chrom: len(fasta[chrom]) for chrom in fasta.keys()}  # noqa: SIM118
        self._letters = lambda chrom, start, end: fasta[chrom][start:end]


def _index(path: Path, stack: ExitStack) -> dict[str, str]:
    """Return where the index of exactly this file lies, built if there is none yet."""
    import pooch
    from pyfaidx import Faidx

    stat = path.stat()
    identity = (path.resolve(), stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns)
    key = hashlib.sha256(repr(identity).encode()).hexdigest()[:32]
    folder = Path(pooch.os_cache("shiftsmooth")) / "genomes"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        building = stack.enter_context(tempfile.TemporaryDirectory(dir=folder))
    except OSError:  # no cache folder to write to: the index is for this run
        building = stack.enter_context(tempfile.TemporaryDirectory())
        folder = Path(building)
    index, blocks = folder / f"{key}.fai", folder / f"{key}.gzi"
    if not index.is_file():
        new = Path(building) / "new.fai", Path(building) / "new.gzi"
        Faidx(str(path), indexname=str(new[0]), gzi_indexname=str(new[1])).close()
        if new[1].is_file():
            os.replace(new[1], blocks)
        os.replace(new[0], index)  # last: where it is, both are
    return {"indexname": str(index), "gzi_indexname": str(blocks)}
