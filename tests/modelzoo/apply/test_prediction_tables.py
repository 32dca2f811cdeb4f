import numpy as np
import pytest

from modelzoo.apply.predict import Prediction, Predictions
from modelzoo.apply.prediction_tables import ROWS, saving
from modelzoo.sequences import Interval

parquet = pytest.importorskip("pyarrow.parquet")
COLUMNS = ["id", "chrom", "start", "end", "strand", "logit", "probability"]


def rows(count):
    return [
        Prediction(f"r{i}", [i / 3], [1 / (i + 1)], [], Interval("chr1", i, i + 9, "-"))
        for i in range(count)
    ]


def written(folder, found, *formats):
    made = Predictions(COLUMNS, ["GATA3"], iter(found))
    yield from saving(made, made, folder / "a.tsv", formats, {"model": "m"})


def test_rows_come_through_and_are_in_the_table_in_their_order(tmp_path):
    given = rows(ROWS + 3)
    assert list(written(tmp_path, given, "parquet")) == given
    table = parquet.read_table(tmp_path / "a.parquet").to_pydict()
    assert list(table) == COLUMNS
    assert table["id"] == [one.name for one in given]
    assert table["start"] == list(range(len(given))) and set(table["strand"]) == {"-"}
    assert np.array_equal(table["logit"], np.float32([one.logits[0] for one in given]))
    assert np.array_equal(table["probability"], np.float32([1 / one for one in range(1, ROWS + 4)]))


def test_a_table_without_rows_has_the_types_of_others(tmp_path):
    schemas = []
    for count in (0, 1):
        list(written(tmp_path, rows(count), "parquet"))
        schemas.append(parquet.read_schema(tmp_path / "a.parquet"))
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert schemas[0].metadata[b"model"] == b"m"


@pytest.mark.parametrize("count", [0, ROWS + 3])
def test_anndata_holds_all_rows(tmp_path, count):
    anndata = pytest.importorskip("anndata")
    list(written(tmp_path, rows(count), "h5ad"))
    found = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert np.array_equal(found.X[:, 0], np.float32(np.arange(count) / 3))
    assert found.obs["id"].tolist() == [f"r{i}" for i in range(count)]
    assert found.obs["end"].tolist() == list(range(9, count + 9))


def test_what_ends_early_leaves_no_file(tmp_path):
    left = written(tmp_path, rows(5), "parquet", "h5ad")
    next(left)
    left.close()
    assert list(tmp_path.iterdir()) == []
