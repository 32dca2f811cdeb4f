import warnings

import numpy as np
import pytest

from modelzoo.datasets.planted import Simulation
from modelzoo.motifs import jaspar_matrix
from tests.support.planted import OWN


def test_matrices_are_those_of_jaspar_2020_with_their_weak_flanks_trimmed():
    motif = Simulation.load("spi1").motifs[0]
    assert (motif.name, motif.title) == ("SPI1", "SPI1")
    whole = jaspar_matrix("MA0080.5", "JASPAR2020").matrix
    np.testing.assert_array_equal(motif.matrix, whole[:, 5:15])
    assert "".join("ACGT"[i] for i in motif.matrix.argmax(axis=0)) == "AGAGGAAGTG"
    left, right = Simulation.load("rest").motifs
    assert "".join("ACGT"[i] for i in left.matrix.argmax(axis=0)) == "CAGCACC"
    assert "".join("ACGT"[i] for i in right.matrix.argmax(axis=0)) == "GGACAG"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("length = 60", "lenght = 60", "the configuration: expected keys among .* got 'lenght'"),
        ("length = 60", "length = -1", "length: expected a whole number from 1"),
        ("length = 60", "length = 60.5", "length: expected a whole number"),
        ("region = 40", "region = 61", "region: expected a whole number from 1 to 60, got 61"),
        ("region = 40", "region = 10", r"positives\[0\]: .* up to 16 bp"),
        ("threshold = 0.95", "threshold = 2", "threshold: expected a number from 0 to 1, got 2"),
        ("gc = 0.4", "gc = 'high'", "gc: expected a number from 0 to 1, got 'high'"),
        ("gc = 0.4", "score = 'best'", "score: expected 'log-odds' or 'mean-probability'"),
        ('"WGATAR"', '"WGATAX"', "motifs.GATA.consensus: expected IUPAC bases, got 'WGATAX'"),
        ('consensus = "WGATAR"', 'matrix = "MA0035"', "motifs.GATA.matrix: .* got 'MA0035'"),
        ('consensus = "WGATAR"', 'matrix = "MA9999.1"', "motifs.GATA.matrix: .* got 'MA9999.1'"),
        ('consensus = "WGATAR"', "", "motifs.GATA: expected one of matrix, consensus and pfm"),
        ('"WGATAR"', '"WGATAR"\ncolumns = [3, 9]', r"motifs.GATA.columns: .* got \[3, 9\]"),
        ("[8, 0, 0, 0, 0, 9]", "[8, 0]", "motifs.SITE.pfm: expected four rows"),
        ("[8, 0, 0, 0, 0, 9]", "[8, 0, 0, 0, 0, -9]", "motifs.SITE.pfm: expected four rows"),
        ("share = 1.0", "share = 0.9", "positives: expected shares that sum to 1, got 0.9"),
        ("share = 1.0", "share = 'all'", r"positives\[0\].share: expected a number"),
        ('["GATA", "SITE"]', '["GATA", "SIGHT"]', r"positives\[0\].motifs: .*'SIGHT'"),
        ("{ min = 2, max = 4 }", "{ min = 2 }", r"positives\[0\].spacing: expected numbers"),
        ("{ min = 2, max = 4 }", "[-1]", r"positives\[0\].spacing: expected numbers"),
        ("motifs = []", "motifs = []\nspacing = [1]", r"negatives\[0\].spacing: expected none"),
        ("rigid = false", "rigid = 'no'", r"positives\[0\].rigid: expected true or false"),
        ("[[negatives]]", "[[negative]]", "expected keys among .* got 'negative'"),
        (
            'gc = 0.4\n\n[motifs.GATA]\nconsensus = "WGATAR"',
            'trim = 2\n\n[motifs.GATA]\nmatrix = "MA0035.4"',
            "columns: expected one with 2.* bits of information, got none",
        ),
        ("[motifs.GATA]\nconsensus", "[motifs]\nGATA", "motifs.GATA: expected a table, got 'WGA"),
        ("[[negatives]]", "[negatives]", r"negatives: expected at least one \[\[negatives\]\]"),
        ("length = 60", "length = ", "simulation 'simulation': expected TOML: "),
    ],
)
def test_a_wrong_entry_is_named(old, new, message):
    assert old in OWN
    with pytest.raises(ValueError, match=message):
        Simulation.from_toml(OWN.replace(old, new, 1))


def test_a_matrix_that_is_not_there_gives_an_error_and_no_warning():
    text = OWN.replace('consensus = "WGATAR"', 'matrix = "MA9999.1"')
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="id and version of a JASPAR2020 matrix"):
            Simulation.from_toml(text)


def test_a_configuration_without_motifs_is_named():
    with pytest.raises(ValueError, match=r"motifs: expected at least one \[motifs.NAME\] table"):
        Simulation.from_toml("length = 60")


def test_an_arrangement_that_is_no_table_is_named():
    text, _, _ = OWN.partition("[[negatives]]")
    with pytest.raises(ValueError, match=r"negatives\[0\]: expected a table, got 'all'"):
        Simulation.from_toml(f"negatives = ['all']{text}")
