from modelzoo.reports.page import Page
from modelzoo.reports.quality import add_quality
from shiftsmooth.quality import Quality, measure


def test_measures_verdicts_and_advice_are_on_the_page():
    page = Page("Run")
    measures = (
        measure("window stability", 0.5, 12),
        measure("completeness", None, why="This method has none."),
    )
    unlike = (("<b>odd</b>", "share of G and C"),)
    add_quality(page, Quality(12, measures, constant=("dead",), unlike=unlike))
    text = page.to_html()
    assert "From a sample of 12 sequences; overall: poor." in text
    assert "0.500" in text and "at least 0.95" in text and "at most 0.05" in text
    assert "completeness: This method has none." in text
    assert "constant output: dead" in text
    assert "unlike the others in share of G and C: &lt;b&gt;odd&lt;/b&gt;" in text
