import numpy as np
import pandas
import pytest

from modelzoo.motifs import annotate, read_meme, write_matches, write_matrices, write_meme
from modelzoo.motifs.files import MATCH_COLUMNS


def test_a_meme_file_is_read_back(tmp_path, motifs):
    write_meme(tmp_path / "motifs.meme", motifs)
    for one, other in zip(motifs, read_meme(tmp_path / "motifs.meme"), strict=True):
        assert (one.name, one.title) == (other.name, other.title)
        np.testing.assert_allclose(one.matrix, other.matrix, atol=2e-6)


def test_other_libraries_read_the_meme_file(tmp_path, motifs):
    from memelite.io import read_meme as memelite
    from tangermeme.io import read_meme as tangermeme

    write_meme(tmp_path / "motifs.meme", motifs)
    for read in (memelite, tangermeme):
        found = read(str(tmp_path / "motifs.meme"))
        assert list(found) == ["MA0037.3 GATA3", "unit-3"]
        for motif, matrix in zip(motifs, found.values()):
            np.testing.assert_allclose(matrix, motif.matrix, atol=1e-6)


def test_biopython_reads_names_and_sites(tmp_path, motifs):
    from Bio import motifs as biopython

    write_meme(tmp_path / "motifs.meme", motifs)
    with open(tmp_path / "motifs.meme") as file:
        found = biopython.parse(file, "minimal")
    assert [(m.name, m.length) for m in found] == [(m.name, m.width) for m in motifs]
    assert found[1].num_occurrences == 1234
    np.testing.assert_allclose(
        [found[1].counts[base] for base in "ACGT"], motifs[1].matrix * 1234, atol=0.51
    )


def test_a_meme_file_of_memelite_is_read(tmp_path, motifs):
    from memelite.io import write_meme as memelite

    memelite(str(tmp_path / "other.meme"), {"a b": motifs[1].matrix})
    (found,) = read_meme(tmp_path / "other.meme")
    assert (found.name, found.title) == ("a", "b")
    np.testing.assert_allclose(found.matrix, motifs[1].matrix)


ROWS = "MEME version 4\n\nMOTIF a\nletter-probability matrix: alength= 4 w= 1\n0.5 many 0 0\n"


@pytest.mark.parametrize("text", ["", ">a\nACGT\n", "MEME version 4\n\nMOTIF a\nnothing\n", ROWS])
def test_what_is_no_meme_file_is_refused(tmp_path, text):
    path = tmp_path / "no.meme"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"no\.meme: expected"):
        read_meme(path)


def test_the_table_of_matrices_has_a_row_per_position(tmp_path, motifs):
    write_matrices(tmp_path / "motifs.tsv", motifs)
    table = pandas.read_csv(tmp_path / "motifs.tsv", sep="\t")
    assert list(table.columns) == ["name", "position", *"ACGT"]
    for motif in motifs:
        rows = table[table["name"] == motif.name]
        assert rows["position"].tolist() == list(range(1, motif.width + 1))
        np.testing.assert_allclose(rows[list("ACGT")].to_numpy().T, motif.matrix, atol=1e-6)


def test_matches_are_written_in_the_columns_of_tomtom(tmp_path, motifs, database):
    matches = annotate(motifs, database)
    write_matches(tmp_path / "matches.tsv", motifs, matches)
    table = pandas.read_csv(tmp_path / "matches.tsv", sep="\t")
    assert tuple(table.columns) == MATCH_COLUMNS
    assert len(table) == sum(map(len, matches))
    first = table.iloc[0]
    assert (first["Query_ID"], first["Target_ID"]) == ("MA0037.3", "MA0037.3")
    assert first["Orientation"] == "+"
    assert first["q-value"] < 1e-6
