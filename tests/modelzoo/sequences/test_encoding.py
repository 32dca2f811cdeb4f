import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelzoo.sequences import (
    columns,
    decode,
    encode,
    from_columns,
    one_hot,
    reverse_complement,
    reverse_complement_codes,
)
from modelzoo.sequences.encoding import reverse_complement_letters

AMBIGUOUS = "NRYSWKMBDHV"
LETTERS = "ACGTU" + AMBIGUOUS + "acgtu" + AMBIGUOUS.lower()


def one_hot_by_loop(sequences):
    x = np.zeros((len(sequences), 4, len(sequences[0])), dtype=np.float32)
    for n, sequence in enumerate(sequences):
        for i, letter in enumerate(sequence.upper().replace("U", "T")):
            x[n, :, i] = [letter == base for base in "ACGT"] if letter in "ACGT" else 0.25
    return x


def complement_by_loop(sequence):
    pairs = dict(zip("ACGTRYSWKMBDHVN", "TGCAYRSWMKVHDBN"))
    return "".join(pairs[letter] for letter in reversed(sequence))


@given(st.data(), st.integers(0, 30))
def test_one_hot_is_what_a_loop_over_bases_gives(data, length):
    letters = st.text(alphabet=LETTERS, min_size=length, max_size=length)
    sequences = data.draw(st.lists(letters, min_size=1, max_size=5))
    x = one_hot(sequences)
    assert x.dtype == torch.float32 and x.is_contiguous()
    np.testing.assert_array_equal(x.numpy(), one_hot_by_loop(sequences))


def test_one_string_is_a_batch_of_one():
    assert torch.equal(one_hot("ACGT"), torch.eye(4)[None])


def test_no_sequences_are_an_empty_batch():
    assert one_hot([]).shape == (0, 4, 0)


@pytest.mark.parametrize("sequences", [["AC-T"], ["ACé"], ["AC", "A "], ["AXC"]])
def test_a_letter_that_is_no_nucleotide_is_named_with_its_place(sequences):
    wrong = next(c for s in sequences for c in s if c not in "ACGT")
    with pytest.raises(ValueError, match=rf"got {wrong!r} at position \d of index"):
        one_hot(sequences)


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError, match="got 4 at index 0 and 2 at index 1"):
        one_hot(["ACGT", "AC"])


def test_what_is_no_string_is_refused():
    with pytest.raises(TypeError, match="got bytes at index 1"):
        one_hot(["ACGT", b"ACGT"])


@given(st.text(alphabet="ACGTN", max_size=20))
def test_reverse_complement_is_the_other_strand(sequence):
    other = complement_by_loop(sequence)
    assert torch.equal(reverse_complement(one_hot(sequence)), one_hot(other))


@given(st.text(alphabet="ACGTN", max_size=20))
def test_codes_are_turned_as_letters_are(sequence):
    turned = reverse_complement_codes(encode(sequence))
    assert decode(turned) == [complement_by_loop(sequence)]


@given(st.text(alphabet=LETTERS, max_size=20))
def test_letters_are_turned_in_their_case(sequence):
    upper = sequence.upper().replace("U", "T")
    turned = reverse_complement_letters(sequence)
    assert turned.upper() == complement_by_loop(upper)
    assert [c.islower() for c in turned] == [c.islower() for c in reversed(sequence)]


@pytest.mark.parametrize("ambiguous", [0.0, 0.25])
def test_columns_are_read_back(ambiguous):
    codes = np.random.default_rng(0).integers(0, 5, (7, 20), dtype=np.uint8)
    x = columns(codes, ambiguous=ambiguous)
    assert (x[torch.from_numpy(codes == 4)[:, None].expand(-1, 4, -1)] == ambiguous).all()
    found = from_columns(x)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, codes)


def test_integer_columns_are_read_back():
    codes = np.random.default_rng(0).integers(0, 5, (7, 20), dtype=np.uint8)
    x = columns(codes, ambiguous=0).numpy().astype(np.int8)
    np.testing.assert_array_equal(from_columns(x), codes)
