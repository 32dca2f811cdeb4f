"""Variants of VCF files, line by line."""

import gzip

import pysam
import pytest

from modelzoo.sequences import Variant, read_vcf

HEAD = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LINE = "chr1\t{pos}\t.\t{ref}\t{alt}\t.\t.\t.\n"


def test_a_line_is_a_variant_with_its_alleles(write):
    path = write("a.vcf", HEAD + "chr1\t10\trs1\tA\tC,<DEL>,*\t.\tPASS\tAF=0.1,0.2,0.3\tGT\t0/1\n")
    assert list(read_vcf(path)) == [Variant("chr1", 9, "rs1", "A", ("C", "<DEL>", "*"))]


def test_a_line_without_alternative_alleles_is_kept(write):
    assert [
        v.alts for v in read_vcf(write("a.vcf", HEAD + LINE.format(pos=3, ref="N", alt=".")))
    ] == [()]


def test_bgzipped_files_are_read(tmp_path):
    plain, packed = tmp_path / "a.vcf", tmp_path / "a.vcf.gz"
    lines = "".join(LINE.format(pos=pos, ref="A", alt="C") for pos in range(1, 9000))
    plain.write_text(HEAD + lines)  # of several blocks
    pysam.tabix_compress(str(plain), str(packed))
    assert [v.start for v in read_vcf(packed)] == list(range(8999))


def test_what_pysam_reads_is_read(write):
    text = HEAD.replace("#CHROM", "##contig=<ID=chr1>\n#CHROM") + "".join(
        LINE.format(pos=pos, ref=ref, alt=alt)
        for pos, ref, alt in [
            (1, "A", "C"),
            (5, "acg", "A,ACGT"),
            (9, "N", "]chr1:3]T"),
            (9, "A", "."),
        ]
    )
    path = write("a.vcf", text)
    if path.suffix == ".gz":
        path.with_name("b.vcf").write_bytes(gzip.decompress(path.read_bytes()))
        path = path.with_name("b.vcf")
    with pysam.VariantFile(str(path)) as file:
        expected = [(r.chrom, r.start, r.id or ".", r.ref, r.alts or ()) for r in file]
    assert [tuple(v) for v in read_vcf(path)] == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line of columns"),
        ("hello\n", r"line 1: expected a VCF file .*got 'hello'"),
        ("##fileformat=VCFv4.2\n", "line of columns"),
        (
            "##fileformat=VCFv4.2\n" + LINE.format(pos=1, ref="A", alt="C"),
            "line 2: .*before variants",
        ),
        (HEAD.replace("POS", "POSITION"), "line 2: expected the columns"),
        (HEAD + "chr1\t1\t.\tA\n", "line 3: expected 8 columns at least, got 4"),
        (HEAD + LINE.format(pos="x", ref="A", alt="C"), "line 3: expected a position, got 'x'"),
        (HEAD + LINE.format(pos="-1", ref="A", alt="C"), "expected a position, got '-1'"),
        (HEAD + LINE.format(pos=1, ref="", alt="C"), "expected REF in the letters"),
        (HEAD + LINE.format(pos=1, ref="A", alt="C,,G"), "expected alleles between commas"),
    ],
)
def test_malformed_files_are_refused_by_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        list(read_vcf(write("a.vcf", text)))


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "a.vcf.gz"
    text = HEAD + "".join(LINE.format(pos=pos, ref="A", alt="C") for pos in range(1, 900))
    path.write_bytes(gzip.compress(text.encode())[:-200])
    with pytest.raises(ValueError, match="truncated"):
        list(read_vcf(path))
