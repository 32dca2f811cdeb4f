import numpy as np
import pytest

from modelzoo.motifs import Motif


def test_a_motif_holds_columns_of_probabilities():
    with pytest.raises(ValueError, match=r"matrix: expected shape \(4, width\), got \(3, 4\)"):
        Motif("a", np.full((3, 4), 0.25))
    with pytest.raises(ValueError, match="matrix: expected columns of probabilities"):
        Motif("a", np.ones((4, 3)))
    with pytest.raises(ValueError, match="name: expected one word, got 'a b'"):
        Motif("a b", np.full((4, 3), 0.25))


def test_a_motif_is_trimmed_to_what_says_something():
    core = np.eye(4)[:, [0, 3, 1]]
    flat = np.full((4, 2), 0.25)
    motif = Motif("m", np.concatenate([flat, core[:, :1], flat, core[:, 1:], flat], 1))
    assert motif.trimmed().consensus == "AaaTC"
    assert Motif("f", flat).trimmed().width == 2
    np.testing.assert_allclose(motif.bits, [0, 0, 2, 0, 0, 2, 2, 0, 0], atol=1e-9)


def test_the_other_strand_is_the_complement_read_backwards():
    motif = Motif("m", np.eye(4)[:, [0, 0, 1]] * 0.96 + 0.01, 7, "AAC")
    turned = motif.reverse_complement()
    assert (turned.name, turned.sites, turned.title) == ("m", 7, "AAC")
    assert turned.consensus == "GTT"
