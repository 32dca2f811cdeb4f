import numpy as np
import pytest

from modelzoo.motifs import modisco
from modelzoo.sequences import columns
from tests.support.modisco import fake_patterns


@pytest.fixture
def one_word():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (300, 40), dtype=np.uint8)
    codes[:, 15:23] = [0, 1, 2, 2, 0, 1, 2, 3]
    one_hot = columns(codes).numpy().astype(np.int8)
    scores = np.full(one_hot.shape, 0.01, dtype=np.float32)
    scores[:, :, 15:23] = 0.5
    return one_hot, scores


def test_patterns_are_trimmed_and_named_by_sign_and_rank(monkeypatch, one_word):
    monkeypatch.setattr("modiscolite.tfmodisco.TFMoDISco", fake_patterns(([90, 40], [30])))
    found = modisco(*one_word)
    assert [p.motif.name for p in found] == ["pos-0", "pos-1", "neg-0"]
    assert [p.motif.sites for p in found] == [90, 40, 30]
    assert {p.motif.consensus for p in found} == {"ACGGACGT"}
    np.testing.assert_allclose(found[0].contributions.max(0), 0.5, atol=1e-6)
    np.testing.assert_allclose(found[2].contributions, -found[0].contributions)


def test_attributions_of_another_shape_are_refused(one_word):
    one_hot, scores = one_word
    with pytest.raises(ValueError, match=r"expected both \(n, 4, L\), got \(300, 4, 40\)"):
        modisco(one_hot, scores[:, :, 1:])
    with pytest.raises(ValueError, match="one_hot: expected 30 positions or more, got 29"):
        modisco(one_hot[:, :, :29], scores[:, :, :29])
