"""Annotated VCF files, read back by pysam and bcftools."""

import shutil
import subprocess

import pysam
import pytest

from modelzoo.tracks.vcf import Field, annotate_vcf

TEXT = """##fileformat=VCFv4.2
##contig=<ID=chr1,length=1000>
##INFO=<ID=AF,Number=A,Type=Float,Description="a">
##INFO=<ID=SS_effect,Number=1,Type=String,Description="of an earlier run">
##FORMAT=<ID=GT,Number=1,Type=String,Description="g">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO	FORMAT	S1
chr1	10	rs1	A	C,G	9.50	PASS	AF=0.1,0.2;SS_effect=old	GT	0/1
chr2	5	.	acgt	A	.	PASS	.	GT	0|1
chr2	7	.	A	.	.	PASS	SS_effect=old;	GT	./.
"""
FIELDS = [Field("SS_effect", "Float", "what changes"), Field("SS_windows", "Integer", "how many")]
VALUES = [{"SS_effect": ["1.5", "."], "SS_windows": ["11", "."]}, {"SS_effect": ["-2e-05"]}, {}]


@pytest.fixture
def annotated(tmp_path):
    source, path = tmp_path / "a.vcf", tmp_path / "b.vcf.gz"
    source.write_text(TEXT)
    annotate_vcf(source, path, FIELDS, iter(VALUES), {"chr1": 1000, "chr2": 500})
    return path


def test_pysam_reads_a_value_per_allele(annotated):
    with pysam.VariantFile(str(annotated)) as file:
        first, second, third = file
    assert first.info["SS_effect"] == (1.5, None) and first.info["SS_windows"] == (11, None)
    assert second.info["SS_effect"] == (pytest.approx(-2e-5),)
    assert "SS_effect" not in third.info


def test_all_else_stays_as_it_is(annotated):
    with pysam.BGZFile(str(annotated)) as file:
        lines = [line.decode() for line in file]
    assert (
        lines[-3]
        == "chr1\t10\trs1\tA\tC,G\t9.50\tPASS\tAF=0.1,0.2;SS_effect=1.5,.;SS_windows=11,.\tGT\t0/1"
    )
    assert lines[-2] == "chr2\t5\t.\tacgt\tA\t.\tPASS\tSS_effect=-2e-05\tGT\t0|1"
    assert lines[-1] == "chr2\t7\t.\tA\t.\t.\tPASS\t.\tGT\t./."
    assert [line for line in lines if "contig" in line] == [
        "##contig=<ID=chr1,length=1000>",
        "##contig=<ID=chr2,length=500>",
    ]
    assert sum("SS_effect" in line for line in lines if line.startswith("##")) == 1


@pytest.mark.skipif(shutil.which("bcftools") is None, reason="needs bcftools")
def test_bcftools_reads_indexes_and_queries_it(annotated):
    subprocess.run(["bcftools", "index", annotated], check=True)
    query = ["bcftools", "query", "-f", "%POS %SS_effect\n", "-i", "SS_effect[0]>1", annotated]
    done = subprocess.run(query, check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("10 1.5,.\n", "")
