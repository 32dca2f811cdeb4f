import numpy as np
import pytest

from modelzoo.tracks.npz import save_npz


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_an_array_is_read_back_by_numpy(tmp_path, rows):
    values = np.random.default_rng(0).normal(size=(5, 4, 3)).astype("f4")
    save_npz(tmp_path / "a.npz", values, rows)
    with np.load(tmp_path / "a.npz") as archive:
        assert archive.files == ["arr_0"]
        assert np.array_equal(archive["arr_0"], values)
        assert archive["arr_0"].dtype == values.dtype
