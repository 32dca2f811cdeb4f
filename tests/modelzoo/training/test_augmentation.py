import numpy as np
import pytest

from modelzoo.sequences.encoding import AMBIGUOUS
from modelzoo.training.augmentation import KINDS, MAX_SHIFT, MUTATED, augmented


@pytest.fixture
def codes():
    return np.random.default_rng(0).integers(0, 5, (2000, 101), dtype=np.uint8)


def test_nothing_is_changed_where_nothing_is_asked_for(codes):
    assert np.array_equal(augmented(codes, "none", (0, 1)), codes)


def test_every_sequence_is_rolled_by_at_most_so_many_bases_and_each_shift_occurs(codes):
    changed = augmented(codes, "shifts", (0, 1))
    found = {
        shift: (np.roll(codes, shift, axis=1) == changed).all(axis=1)
        for shift in range(-MAX_SHIFT, MAX_SHIFT + 1)
    }
    assert np.stack(list(found.values())).sum(axis=0).tolist() == [1] * len(codes)
    shares = [rows.mean() for rows in found.values()]
    assert max(abs(share - 1 / 21) for share in shares) < 0.02


def test_so_many_letters_become_another_and_ambiguous_ones_stay(codes):
    changed = augmented(codes, "mutations", (0, 1))
    known = codes < AMBIGUOUS
    assert np.array_equal(changed[~known], codes[~known]) and changed.max() == AMBIGUOUS
    different = changed != codes
    assert different[known].mean() == pytest.approx(MUTATED, abs=0.003)
    steps = (changed[different].astype(int) - codes[different]) % 4
    assert np.bincount(steps, minlength=4)[0] == 0
    assert (np.bincount(steps, minlength=4)[1:] / len(steps)).min() > 0.3


def test_both_are_the_mutations_of_what_was_rolled(codes):
    rolled = augmented(codes, "shifts", (0, 1))
    assert (augmented(codes, "both", (0, 1)) != rolled)[codes < AMBIGUOUS].mean() < 2 * MUTATED
    assert not np.array_equal(augmented(codes, "both", (0, 1)), rolled)


@pytest.mark.parametrize("kind", KINDS)
def test_what_changes_follows_from_the_seed_and_the_given_stay(codes, kind):
    kept = codes.copy()
    one, same = augmented(codes, kind, (0, 1)), augmented(codes, kind, (0, 1))
    assert np.array_equal(one, same) and np.array_equal(codes, kept) and one.dtype == codes.dtype
    assert (kind == "none") == np.array_equal(one, augmented(codes, kind, (0, 2)))
