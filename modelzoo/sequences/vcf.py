"""Variants of a VCF file: plain, gzipped or bgzipped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from modelzoo.sequences.text import at, lines

COLUMNS = ("CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_ALLELE = re.compile("[ACGTNacgtn]+")


class Variant(NamedTuple):
    """One line of a VCF file.

    Attributes:
        chrom: The chromosome.
        start: Where REF begins on the chromosome, counted from 0; the file counts from 1.
        name: The ID; `.` where there is none.
        ref: The letters of REF.
        alts: The alternative alleles, as the file writes them; none for `.`.
    """

    chrom: str
    start: int
    name: str
    ref: str
    alts: tuple[str, ...]

    def label(self, alt: str) -> str:
        """Return `chrom:pos:ref>alt`, by which messages and tables know an allele."""
        return f"{self.chrom}:{self.start + 1}:{self.ref}>{alt}"


def read_vcf(path: str | Path) -> Iterator[Variant]:
    """Yield the variants of a file, in its order.

    Args:
        path: VCF, also gzipped or bgzipped; BCF is not read.

    Raises:
        ValueError: The file is malformed; the message names file, line and cause.
    """
    for number, text in vcf_lines(path):
        if not text.startswith("#"):
            yield _variant(path, number, text)


def vcf_lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (number from 1, text) of the lines of a VCF file: of its header, then of its variants.

    Args:
        path: See `read_vcf`.

    Raises:
        ValueError: The file has no header of a VCF.
    """
    with_columns = False
    for number, text in lines(path):
        if number == 1 and not text.startswith("##fileformat=VCF"):
            raise at(path, 1, f"expected a VCF file with ##fileformat=VCF, got {text[:40]!r}")
        if text.startswith("#CHROM"):
            if tuple(text[1:].split("\t")[:8]) != COLUMNS:
                raise at(path, number, f"expected the columns {', '.join(COLUMNS)}, got {text!r}")
            with_columns = True
        elif text and not text.startswith("#") and not with_columns:
            raise at(path, number, "expected the line of columns, #CHROM, before variants")
        if text:
            yield number, text
    if not with_columns:
        raise ValueError(f"{path}: expected a VCF file with a line of columns, #CHROM, got none")


def letters(allele: str) -> bool:
    """Return whether an allele is written out in letters: not `<DEL>`, `*`, or a breakend."""
    return _ALLELE.fullmatch(allele) is not None


def _variant(path: str | Path, number: int, text: str) -> Variant:
    fields = text.split("\t")
    if len(fields) < len(COLUMNS):
        raise at(path, number, f"expected {len(COLUMNS)} columns at least, got {len(fields)}")
    chrom, position, name, ref, alt = fields[:5]
    if not (position.isdecimal() and position.isascii()):
        raise at(path, number, f"expected a position, got {position!r}")
    if not letters(ref):
        raise at(path, number, f"expected REF in the letters A, C, G, T, N, got {ref!r}")
    alts = () if alt == "." else tuple(alt.split(","))
    if not all(alts):
        raise at(path, number, f"expected alleles between commas in ALT, got {alt!r}")
    return Variant(chrom, int(position) - 1, name, ref, alts)
