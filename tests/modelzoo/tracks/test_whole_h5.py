import resource

import h5py
import numpy as np
import pytest

from modelzoo.tracks.whole_h5 import _Remembering, whole_h5


@pytest.fixture
def little_room():
    """No file of this process may be larger than 100 kB, which fails as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write(path):
    with whole_h5(path) as file:
        data = file.create_dataset("a", (300_000,), "f4", chunks=True, compression="gzip")
        data[:] = np.random.default_rng(0).random(300_000, "f4")


def test_the_file_is_that_of_h5py(tmp_path):
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        np.testing.assert_array_equal(file["a"], np.random.default_rng(0).random(300_000, "f4"))


def test_a_full_disk_is_an_error_and_leaves_what_was_there(tmp_path, little_room):
    (tmp_path / "a.h5").write_text("before")
    with pytest.raises(OSError, match="File too large"):
        write(tmp_path / "a.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    assert (tmp_path / "a.h5").read_text() == "before"


def test_the_library_never_sees_an_error_of_the_disk(tmp_path, little_room):
    with _Remembering(tmp_path / "a", "w+") as raw:
        assert raw.truncate(10_000_000) == 10_000_000
        assert isinstance(raw.error, OSError)
        assert raw.write(b"more") == 4
        raw.flush()
