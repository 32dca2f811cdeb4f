"""Attributions to look through: what the page holds, and what a real browser makes of it."""

import base64
import gzip
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pandas
import pytest

from modelzoo.reports.browser import Shown, add_browser, add_logos
from modelzoo.reports.page import Page
from modelzoo.sequences import Interval, decode, encode

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
HOSTILE = "</script><script>document.title = 'run'</script>"
UNIT = "contribution to the logit, against the mean base"
SIZES = {"chr1": 10_000, "chr2": 1_000_000}


def shown(count=3, length=60, spread=True, placed=True, apart=500):
    rng = np.random.default_rng(0)
    return [
        Shown(
            f"peak {number}",
            {"logit": "3.2"},
            rng.integers(4, size=length).astype("u1"),
            rng.normal(size=length),
            rng.random(length) if spread else None,
            Interval("chr2", apart * number, apart * number + length, "+-."[number % 3])
            if placed
            else None,
        )
        for number in range(count)
    ]


def unpacked(page, name):
    packed = re.search(rf'id="{name}">(.*?)</script>', page.to_html(), re.DOTALL)[1]
    return gzip.decompress(base64.b64decode(packed))


def content(page):
    """What the browser gets, with each stretch's numbers in the place of the largest ones."""
    made = json.loads(unpacked(page, "shown"))
    numbers = np.frombuffer(unpacked(page, "numbers"), "i1")
    for run in made["runs"]:
        for name, steps in made["steps"].items():
            if name in run:
                count = len(run["letters"])
                largest = np.repeat(run[name], made["block"])[:count]
                run[name], numbers = numbers[:count] * largest / steps, numbers[count:]
    assert not len(numbers)
    return made


def placed(starts, ends, names, rng):
    """Hits on chr2."""
    values = {"chrom": "chr2", "start": starts, "end": ends, "name": names}
    values |= {"attribution": rng.normal(size=len(starts)), "strand": "+", "p_value": 1e-5}
    return pandas.DataFrame(values)


def test_hits_of_the_peaks_that_are_shown_are_in_the_page_once():
    names = ["GATA3", "seqlet", "SPI1", "CTCF"]
    rng = np.random.default_rng(0)
    hits = placed([510, 505, 508, 5000], [518, 520, 548, 5010], names, rng)
    hits["attribution"] = 2.0
    made = content(with_browser(*shown(), hits=pandas.concat([hits, hits])))
    assert [row[3] for row in made["hits"]] == ["seqlet", "GATA3"]


def with_browser(*rows, **options):
    page = Page("Attributions")
    add_browser(page, rows, SIZES, unit=UNIT, total=7, **options)
    return page


def test_the_browser_gets_letters_and_numbers_on_the_forward_strand():
    plus, minus, _ = rows = shown()
    first, second, _ = content(with_browser(*rows))["runs"]
    assert first["letters"] == decode(plus.codes[None])[0]
    assert second["letters"] == decode(3 - minus.codes[None, ::-1])[0]
    for run, one, turn in ((first, plus, 1), (second, minus, -1)):
        for name, values, count in (
            ("contribution", one.contributions, 127),
            ("spread", one.spread, 31),
        ):
            step = np.abs(values).max() / count
            np.testing.assert_allclose(run[name], values[::turn], atol=0.51 * step)


def test_a_large_number_does_not_coarsen_those_of_another_peak():
    values = np.random.default_rng(0).normal(size=600)
    values[0] = 1000
    one = Shown("a", {}, np.zeros(600, "u1"), values, None, Interval("chr1", 0, 600))
    (run,) = content(with_browser(one))["runs"]
    np.testing.assert_allclose(run["contribution"][250:], values[250:], atol=4 / 254)


def test_windows_that_overlap_are_one_stretch_with_their_mean():
    codes = encode("ACGTACGTAC")[0]
    one = Shown("a", {}, codes[:6], np.ones(6), None, Interval("chr1", 4, 10))
    other = Shown("b", {}, codes[2:], 3 * np.ones(8), None, Interval("chr1", 6, 14))
    (run,) = content(with_browser(one, other))["runs"]
    assert (run["start"], run["letters"]) == (4, "ACGTACGTAC")
    wanted = [1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    np.testing.assert_allclose(run["contribution"], wanted, atol=3 / 254 + 1e-6)
    assert "spread" not in run


def test_positions_before_the_chromosome_are_left_out():
    one = Shown("a", {}, encode("NNACGT")[0], np.ones(6), None, Interval("chr1", -2, 4))
    made = content(with_browser(one))
    assert (made["runs"][0]["start"], made["runs"][0]["letters"]) == (0, "ACGT")
    assert made["peaks"][0]["start"] == 0


@pytest.mark.slow
def test_five_hundred_peaks_with_spread_are_less_than_two_megabytes():
    rows = shown(500, 1000, apart=1000)
    rng = np.random.default_rng(1)
    starts = rng.integers(0, 499_000, 20_000)
    hits = placed(starts, starts + 10, rng.choice(["GATA3", "SPI1", "CTCF"], 20_000), rng)
    assert len(with_browser(*rows, hits=hits).to_html()) < 2e6


def test_five_hundred_logos_are_less_than_two_megabytes():
    page = Page("Attributions")
    add_logos(page, shown(500, 1000, placed=False), unit=UNIT, total=600)
    assert len(page.to_html()) < 2e6


def opened(page, folder, script="", size="1280,900", theme="light"):
    """Return what a page holds after its scripts and one more ran, and what the console said."""
    path = folder / "index.html"
    after = f"<script type=module>{script}</script></body>"
    path.write_text(page.to_html().replace("</body>", after))
    done = subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--host-resolver-rules=MAP * ~NOTFOUND",  # what asks the network, fails and complains
            f"--window-size={size}",
            f"--blink-settings=preferredColorScheme={int(theme == 'light')}",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


in_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")

JUMP = """
const ready = setInterval(() => {
  if (!document.getElementById("browser").dataset.ready) return;
  clearInterval(ready);
  const label = document.getElementById("browser").shadowRoot.querySelector(".igv-track-label");
  document.getElementById("browser").dataset.ink = getComputedStyle(label).color;
  document.getElementById("next").click();
  const find = document.getElementById("find");
  find.value = "peak 99";
  find.dispatchEvent(new Event("input"));
}, 100);
"""


@in_chromium
@pytest.mark.slow
@pytest.mark.parametrize("size", ["1280,900", "390,844"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_genome_browser_opens_jumps_and_searches_without_network(theme, size, tmp_path):
    hits = placed([510], [520], [HOSTILE], np.random.default_rng(0))
    page = with_browser(*shown(), hits=hits)
    dom, console = opened(page, tmp_path, JUMP, size, theme)
    assert console == []
    assert 'data-ready="yes" data-ink="rgb(0, 0, 0)"' in dom
    assert re.findall(r'<button type="button" aria-current="">.*?<b>(.*?)</b>', dom) == ["peak 1"]
    assert 'No peak on this page matches "peak 99". It shows 3 of 7.' in html.unescape(dom)
    assert "<title>Attributions</title>" in dom


@in_chromium
@pytest.mark.slow
def test_logos_are_drawn_when_they_come_into_view(tmp_path):
    page = Page("Attributions")
    add_logos(page, shown(30, placed=False), unit=UNIT, total=40)
    search = """
    const input = document.querySelector("input");
    setTimeout(() => { input.value = "peak 99"; input.dispatchEvent(new Event("input")); }, 3000);
    """
    dom, console = opened(page, tmp_path, search)
    assert console == []
    drawn = dom.count('aria-label="logo of')
    assert 0 < drawn < 30
    assert 'None of the 30 on this page matches "peak 99".' in html.unescape(dom)
