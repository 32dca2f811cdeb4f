"""One page for all reports: whole, safe to open, and readable anywhere."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from modelzoo.reports import figures
from modelzoo.reports.folder import Report, rounded, write_json
from modelzoo.reports.page import QUICK_RUN, Page
from modelzoo.reports.tables import Table, linked, plain
from tests.support.explorer import browser
from tests.support.fits import misfits

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
HOSTILE = "</title><script>alert(1)</script>\"'&"


class Parsed(HTMLParser):
    """What a page holds: its ids, what it refers to, its text; its tags are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.tags, self.text = [], [], [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[k] for k in ("src", "href", "xlink:href", "data") if k in attrs]
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open[-3:])
        self.open.pop()

    def handle_data(self, data):
        self.text += data


def drawing():
    figure, (axes,) = figures.panels(1, 3, 2)
    axes.plot([0, 1], [1, 0])
    axes.set(title="<title> & more")
    return figure


def filled(page, word="word"):
    page.warning(QUICK_RUN)
    page.facts({word: word})
    page.heading(word)
    page.paragraph(word)
    page.items([word, word])
    page.figure(drawing(), "one", word)
    page.table(Table("t", word, [(word, plain("x"))], [{"x": word}]), folded=True)
    with page.grid():
        page.figure(drawing(), "two", word)
    page.table(Table("s", "", [("card", linked("x"))], [{"x": "card"}]))
    page.card("card", word, {word: word}, drawing(), Table("c", "", [], []))
    page.card("other", word, {}, drawing())
    return page


def test_a_page_needs_nothing_but_itself():
    text = filled(Page("Title")).to_html()
    page = Parsed(text)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert "url(http" not in text and "@import" not in text
    assert "prefers-color-scheme: dark" in text and 'name="viewport"' in text


def test_every_id_is_there_once_and_everything_referred_to_has_one():
    text = filled(Page("Title")).to_html()
    page = Parsed(text)
    assert len(page.ids) == len(set(page.ids))
    assert {"one", "two", "table-t", "table-s", "card", "table-c", "other"} <= set(page.ids)
    referred = set(re.findall(r"url\(#([^)]+)\)", text))
    referred |= {link[1:] for link in page.links if link.startswith("#")}
    assert referred <= set(page.ids)


def test_no_text_becomes_html():
    page = Parsed(filled(Page(HOSTILE), HOSTILE).to_html())
    assert page.tags.count("script") == 1  # the search's own
    assert page.tags.count("title") == 1
    assert page.text.count(HOSTILE) >= 12


def test_what_was_found_stands_first_and_the_command_last():
    page = Page("Title")
    page.heading("First")
    page.paragraph("text")
    page.warning("careful")
    page.summary(["it is <so>"])
    page.made_by("shiftsmooth evaluate")
    words = ["careful", "it is <so>", "First", "text", "Made by shiftsmooth evaluate"]
    text = Parsed(page.to_html()).text
    assert sorted(words, key=text.rindex) == words


def test_the_contents_lead_to_every_heading_and_only_a_long_page_has_them():
    page = Page("Title")
    page.facts({"a": "b"})
    for number in range(3):
        assert "<nav" not in page.to_html()
        page.heading(f"Part {number} & more")
        page.heading("Detail", 3)
    text = page.to_html()
    assert text.index("<dl>") < text.index("<nav") < text.index("<h2")
    links = re.findall(r'<a href="#([^"]+)">([^<]+)</a>', text)
    headings = re.findall(r'<h[23] id="([^"]+)">([^<]+)</h', text)
    assert len(links) == 6 and links == headings


def test_every_drawing_has_words_for_those_who_do_not_see_it():
    drawings = re.findall("<svg [^>]*>", filled(Page("Title")).to_html())
    assert len(drawings) == 4
    assert all(re.search('role="img" aria-label="[^"]+"', drawing) for drawing in drawings)


def test_a_table_can_be_downloaded_as_it_is_known():
    table = Table("t", "", [("shown", plain("x"))], [{"x": "1 & 2", "also": 0.123456789}])
    page = Page("Title")
    page.table(table)
    page.table(Table("empty", "", [], []))
    ((name, data),) = re.findall('download="([^"]+)" href="data:[^,]+,([^"]*)"', page.to_html())
    assert (name, unquote(data)) == ("t.csv", table.to_csv())


def test_only_a_page_with_cards_has_a_search():
    page = Page("Title")
    page.paragraph("text")
    assert "<input" not in page.to_html() and "<script" not in page.to_html()
    assert filled(page).to_html().count("<input") == 1


def test_a_quick_run_says_so_before_anything_else():
    text = Parsed(filled(Page("Title")).to_html()).text
    assert text.index("do not cite") < text.index("word")


def test_a_report_keeps_its_tables_and_figures_as_files(tmp_path):
    report = filled(Report(tmp_path / "report", "Title", quick=False))
    assert report.finish() == tmp_path / "report" / "index.html"
    names = {p.relative_to(report.folder).as_posix() for p in report.folder.rglob("*.*")}
    assert names == {
        "index.html", "tables/t.csv", "tables/t.md", "tables/s.csv", "tables/s.md",
        "figures/one.svg", "figures/one.png", "figures/two.svg", "figures/two.png",
    }  # fmt: skip


def test_the_same_content_makes_the_same_page():
    assert filled(Page("Title")).to_html() == filled(Page("Title")).to_html()


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path, page = tmp_path / "results.json", Page("old")
    write_json(path, {"seed": 1})
    page.write(tmp_path / "index.html")
    before = [path.read_bytes(), (tmp_path / "index.html").read_bytes()]

    def killed(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_json(path, {"seed": 2})
    with pytest.raises(KeyboardInterrupt):
        Page("new").write(tmp_path / "index.html")
    assert before == [path.read_bytes(), (tmp_path / "index.html").read_bytes()]


def test_numbers_are_rounded_wherever_they_are():
    assert rounded({"a": [1 / 3, (2 / 3, "1.23456789")], "b": 12345678}) == {
        "a": [0.333333, [0.666667, "1.23456789"]],
        "b": 12345678,
    }


@pytest.mark.skipif(BROWSER is None, reason="no browser")
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
def test_a_page_opens_in_a_browser_without_complaint(size, tmp_path):
    index = filled(Page("Title")).write(tmp_path / "index.html")
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--window-size={size}",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--enable-logging=stderr",
            "--dump-dom",
            index.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert done.stdout.count("<svg") == 4


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no browser")
def test_a_page_fits_a_phone_and_a_desk(tmp_path):
    page = filled(Page("A" * 60), "a word of which there are many " * 4)
    page.heading("Wide")
    page.summary(["a" * 200])
    page.made_by("shiftsmooth " + "a" * 300)
    page.figure(figures.panels(4, 4, 2, columns=4)[0], "wide", "four panels")
    columns = [(f"column {i}", plain("x")) for i in range(30)]
    page.table(Table("wide-table", "caption " * 30, columns, [{"x": 0.123456}]))
    path = page.write(tmp_path / "index.html")
    with browser() as chromium:
        assert misfits(chromium.new_page(), [path], "body") == {}


def test_a_quick_report_says_so_on_top_and_another_does_not(tmp_path):
    quick = Report(tmp_path / "quick", "Title", quick=True)
    quick.paragraph("First words.")
    text = Parsed(quick.to_html()).text
    assert text.index(QUICK_RUN) < text.index("First words.")
    assert QUICK_RUN not in Report(tmp_path / "full", "Title", quick=False).to_html()
