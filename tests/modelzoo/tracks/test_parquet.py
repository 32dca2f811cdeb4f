import numpy as np
import pytest

from modelzoo.tracks.parquet import write_parquet

parquet = pytest.importorskip("pyarrow.parquet")


def test_pyarrow_reads_columns_types_and_what_they_are_of(tmp_path):
    columns = {"name": ["a", "b"], "start": [3, 4], "logit": np.float32([0.5, -1])}
    write_parquet(columns, tmp_path / "t.parquet", {"model": "m", "version": "1"})
    table = parquet.read_table(tmp_path / "t.parquet")
    assert table.to_pydict() == {
        "name": ["a", "b"],
        "start": [3, 4],
        "logit": [0.5, -1.0],
    }
    assert str(table.schema.field("logit").type) == "float"
    assert table.schema.metadata[b"model"] == b"m"


def test_columns_of_other_lengths_leave_no_file(tmp_path):
    with pytest.raises(ValueError):
        write_parquet({"a": [1], "b": [1, 2]}, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
