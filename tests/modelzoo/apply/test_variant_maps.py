"""Attributions of both alleles against ShiftSmooth, and their difference letter by letter."""

import h5py
import numpy as np
import pytest
import torch

import modelzoo
from modelzoo.apply.variant_maps import difference
from modelzoo.sequences import one_hot
from shiftsmooth import shift_smooth
from tests.support import variants as support
from tests.support.variants import GENOME, MAX_SHIFT, WIDTH, Symmetric, cut

LENGTH = WIDTH + 2 * MAX_SHIFT


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    support.genome(tmp_path)
    return tmp_path


def score(desk, *rows, **options):
    options = {"genome": desk / "genome.fa", "width": WIDTH, "max_shift": MAX_SHIFT} | options
    path = support.vcf(desk, *rows)
    return modelzoo.variants(Symmetric(), path, desk / "out", attributions=True, **options)


def read(desk, kind, name):
    with h5py.File(desk / "out" / "attributions" / kind / "attributions.h5") as file:
        return file[name][()]


def by_hand(letters):
    """The mean over windows of the corrected gradients, at the letters that are there."""
    model, total, count = Symmetric(), np.zeros(LENGTH), np.zeros(LENGTH)
    for start in range(2 * MAX_SHIFT + 1):
        x = one_hot(letters[start : start + WIDTH])
        total[start : start + WIDTH] += (
            shift_smooth(model, x, max_shift=0, device="cpu").sum(1)[0].numpy()
        )
        count[start : start + WIDTH] += 1
    return total / count


def test_maps_are_means_over_the_windows_of_the_effect(desk):
    ref = GENOME["chr1"][99:103]
    table = score(desk, ("chr1", 100, 4, ref[0] + "GG"))
    start = 99 - (WIDTH // 2 - 2) - MAX_SHIFT
    changed = GENOME["chr1"][:99] + ref[0] + "GG" + GENOME["chr1"][103:]
    expected = [by_hand(cut(letters, start, LENGTH)) for letters in (GENOME["chr1"], changed)]
    found = [read(desk, kind, "projected")[0] for kind in ("ref", "alt")]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    outputs = [read(desk, kind, "logits")[0, 0] for kind in ("ref", "alt")]
    assert outputs == pytest.approx(
        table[["ref_output_one", "alt_output_one"]].to_numpy()[0], abs=1e-5
    )
    lines = np.load(desk / "out" / "attributions" / "difference.npz")["arr_0"]
    at = 99 - start
    np.testing.assert_allclose(lines[0], difference(expected[0], expected[1], at, 4, 3), atol=1e-5)
    assert (desk / "out" / "attributions" / "alt" / "hypothetical.npz").is_file()


def test_a_substitution_differs_letter_by_letter():
    ref, alt = np.arange(5.0), np.array([1.0, 1, 7, 3, 3])
    np.testing.assert_array_equal(difference(ref, alt, 2, 1, 1), alt - ref)


def test_inserted_letters_count_at_the_letter_before_them():
    # REF  a b C   d e f g       ALT  a b C X Y d e
    ref = np.array([1.0, 2, 3, 4, 5, 6, 7])
    alt = np.array([1.0, 2, 5, 10, 20, 4, 6])
    expected = [0, 0, 5 + 10 + 20 - 3, 0, 1, np.nan, np.nan]
    np.testing.assert_array_equal(difference(ref, alt, 2, 1, 3), expected)


def test_deleted_letters_contribute_nothing():
    # REF  a b C X Y d e         ALT  a b C d e f g
    ref = np.array([1.0, 2, 3, 10, 20, 4, 5])
    alt = np.array([1.0, 2, 5, 4, 6, 8, 9])
    np.testing.assert_array_equal(difference(ref, alt, 2, 3, 1), [0, 0, 2, -10, -20, 0, 1])


def test_a_second_call_keeps_what_is_there(desk):
    score(desk, ("chr1", 100, 1, "G"))
    path = desk / "out" / "attributions" / "ref" / "attributions.h5"
    before = path.stat().st_mtime_ns
    score(desk, ("chr1", 100, 1, "G"))
    assert path.stat().st_mtime_ns == before


def test_no_alleles_give_no_maps(desk):
    score(desk, ("chr1", 100, 1, "."), reject=lambda error: None)
    assert not (desk / "out" / "attributions").exists()


def test_the_gradient_of_the_caller_is_left_alone(desk):
    with torch.no_grad():
        score(desk, ("chr1", 100, 1, "G"))
    assert np.isfinite(read(desk, "ref", "projected")).all()
