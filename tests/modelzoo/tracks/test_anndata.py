import numpy as np
import pytest

from modelzoo.sequences import Interval
from modelzoo.tracks.anndata import write_anndata
from modelzoo.tracks.placed import columns

anndata = pytest.importorskip("anndata")


def test_anndata_reads_peaks_by_tasks(tmp_path):
    peaks = [Interval("chr1", 5, 9, "-", "p"), Interval("chr2", 1, 5, ".", "p")]
    outputs = np.arange(6.0).reshape(2, 3)
    write_anndata(columns(peaks), outputs, "abc", tmp_path / "out.h5ad", {"model": "m"})
    found = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert np.array_equal(found.X, outputs)
    assert list(found.var_names) == ["a", "b", "c"]
    assert found.obs["start"].tolist() == [5, 1]
    assert found.obs["name"].tolist() == ["p", "p"]
    assert found.uns["model"] == "m"
