"""A table says the same in every form."""

from modelzoo.reports import tables


def example(**arguments):
    columns = [("a_b", tables.plain("x")), ("p", tables.probability("p"))]
    rows = [{"x": "1 & 2", "p": 0.04}, {"x": None, "p": 1e-7}]
    return tables.Table("t", "A_caption", columns, rows, **arguments)


def test_a_table_is_the_same_in_every_form():
    table = example()
    assert table.to_markdown() == (
        "A_caption\n\n| a_b | p |\n| --- | --- |\n| 1 & 2 | 0.040 |\n| – | 1.0e-07 |\n"
    )
    assert r"1 \& 2 & 0.040 \\" in table.to_latex() and r"A\_caption" in table.to_latex()
    assert "<td>1 &amp; 2</td>" in table.to_html()
    assert table.to_csv() == "x,p\n1 & 2,0.04\n,1e-07\n"


def test_a_p_value_that_is_not_there_is_a_dash():
    assert tables.probability("p")({"p": None}) == tables.probability("p")({}) == "–"


def test_latex_is_written_only_where_it_is_asked_for(tmp_path):
    example().save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"t.csv", "t.md"}
    example(latex=True).save(tmp_path)
    assert (tmp_path / "t.tex").read_text() == example().to_latex()


def test_csv_has_a_column_for_every_key_that_any_row_has():
    assert tables.to_csv([{"a": 1}, {"b": 2}]) == "a,b\n1,\n,2\n"


def test_a_table_without_a_caption_begins_with_its_headings():
    table = tables.Table("", "", [("x", tables.plain("x"))], [{"x": 1}])
    assert table.to_markdown() == "| x |\n| --- |\n| 1 |\n"
    assert "<caption>" not in table.to_html()


def test_numbers_with_signs_and_intervals():
    row = {"m": -0.0124, "l": -0.5, "h": 0.25}
    assert tables.with_interval("m", "l", "h", 2, sign=True)(row) == "−0.01 (−0.50, +0.25)"
    assert tables.number("missing")({}) == "–"


def test_a_link_keeps_what_it_links_to_from_being_read_as_html():
    table = tables.Table("t", "", [("x", tables.linked("x"))], [{"x": 'a"<b>'}])
    assert '<a href="#a&quot;&lt;b&gt;">a&quot;&lt;b&gt;</a>' in table.to_html()
