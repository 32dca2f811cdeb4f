import io

from rich.console import Console

from modelzoo.cli.models import _table
from modelzoo.zoo import catalog
from tests.support.tsv import table


def test_models_lists_names_tasks_and_scores_as_tsv(tiny, shiftsmooth):
    (row,) = table(shiftsmooth("models").out)
    assert row["name"] == "tiny-gata3"
    assert row["tasks"] == "GATA3"
    assert row["ROC AUC"] == "GATA3 0.912, CTCF 0.500"
    assert row["shipped"] == "yes"
    assert (row["factors"], row["cell lines"], row["own AUC"]) == ("GATA3", "SH-SY5Y", "0.912")


def test_the_table_fits_a_terminal_of_80_columns_with_whole_names():
    infos = [catalog.info(name) for name in catalog.list_models()]
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    console.print(_table(infos))
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:]] == catalog.list_models()
