import hashlib

import h5py
import numpy as np
import pytest

from modelzoo.sequences import encode
from modelzoo.tracks.h5 import AttributionsFile

SEQUENCES = ["ACGTTGCAAC", "TTGACCNATG", "GGGATAAGCA", "CATTTATCCC", "AAAAAAAAAA"]
NAMES = ["one", "two", "<b>three</b>", "four/..", "five"]
PARAMETERS = {"method": "shiftsmooth", "max_shift": 5, "task": "FOXM1", "seed": 0}


def opened(folder, **changes):
    path = folder / "attributions.h5"
    return AttributionsFile(
        path, PARAMETERS | changes, NAMES, encode(SEQUENCES), ["GATA3", "FOXM1"]
    )


def results(seed=0):
    """Hypothetical scores and logits of all sequences."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=(5, 4, 10)), random.normal(size=(5, 2))
    return [values.astype("f4") for values in scores]


def whole(folder):
    file = opened(folder)
    for start in (0, 2, 4):
        file.write(start, *(values[start : start + 2] for values in results()))
    return file


def contents(file):
    with h5py.File(file.path) as inside:
        return {name: inside[name][()] for name in inside}


def test_what_was_written_is_read(tmp_path):
    found = contents(whole(tmp_path))
    hypothetical, logits = results()
    assert np.array_equal(found["hypothetical"], hypothetical)
    assert np.array_equal(found["logits"], logits)
    assert [name.decode() for name in found["ids"]] == NAMES


def test_projected_scores_are_those_of_the_letters_present(tmp_path):
    found = contents(whole(tmp_path))
    for row, sequence in enumerate(SEQUENCES):
        for position, letter in enumerate(sequence):
            if letter == "N":
                assert not found["one_hot"][row, :, position].any()
                assert found["projected"][row, position] == 0
                continue
            base = "ACGT".index(letter)
            assert found["one_hot"][row, :, position].tolist() == np.eye(4)[base].tolist()
            expected = found["hypothetical"][row, base, position]
            assert found["projected"][row, position] == expected


def test_rows_are_done_one_part_after_the_other(tmp_path):
    file = opened(tmp_path)
    assert file.done == 0
    file.write(0, *(values[:2] for values in results()))
    assert file.done == opened(tmp_path).done == 2


def test_the_structure_is_there_before_the_first_attribution(tmp_path):
    file = opened(tmp_path)
    with h5py.File(file.path) as inside:
        places = {name: inside[name].id.get_offset() for name in inside}
    before = bytearray(file.path.read_bytes())
    whole(tmp_path)
    after = bytearray(file.path.read_bytes())
    assert len(after) == len(before)
    with h5py.File(file.path) as inside:
        for name in ("hypothetical", "projected", "logits", "done"):
            offset, length = inside[name].id.get_offset(), inside[name].id.get_storage_size()
            assert places[name] == offset
            before[offset : offset + length] = after[offset : offset + length]
    # Nothing but numbers has changed, so a kill has nothing to break.
    assert hashlib.sha256(before).digest() == hashlib.sha256(after).digest()


@pytest.mark.parametrize("change", [{"max_shift": 4}, {"method": "gradient"}, {"seed": 3}])
def test_the_file_of_another_run_is_refused(tmp_path, change):
    whole(tmp_path)
    with pytest.raises(ValueError, match="is of another run"):
        opened(tmp_path, **change)


def test_npz_pair_is_what_numpy_would_write(tmp_path):
    file = whole(tmp_path)
    found = contents(file)
    for path in file.save_npz():
        with np.load(path) as archive:
            assert archive.files == ["arr_0"]
            assert np.array_equal(archive["arr_0"], found[path.stem])
            assert archive["arr_0"].dtype == found[path.stem].dtype


def test_top_are_those_with_the_highest_logits(tmp_path):
    file = whole(tmp_path)
    _, logits = results()
    order = sorted(range(5), key=lambda row: -logits[row, 1])[:3]
    assert [name for name, *_ in file.top(3)] == [NAMES[row] for row in order]
    assert len(list(file.top(9))) == 5
