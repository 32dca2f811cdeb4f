import contextlib
import hashlib
import os
import subprocess

import h5py
import numpy as np
import pytest

from modelzoo.sequences import Interval, encode
from modelzoo.tracks import trial
from modelzoo.tracks.h5 import AttributionsFile, read_one

SEQUENCES = ["ACGTTGCAAC", "TTGACCNATG", "GGGATAAGCA", "CATTTATCCC", "AAAAAAAAAA"]
NAMES = ["one", "two", "<b>three</b>", "four/..", "five"]
PARAMETERS = {"method": "shiftsmooth", "max_shift": 5, "task": "FOXM1", "seed": 0}
PARAMETERS |= {"batch_size": None}


def opened(folder, overwrite=False, **changes):
    parameters, codes = PARAMETERS | changes, encode(SEQUENCES)
    return AttributionsFile(
        folder, parameters, NAMES, codes, ["GATA3", "FOXM1"], overwrite=overwrite
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


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"max_shift": 4}, "max-shift 5 there, 4 here"),
        ({"method": "gradient"}, "method shiftsmooth there, gradient here"),
        ({"seed": 3, "task": "GATA3"}, "task FOXM1 there, GATA3 here; seed 0 there, 3 here"),
        ({"batch_size": 2}, "batch-size none there, 2 here"),
        ({"model": "ab" * 32}, "model none there, abababab… here"),
    ],
)
def test_the_file_of_another_run_is_refused_and_the_difference_told(tmp_path, change, told):
    before = whole(tmp_path).path.read_bytes()
    with pytest.raises(ValueError, match="is of another run") as raised:
        opened(tmp_path, **change)
    assert f"({told}); write elsewhere, or start anew with --overwrite" in str(raised.value)
    assert (tmp_path / "attributions.h5").read_bytes() == before


def test_a_parameter_of_the_other_run_alone_is_told(tmp_path):
    opened(tmp_path, batch_size=2)
    with pytest.raises(ValueError, match="batch-size 2 there, none here"):
        opened(tmp_path)


def test_another_run_is_overwritten_when_asked_for_and_the_same_resumes(tmp_path):
    whole(tmp_path)
    assert opened(tmp_path, overwrite=True).done == 5
    assert opened(tmp_path, overwrite=True, seed=3).done == 0


@pytest.mark.parametrize("name", ["one_hot.npz", "hypothetical.npz", "index.html", "logos"])
def test_a_file_that_no_run_made_is_not_written_over(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name} is of no run"):
        opened(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert opened(tmp_path, overwrite=True).done == 0


def test_a_damaged_file_is_named(tmp_path):
    file = whole(tmp_path)
    data = file.path.read_bytes()
    for damaged in (b"", b"no HDF5", data[: len(data) // 2], data[:-8]):
        file.path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"attributions\.h5: expected"):
            opened(tmp_path)


def test_numbers_in_another_file_are_not_followed(tmp_path):
    with h5py.File(tmp_path / "attributions.h5", "w") as file:
        for name in ("one_hot", "projected", "logits", "done"):
            file.create_dataset(name, data=np.zeros(3, "f4"))
        outside = [(str(tmp_path / "secret"), 0, 12)]
        file.create_dataset("hypothetical", (3,), "f4", external=outside)
    with pytest.raises(ValueError, match=r"expected an HDF5 file .*lies in another file"):
        opened(tmp_path)


def test_links_to_other_files_are_not_followed(tmp_path):
    whole(tmp_path)
    (tmp_path / "attributions.h5").rename(tmp_path / "secret.h5")
    with h5py.File(tmp_path / "attributions.h5", "w") as file:
        file["ids"] = h5py.ExternalLink("secret.h5", "ids")
    with pytest.raises(ValueError, match="'ids' is a link"):
        opened(tmp_path)


def test_a_file_that_the_library_does_not_survive_is_named(tmp_path, monkeypatch):
    """What it does to such a file depends on its version, so its place is taken by a script."""
    whole(tmp_path)
    for body, cause in (
        ("import os; os.kill(os.getpid(), 11)", "the HDF5 library crashes"),
        ("while True: pass", "it is not read in 0.2 s"),
    ):
        script = tmp_path / "script.py"
        script.write_text(body)
        monkeypatch.setattr(trial, "__file__", str(script))
        monkeypatch.setattr(trial, "SECONDS", 0.2 if "while" in body else 30)
        with pytest.raises(ValueError, match=cause):
            opened(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("done", np.zeros(2, "i8")),
        ("ids", np.zeros(5, "f4")),
        ("ids", ["one"]),
        ("logits", np.zeros((5, 2), "f8")),
        ("projected", np.zeros((5, 1), "f4")),
        ("one_hot", None),
    ],
)
def test_a_file_of_other_values_is_named(tmp_path, name, value):
    path = whole(tmp_path).path
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value
    with pytest.raises(ValueError, match="expected a file of attributions"):
        opened(tmp_path)


@pytest.mark.slow
def test_whatever_bytes_are_damaged_the_error_is_ours(tmp_path):
    path = whole(tmp_path).path
    good, rng = path.read_bytes(), np.random.default_rng(0)
    told = np.flatnonzero(np.frombuffer(good, np.uint8))
    for _ in range(60):
        data = bytearray(good)
        for at in rng.choice(told, 3):
            data[at] = rng.integers(256)
        path.write_bytes(data)
        with contextlib.suppress(ValueError):
            opened(tmp_path).not_finite()


def test_sequences_without_finite_numbers_are_named(tmp_path):
    file = opened(tmp_path)
    hypothetical, logits = results()
    hypothetical[1, 2, 3], logits[4, 0] = np.inf, np.nan
    file.write(0, hypothetical, logits)
    assert file.not_finite() == ["two", "five"]


@pytest.fixture
def disk(tmp_path):
    """Makes small disks in memory; they are full soon."""
    made = []

    def mount(kilobytes):
        folder = tmp_path / f"disk{len(made)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", folder]
        if os.getuid() or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("cannot mount")
        made.append(folder)
        return folder

    yield mount
    for folder in made:
        subprocess.run(["umount", folder], check=True)


def test_a_disk_without_room_is_told_before_anything_is_written(disk):
    folder = disk(8)
    with pytest.raises(OSError, match=r"no space left on device: expected room for .* bytes"):
        opened(folder / "out")
    assert list((folder / "out").iterdir()) == []


def test_a_disk_that_fills_up_later_costs_nothing(disk, tmp_path):
    """The room is taken when the file is laid out."""
    file = opened(disk(64))
    with pytest.raises(OSError), open(file.path.with_name("other"), "wb", buffering=0) as other:
        while True:
            other.write(bytes(4096))
    whole(file.path.parent)
    expected = contents(whole(tmp_path / "whole"))
    for name, values in contents(file).items():
        assert np.array_equal(values, expected[name]), name


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


def placed(folder, names=("one", "two", "same", "same", "five")):
    intervals = [Interval("chr1", 20 * i, 20 * i + 10) for i in range(5)]
    file = AttributionsFile(
        folder, PARAMETERS, names, encode(SEQUENCES), ["GATA3", "FOXM1"], intervals=intervals
    )
    file.write(0, *results())
    return file


def test_one_sequence_is_read_by_name_or_place_or_output(tmp_path):
    file = placed(tmp_path)
    best = int(results()[1][:, 1].argmax())
    for wanted, row in (("two", 1), ("chr1:40-50", 2), (None, best)):
        one, about = read_one(file.path, wanted)
        assert one.interval.start == 20 * row
        assert np.array_equal(one.hypothetical, results()[0][row])
    assert about["task"] == "FOXM1"


@pytest.mark.parametrize(("wanted", "told"), [("six", "got none"), ("same", "got 2, of which")])
def test_no_sequence_or_several_of_a_name_are_refused(tmp_path, wanted, told):
    with pytest.raises(ValueError, match=f"peak: expected one called '{wanted}', {told}"):
        read_one(placed(tmp_path).path, wanted)


def test_a_file_that_lacks_what_a_sequence_needs_is_refused(tmp_path):
    path = placed(tmp_path).path
    with h5py.File(path, "a") as file:
        del file["hypothetical"]
    with pytest.raises(ValueError, match="expected a file of attributions, got no hypothetical"):
        read_one(path, None)


def test_a_sequence_of_a_run_that_is_not_done_is_refused(tmp_path):
    file = opened(tmp_path)
    file.write(0, *(values[:2] for values in results()))
    with pytest.raises(ValueError, match="expected all of 5 sequences, got 2"):
        read_one(file.path)
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(ValueError, match="expected a file of attributions"):
        read_one(tmp_path / "text.h5")
