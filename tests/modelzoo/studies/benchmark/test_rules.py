"""The rules hold in what is drawn, and the truth is where the rule says."""

import numpy as np
import pytest

from modelzoo.motifs import Motif
from modelzoo.studies.benchmark import rules
from modelzoo.studies.benchmark.drawn import FLANK, Drawn

GATA, AP1 = 8, 8  # positions of the two motifs after trimming, at least


def runs(mask):
    """The (start, stop) of each stretch of True."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return list(zip(edges[::2], edges[1::2]))


@pytest.fixture(scope="module")
def drawn():
    return {
        name: getattr(rules, name)("train", 60, 5)
        for name in ("both", "either", "order", "spacing")
    }


def test_half_are_positives_and_the_truth_is_inside_the_window(drawn):
    for one in drawn.values():
        assert one.labels.mean() == 0.5
        assert one.truth.sum() == one.window(one.truth).sum() > 0
        assert one.codes.shape[1] == rules.RULED + 2 * FLANK


def test_and_has_two_motifs_where_its_negatives_have_one(drawn):
    one = drawn["both"]
    for label, mask in zip(one.labels, one.truth):
        assert len(runs(mask)) == (2 if label else 1)


def test_or_has_one_motif_where_its_negatives_have_none(drawn):
    one = drawn["either"]
    for label, mask in zip(one.labels, one.truth):
        assert len(runs(mask)) == label


def test_spacing_alone_tells_its_positives(drawn):
    one = drawn["spacing"]
    for label, mask in zip(one.labels, one.truth):
        (_, stop), (start, _) = runs(mask)
        assert 3 <= start - stop <= 6 if label else 16 <= start - stop <= 30


def test_decoys_mean_nothing_and_cover_no_truth(drawn):
    one = rules.both("train", 600, 1)
    held = one.decoys.any(1)
    assert not (one.decoys & one.truth).any()
    assert held.mean() == pytest.approx(rules.DECOYS, abs=0.07)
    assert held[one.labels == 1].mean() == pytest.approx(held[one.labels == 0].mean(), abs=0.1)
    assert one.decoys.sum() == one.window(one.decoys).sum()


def test_splits_are_apart_and_seeds_repeat():
    first, same, other = (rules.planted("train", 20, seed).codes for seed in (1, 1, 2))
    assert (first == same).all() and not (first == other).all(1).any()


def test_the_regulatory_code_has_three_to_five_motifs():
    one = rules.regulatory("train", 40, 0)
    widths = [rules.jaspar_matrix(name, rules.JASPAR_RELEASE).width for name in rules.CORE]
    found = one.truth.sum(1)
    assert (found[one.labels == 0] == 0).all()
    inside = found[one.labels == 1]
    assert (inside > 3 * min(widths) * 0.8).all() and (inside <= 5 * max(widths)).all()
    assert one.truth.sum() == one.window(one.truth).sum()


def test_the_core_of_the_regulatory_code_is_that_of_its_paper():
    names = [rules.jaspar_matrix(name, rules.JASPAR_RELEASE).title for name in rules.CORE]
    assert [name.upper() for name in names] == ["SP1", "GABPA", "CEBPB", "MAX", "YY1"]


def test_what_is_planted_is_the_motif_and_the_rest_stays():
    sure = Motif("sure", np.eye(4)[:, [0, 0, 3, 2, 1, 2]])  # AATGCG
    before = np.full(60, 1, dtype=np.uint8)
    for seed in range(8):
        codes, truth = rules.plant(before, [sure, sure], np.random.default_rng(seed))
        for start in np.flatnonzero(truth)[[0, 6]]:
            text = codes[start : start + 6].tolist()
            assert text in ([0, 0, 3, 2, 1, 2], [1, 2, 1, 0, 3, 3])
        assert (codes[~truth] == 1).all() and truth.sum() == 12
        assert not truth[:FLANK].any() and not truth[-FLANK:].any()


def test_a_window_is_what_lies_between_the_flanks():
    codes = np.arange(40, dtype=np.uint8).reshape(2, 20) % 4
    one = Drawn(codes, np.array([0, 1]), codes == 0, codes == 1)
    assert one.window(one.codes).tolist() == codes[:, FLANK:-FLANK].tolist()
    assert one.rows(np.array([1])).labels.tolist() == [1]
