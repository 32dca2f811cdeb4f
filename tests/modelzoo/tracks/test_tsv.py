import io

import pytest

from modelzoo.tracks.tsv import write_tsv
from tests.support.tsv import table


def test_rows_are_written_below_their_header_and_counted():
    file = io.StringIO()
    assert write_tsv(file, ["id", "logit"], iter([["a", "1"], ["b", "2.5"]])) == 2
    assert table(file.getvalue()) == [{"id": "a", "logit": "1"}, {"id": "b", "logit": "2.5"}]


def test_a_table_without_rows_has_a_header():
    file = io.StringIO()
    assert write_tsv(file, ["id", "logit"], []) == 0
    assert file.getvalue() == "id\tlogit\n"


@pytest.mark.parametrize(
    "name", ['"begins', 'in"side', "=cmd", "@sum", "plain", "'", "-5", "chr1:1-2"]
)
def test_a_name_is_read_back_and_merges_no_rows(name):
    file = io.StringIO()
    write_tsv(file, ["id", "logit"], [[name, "1"], ["next", "2"], ['"', "3"]])
    rows = table(file.getvalue())
    assert [row["id"] for row in rows] == [name, "next", '"']
    assert len(file.getvalue().splitlines()) == 4


def test_a_spreadsheet_runs_no_name():
    file = io.StringIO()
    write_tsv(file, ["id"], [["=cmd|' /C calc'!A0"]])
    assert not any(line.startswith("=") for line in file.getvalue().splitlines())
