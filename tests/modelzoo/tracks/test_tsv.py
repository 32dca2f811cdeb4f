import io

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
