"""The page as a person uses it, in Chromium."""

import re

import pytest

from modelzoo.app.explain import EXAMPLES
from tests.support.explorer import CHROMIUM, browser, explorer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]
MIXTURE, EXPERT = "moe-arid3a-foxm1-gata3", "deepbind-gata3"
UNCALIBRATED = "tower-gata3"
PEAK = EXAMPLES["GATA on both strands"]
HOSTILE = "<img src=x onerror=document.title='run'>"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("playwright.sync_api")
    names = (MIXTURE, EXPERT, UNCALIBRATED)
    with explorer(*(word for name in names for word in ("--model", name))) as (url, _):
        yield url


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


class Visit:
    """A page that is open, what its console said, and what it asked of other servers."""

    def __init__(self, page, url):
        self.page, self.said, self.outside = page, [], []
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda asked: self.note(asked.url, url))

    def note(self, asked, url):
        if not asked.startswith((url, "blob:", "data:")):
            self.outside.append(asked)

    def logit(self):
        return self.page.inner_text("#status")

    def changed_from(self, logit):
        self.page.wait_for_function(
            "before => document.getElementById('status').textContent !== before", arg=logit
        )
        return self.logit()


@pytest.fixture
def visit(server, chromium, request):
    options = getattr(request, "param", {})
    width, height = SIZES[options.get("size", "desktop")]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme=options.get("scheme", "light"),
        accept_downloads=True,
    )
    made = Visit(context.new_page(), server)
    made.page.goto(server + options.get("link", ""))
    made.page.wait_for_selector("#track-shiftsmooth canvas")
    yield made
    assert made.outside == []
    # A refused question is an answer with a status that Chromium always writes to its console.
    assert [text for text in made.said if "422" not in text and "413" not in text] == []
    context.close()


def letter(visit, position):
    return visit.page.locator(".letters button").nth(position)


def test_the_first_look_shows_prediction_gate_and_letters(visit):
    assert visit.logit() == "binding: logit 2.993, probability 0.919"
    assert re.findall(r"\w+ expert", visit.page.inner_text("#answers")) == [
        "ARID3A expert",
        "FOXM1 expert",
        "GATA3 expert",
    ]
    assert "GATA3" in visit.page.inner_text("#gate")
    assert "*" not in visit.page.inner_text("#answers")
    visit.page.wait_for_selector("#track-heat canvas")
    titles = visit.page.locator(".track b").all_inner_texts()
    assert titles[:4] == [
        "Gradient",
        "ShiftSmooth N=5",
        "ShiftSmooth N=5 over IG",
        "In-silico mutagenesis",
    ]
    visit.page.wait_for_selector("#hits >> text=TRPS1")


def test_a_pasted_sequence_is_answered(visit):
    before = visit.logit()
    visit.page.fill("#sequence", EXAMPLES["A GATA3 peak"].lower())
    assert visit.changed_from(before).startswith("binding: logit 3.736")


def test_a_click_on_a_letter_changes_the_base(visit):
    before = visit.logit()
    letter(visit, 52).click()
    visit.page.locator("#bases button", has_text="C").click()
    assert visit.page.input_value("#sequence") == f"{PEAK[:52]}C{PEAK[53:]}"
    assert visit.changed_from(before) != before
    assert letter(visit, 52).inner_text() == "C"


def test_a_click_on_the_logo_opens_the_same_choice(visit):
    visit.page.locator("#track-gradient canvas").click(position={"x": 52.5 * 12, "y": 20})
    visit.page.wait_for_selector("#bases button")
    visit.page.keyboard.press("Escape")
    visit.page.wait_for_selector("#bases", state="hidden")


def test_a_field_of_the_heat_map_makes_its_mutation(visit):
    visit.page.wait_for_selector("#track-heat canvas")
    before = visit.logit()
    visit.page.locator("#track-heat canvas").click(position={"x": 52.5 * 12, "y": 1.5 * 16})
    assert visit.page.input_value("#sequence") == f"{PEAK[:52]}C{PEAK[53:]}"
    assert visit.changed_from(before) != before


def test_the_keyboard_moves_and_changes(visit):
    before = visit.logit()
    letter(visit, 50).focus()
    visit.page.keyboard.press("ArrowRight")
    visit.page.keyboard.press("c")
    assert visit.page.input_value("#sequence") == f"{PEAK[:51]}C{PEAK[52:]}"
    assert visit.changed_from(before) != before
    assert letter(visit, 51).evaluate("button => button === document.activeElement")


def test_the_slider_redraws_with_more_shifts(visit):
    visit.page.locator("#max_shift").focus()
    visit.page.keyboard.press("End")
    visit.page.wait_for_selector(".track >> text='ShiftSmooth N=20'")
    assert visit.page.inner_text("#shown-shift") == "20"


@pytest.mark.parametrize("how", ["reverse", "shuffle", "random"])
def test_the_buttons_make_another_sequence(visit, how):
    visit.page.click(f"[data-edit={how}]")
    visit.page.wait_for_function(
        "before => document.getElementById('sequence').value !== before", arg=PEAK
    )
    assert len(visit.page.input_value("#sequence")) == len(PEAK)


@pytest.mark.nightly
def test_another_model_answers_for_itself(visit):
    visit.page.select_option("#model", EXPERT)
    visit.page.wait_for_selector("#status >> text=GATA3: logit 3.303")
    assert visit.page.is_hidden("#gate-part")


@pytest.mark.nightly
def test_a_probability_that_is_not_calibrated_is_marked(visit):
    visit.page.select_option("#model", UNCALIBRATED)
    visit.page.wait_for_selector("#answers-note >> text=* not calibrated")
    assert re.search(r"0\.\d{3} \*", visit.page.inner_text("#answers"))


@pytest.mark.nightly
def test_error_bars_follow_mutagenesis(visit):
    held = []
    visit.page.route("**/api/bars", lambda route: held.append(route))
    visit.page.fill("#sequence", EXAMPLES["A GATA3 peak"])
    visit.page.wait_for_selector("#later >> text=More error bars follow")
    rows = ("shiftsmooth-ig", "ism")
    drawn = "name => document.querySelector(`#track-${name} canvas`).toDataURL()"
    before = [visit.page.evaluate(drawn, name) for name in rows]
    held[-1].continue_()
    visit.page.wait_for_function("() => document.getElementById('later').textContent === ''")
    after = [visit.page.evaluate(drawn, name) for name in rows]
    assert all(one != other for one, other in zip(before, after))


@pytest.mark.nightly
def test_windows_that_move_are_drawn_when_they_are_asked_for(visit):
    visit.page.click("#moved summary")
    visit.page.wait_for_function("() => document.getElementById('shifts').naturalWidth > 1000")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "begins"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("csv", b"position,letter,")]
)
def test_files_are_downloaded(visit, kind, begins):
    with visit.page.expect_download() as found:
        visit.page.click(f"[data-file={kind}]")
    content = found.value.path().read_bytes()
    assert found.value.suggested_filename == f"logos.{kind}"
    assert content.startswith(begins)


@pytest.mark.nightly
def test_the_lines_of_python_are_shown(visit):
    visit.page.click("[data-file=python]")
    visit.page.wait_for_selector("#lines")
    assert f"load_any({MIXTURE!r})" in visit.page.inner_text("#lines")


BAD = {
    "other letters": ("ACGT!", "“!” is no letter"),
    "digits": ("1 ACGT", "“1” is no letter"),
    "protein": ("MEEPQSDPSV", "“E” is no letter"),
    "markup": (HOSTILE, "“<” is no letter"),
    "emoji": ("ACG🧬T", "“🧬” is no letter"),
    "other alphabet": ("АСGT", "“А” is no letter"),  # Cyrillic
    "invisible": ("ACG\u200bT", "is no letter"),
    "gaps": ("ACG--T", "“-” is no letter"),
    "too long": ("A" * 10_001, "Too long: at most 10,000 letters."),
}


def test_bad_input_is_said_beside_its_field(visit):
    for text, said in BAD.values():
        visit.page.fill("#sequence", "ACGT")
        assert visit.page.inner_text("#sequence-error") == ""
        visit.page.fill("#sequence", text)
        assert said in visit.page.inner_text("#sequence-error")
    assert visit.page.get_attribute("#sequence", "aria-invalid") == "true"
    visit.page.fill("#sequence", "ACGT")
    assert visit.page.inner_text("#sequence-error") == ""


@pytest.mark.nightly
def test_no_sequence_says_so(visit):
    visit.page.fill("#sequence", " \n ")
    assert "No letters yet" in visit.page.inner_text("#counted")


@pytest.mark.nightly
def test_a_single_letter_is_answered(visit):
    before = visit.logit()
    visit.page.fill("#sequence", "A")
    assert visit.changed_from(before) != before
    assert visit.page.inner_text("#shown-shift") == "0"


def fasta(*records):
    return {
        "name": "peaks.fa",
        "mimeType": "text/plain",
        "buffer": "".join(f">{name}\n{text}\n" for name, text in records).encode(),
    }


@pytest.mark.nightly
def test_an_uploaded_file_is_a_table_that_can_be_sorted(visit):
    peak = EXAMPLES["A GATA3 peak"]
    visit.page.set_input_files("#file", fasta((HOSTILE, PEAK), ("b", peak), ("c", "AC!")))
    visit.page.wait_for_selector("#rows-status >> text=2 of 2 sequences")
    names = visit.page.locator("#rows tbody th")
    assert names.all_inner_texts() == [HOSTILE.split()[0], "b"]  # the first word is the name
    assert "got '!' at position 2 of 'c'" in visit.page.inner_text("#wrong")
    visit.page.click("[data-sort=number]")
    assert names.all_inner_texts() == ["b", HOSTILE.split()[0]]
    names.nth(0).locator("button").click()
    assert visit.page.input_value("#sequence") == peak
    assert visit.page.title() == "ShiftSmooth explorer"


@pytest.mark.nightly
def test_pasted_records_are_a_table_too(visit):
    visit.page.fill("#sequence", f">a\n{PEAK}\n>b\n{PEAK}\n")
    visit.page.wait_for_selector("#rows-status >> text=2 of 2 sequences")


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "expected FASTA records, got none"),
        (b"no fasta", "expected a record to begin with '>'"),
        (b"\x1f\x8b\x08\x00", "a compressed file; unpack it first"),
        (b"\x89PNG\r\n\x1a\n\x00", "expected a record to begin"),
        (b">a\n" + b"A" * 5_000_000, "Too large: at most 5 MB."),
        (b">a\n" + b"A" * 10_001, "expected 10,000 at most"),
    ],
)
def test_a_bad_file_is_said_beside_its_field(visit, content, said):
    file = {"name": "f.fa", "mimeType": "text/plain", "buffer": content}
    visit.page.set_input_files("#file", file)
    visit.page.wait_for_function("() => document.getElementById('file-error').textContent")
    assert said in visit.page.inner_text("#file-error")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "visit", [{"link": f"/#sequence={PEAK}&model={EXPERT}&n=2"}], indirect=True
)
def test_a_link_brings_back_what_it_showed(visit):
    assert visit.logit().startswith("GATA3: logit")
    visit.page.wait_for_selector(".track >> text='ShiftSmooth N=2'")


def test_a_hostile_link_stays_text(server, chromium):
    page = chromium.new_page()
    page.goto(f"{server}/#sequence={HOSTILE}&model={HOSTILE}")
    page.wait_for_function("() => document.getElementById('sequence-error').textContent")
    assert page.input_value("#sequence") == HOSTILE
    assert page.title() == "ShiftSmooth explorer"
    assert page.locator("img").count() == 1  # the page's own, of the moved window
    page.close()


@pytest.mark.nightly
@pytest.mark.parametrize(
    "visit", [{"size": "phone"}, {"scheme": "dark"}, {"size": "phone", "scheme": "dark"}],
    indirect=True, ids=["phone", "dark", "both"],
)  # fmt: skip
def test_the_page_fits_and_follows_the_theme(visit, request):
    visit.page.wait_for_selector("#track-heat canvas")
    visit.page.wait_for_selector("#hits td")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert visit.page.evaluate(fits)
    paper = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    dark = visit.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert paper == ("rgb(23, 24, 26)" if dark else "rgb(255, 255, 255)")


@pytest.mark.nightly
def test_everything_one_can_use_has_a_name(visit):
    visit.page.wait_for_selector("#track-heat canvas")
    nameless = """() => [...document.querySelectorAll(
        "button, select, input, textarea, canvas[role=img], img")].filter(one =>
        !(one.textContent.trim() || one.labels?.length || one.getAttribute("aria-label")
          || one.alt || one.closest("label"))).map(one => one.outerHTML)"""
    assert visit.page.evaluate(nameless) == []


@pytest.mark.nightly
def test_a_long_sequence_is_looked_at_in_parts(visit):
    visit.page.fill("#sequence", "ACGT" * 200 + PEAK + "ACGT" * 200)
    visit.page.wait_for_selector("#overview-part")
    assert 651 <= int(visit.page.input_value("#first")) <= 850
    visit.page.locator("#first").focus()
    visit.page.keyboard.press("Home")
    assert letter(visit, 0).get_attribute("aria-label") == "position 0, A"
