"""A VCF file with more in its INFO column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modelzoo.files import replacing
from modelzoo.sequences.vcf import vcf_lines


class Field(NamedTuple):
    """A field of the INFO column.

    Attributes:
        name: Its ID.
        kind: `Float`, `Integer` or `String`; one value per alternative allele.
        description: For readers.
    """

    name: str
    kind: str
    description: str


def annotate_vcf(
    source: str | Path,
    path: Path,
    fields: Sequence[Field],
    values: Iterator[Mapping[str, Sequence[str]]],
    sizes: Mapping[str, int | None],
) -> None:
    """Write a copy of a VCF file, bgzipped, with fields of its INFO column added.

    Everything else stays as it is, letter by letter. Where the file has fields of these names,
    they are replaced. Chromosomes that its header does not name are added there.

    Args:
        source: The file, as `modelzoo.sequences.read_vcf` takes it.
        path: The file to write, `.vcf.gz`.
        fields: What is added.
        values: For each variant of the file the fields that it has, a text per allele.
        sizes: The chromosomes of the variants and their lengths, None where unknown.
    """
    from pysam import BGZFile

    known = {field.name for field in fields}
    named: set[str] = set()
    with replacing(path) as part, BGZFile(str(part), "wb", None) as file:
        for _, text in vcf_lines(source):
            if text.startswith("##"):
                kind, _, rest = text[2:].partition("=<ID=")
                name = rest.partition(",")[0].removesuffix(">")
                named |= {name} if kind == "contig" else set()
                if kind == "INFO" and name in known:
                    continue
            elif text.startswith("#"):
                for chrom, size in sizes.items():
                    if chrom not in named:
                        length = "" if size is None else f",length={size}"
                        file.write(f"##contig=<ID={chrom}{length}>\n".encode())
                for field in fields:
                    file.write(f"##INFO={_described(field)}\n".encode())
            else:
                text = _with_info(text, known, next(values))
            file.write(f"{text}\n".encode())


def _described(field: Field) -> str:
    return f'<ID={field.name},Number=A,Type={field.kind},Description="{field.description}">'


def _with_info(text: str, known: set[str], values: Mapping[str, Sequence[str]]) -> str:
    columns = text.split("\t")
    there = (entry for entry in columns[7].split(";") if entry not in ("", "."))
    kept = [entry for entry in there if entry.partition("=")[0] not in known]
    added = [f"{name}={','.join(texts)}" for name, texts in values.items() if texts]
    columns[7] = ";".join([*kept, *added]) or "."
    return "\t".join(columns)
