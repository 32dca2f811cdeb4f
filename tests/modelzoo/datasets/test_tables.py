import numpy as np
import pytest
import torch

from modelzoo.datasets.tables import Table
from modelzoo.files import sha256
from modelzoo.sequences import encode
from tests.support.peaks import planted
from tests.support.tables import labelled_rows, table


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.tsv.gz", "t.CSV"])
@pytest.mark.parametrize("missing", ["", "NA", "nan", "."])
def test_a_table_is_read_with_its_missing_labels(tmp_path, name, missing):
    rows = list(labelled_rows(60, missing))
    data = Table(table(tmp_path / name, rows) if name != "t.CSV" else _upper(tmp_path, rows))
    assert data.tasks == ("liver", "kidney") and data.length == 40
    codes, labels = (
        np.concatenate([data.epoch(0, 0)[0], data.held_out[0]]),
        torch.cat([data.epoch(0, 0)[1], data.held_out[1]]),
    )
    found = {bytes(c): row for c, row in zip(codes, labels.tolist())}
    assert len(codes) == 60
    for _, sequence, liver, kidney in rows:
        got = found[bytes(encode(sequence)[0])]
        assert got[0] == liver
        assert np.isnan(got[1]) if kidney == missing else got[1] == kidney


def _upper(folder, rows):
    table(folder / "t.csv", rows)
    return (folder / "t.csv").rename(folder / "T.CSV")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["id\tsequence"], r"line 1: expected the columns id, sequence and a label.*tab-separated"),
        (["id,sequence,a"], r"tab-separated; got \['id,sequence,a'\]"),
        ([], "line 1: expected the columns"),
        (["id\tsequence\ta\ta"], "line 1: expected a name of its own for each label"),
        (["id\tsequence\ta"], "expected rows below the header, got none"),
        (["id\tsequence\ta", "x\tACGT"], "line 2: expected 3 columns, got 2"),
        (["id\tsequence\ta", "x\tACXT\t1"], "line 2: .*got 'X' at position 2"),
        (["id\tsequence\ta", "x\tACGT\t1", "y\tACG\t0"], "line 3: .*one length.* 3 after 4"),
        (["id\tsequence\ta", "x\t\t1"], "line 2: .*one length, at least 1; got 0"),
        (["id\tsequence\ta", "x\tACGT\tyes"], "line 2, a: expected a number or nothing, got 'yes'"),
        (["id\tsequence\ta", "x\tACGT\t2"], "line 2, a: expected a label from 0 to 1, got '2'"),
        (["id\tsequence\ta", "x\tACGT\tinf"], "line 2, a: expected a label from 0 to 1, got 'inf'"),
        (["id\tsequence\ta", "x\tACGT\t1"], "expected labels of 'a' to .* on, got none"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, lines, message):
    path = tmp_path / "t.tsv"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ValueError, match=message) as error:
        Table(path)
    assert str(path) in str(error.value)


def test_counts_may_be_large_but_not_negative(tmp_path):
    rows = [(i, s, 1 + 7 * i) for i, s in enumerate(planted(60, "GATA", 0))]
    header = ("id", "sequence", "reads")
    data = Table(table(tmp_path / "t.tsv", rows, header), "poisson")
    assert data.epoch(0, 0)[1].max() > 1
    rows[3] = (3, rows[3][1], -1)
    with pytest.raises(ValueError, match="line 5, reads: expected a label from 0 to inf, got '-1'"):
        Table(table(tmp_path / "t.tsv", rows, header), "poisson")


def test_what_is_held_out_is_never_trained_on_and_all_epochs_are_the_same(tmp_path):
    path = table(tmp_path / "t.tsv", labelled_rows())
    data = Table(path)
    codes, _ = data.epoch(0, 0)
    assert codes is data.epoch(7, 3)[0] and len(codes) + len(data.held_out[0]) == 400
    assert not set(map(bytes, codes)) & set(map(bytes, data.held_out[0]))
    assert data.sources == {path: sha256(path.read_bytes())}


@pytest.mark.parametrize("keep", [5, 20, 700])
def test_a_cut_gzip_is_named(tmp_path, keep):
    path = table(tmp_path / "t.tsv.gz", labelled_rows())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"t\.tsv\.gz: expected a table, got a damaged file"):
        Table(path)


@pytest.mark.parametrize("content", [b"id\tseq\ta\n\xff\xfe\tAC\t1\n", b"no gzip"])
def test_bytes_that_are_no_text_are_named(tmp_path, content):
    path = tmp_path / ("t.tsv" if b"\t" in content else "t.tsv.gz")
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"t\.tsv.*expected a table, got a damaged file"):
        Table(path)
