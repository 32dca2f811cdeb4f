import pytest

from modelzoo.motifs import jaspar, jaspar_matrix, releases


def test_jaspar_is_there_in_all_releases_and_read_once():
    assert {"JASPAR2014", "JASPAR2020", "JASPAR2024"} <= set(releases())
    vertebrates = jaspar("JASPAR2020")
    assert len(vertebrates) == 746  # Novakovsky et al., Methods
    assert jaspar("JASPAR2020") is vertebrates
    assert len(jaspar("JASPAR2020", "plants")) == 530  # Fornes et al. 2020, Table 1


def test_an_unknown_release_or_group_is_named():
    with pytest.raises(ValueError, match=r"release: expected one of JASPAR.*got 'JASPAR1999'"):
        jaspar("JASPAR1999")
    with pytest.raises(ValueError, match="group: expected a taxonomic group"):
        jaspar("JASPAR2020", "dragons")


def test_a_matrix_is_fetched_by_its_id_and_version():
    latest = {motif.name: motif for motif in jaspar("JASPAR2020")}["MA0080.5"]
    found = jaspar_matrix("MA0080.5", "JASPAR2020")
    assert (found.name, found.title, found.sites) == ("MA0080.5", "SPI1", latest.sites)
    assert (found.matrix == latest.matrix).all()
    assert jaspar_matrix("MA0080.4", "JASPAR2020").width != found.width  # an older version


@pytest.mark.parametrize("matrix", ["MA0080", "MA9999.1", "", ".5"])
def test_a_matrix_without_version_or_unknown_is_refused(matrix):
    with pytest.raises(ValueError, match=f"matrix: expected the id and version.*got '{matrix}'"):
        jaspar_matrix(matrix, "JASPAR2020")
