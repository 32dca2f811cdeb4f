import tracemalloc

import numpy as np
import pytest

from modelzoo.tracks.formats import FORMATS, check_formats
from modelzoo.tracks.h5 import AttributionsFile


def test_parquet_sums_contributions_a_part_at_a_time(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    count, length = 300, 5000  # contributions are 6 MB
    random = np.random.default_rng(0)
    codes = random.integers(0, 4, (count, length)).astype(np.uint8)
    names = [f"r{number}" for number in range(count)]
    file = AttributionsFile(tmp_path, {"task": "GATA3"}, names, codes, ["GATA3"])
    scores = random.normal(size=(count, 4, length)).astype("f4")
    file.write(0, scores, np.zeros((count, 1), "f4"))
    FORMATS["parquet"](file)  # which imports pandas
    tracemalloc.start()
    FORMATS["parquet"](file)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 4_000_000
    table = parquet.read_table(tmp_path / "attributions.parquet")
    present = np.take_along_axis(scores, codes[:, None].astype(int), 1)[:, 0]
    np.testing.assert_allclose(table["contribution"], present.sum(1), rtol=1e-4, atol=1e-4)


def test_anndata_holds_outputs_beside_the_names_of_their_sequences(tmp_path):
    anndata = pytest.importorskip("anndata")
    codes = np.zeros((3, 7), np.uint8)
    file = AttributionsFile(tmp_path, {"task": "GATA3"}, ["a", "b", "c"], codes, ["GATA3", "FOXM1"])
    outputs = np.arange(6, dtype="f4").reshape(3, 2)
    file.write(0, np.ones((3, 4, 7), "f4"), outputs)
    FORMATS["h5ad"](file)
    found = anndata.read_h5ad(tmp_path / "attributions.h5ad")
    np.testing.assert_array_equal(found.X, outputs)
    assert list(found.obs["name"]) == ["a", "b", "c"]
    assert list(found.var_names) == ["GATA3", "FOXM1"]


def test_formats_that_cannot_be_written_are_named():
    with pytest.raises(ValueError, match=r"formats: expected some of npz, .*, got 'csv'"):
        check_formats(["npz", "csv"], placed=True)
    with pytest.raises(ValueError, match="formats: expected intervals and their genome for bigwig"):
        check_formats(["bigwig"], placed=False)
    check_formats(["npz", "bigwig"], placed=True)
