import pytest

from modelzoo.sequences import read_sequences


def test_bed_needs_a_genome_that_is_there(tmp_path):
    bed = tmp_path / "a.bed"
    bed.write_text("chr1\t0\t1\n")
    with pytest.raises(ValueError, match="genome: expected a FASTA or 2bit file for"):
        read_sequences(bed)
    with pytest.raises(FileNotFoundError, match="genome: no such file"):
        list(read_sequences(bed, tmp_path / "none.fa"))


def test_a_name_of_no_known_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"path: expected \.seq, .*got .*a\.txt"):
        read_sequences(tmp_path / "a.txt")
