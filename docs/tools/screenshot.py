"""Takes the picture of the explorer: python docs/tools/screenshot.py

images/explorer.png  the page with its first example; left as it is where there is no browser
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from tests.support.explorer import CHROMIUM, browser, explorer  # noqa: E402

IMAGE = ROOT / "docs" / "images" / "explorer.png"


def main() -> None:
    """Write the picture."""
    if CHROMIUM is None:
        print("no Chromium: images/explorer.png stays as it is")
        return
    with explorer("--model", "moe-arid3a-foxm1-gata3") as (url, _), browser() as chromium:
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("#track-heat canvas", timeout=300_000)
        page.wait_for_selector("#hits td", timeout=300_000)
        all_there = "() => document.getElementById('later').textContent === ''"
        page.wait_for_function(all_there, timeout=300_000)
        page.screenshot(path=IMAGE, full_page=True)
    print(IMAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
