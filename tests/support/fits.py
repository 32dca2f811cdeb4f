"""Whether a page fits its window, as Chromium lays it out."""

from itertools import product

_UNREACHABLE = """within => {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > innerWidth) found.push(`the page is ${root.scrollWidth} wide`);
  const scrolls = box => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  const shows = ["pre", "table", "img", "svg", "canvas", "math"].map(tag => `${within} ${tag}`);
  for (const shown of document.querySelectorAll(shows.join())) {
    const drawn = ["math", "svg", "canvas"].includes(shown.tagName.toLowerCase());
    const reached = drawn || shown.scrollWidth <= shown.clientWidth + 1;
    if (reached && shown.getBoundingClientRect().right <= innerWidth + 1) continue;
    let box = shown;
    while (box && !scrolls(box)) box = box.parentElement;
    if (!box) found.push(`${shown.tagName}: ${shown.textContent.trim().slice(0, 40)}`);
  }
  return found;
}"""


WIDTHS = {"phone": 390, "desk": 1400}  # of a window, in pixels


def misfits(page, paths, within):
    """What of each page cannot be reached by scrolling, and what the console said, by path.

    Each page is opened once, and looked at on a phone and on a desk, light and dark.

    Args:
        page: Of `tests.support.explorer.browser`.
        paths: HTML files.
        within: Selects the part of a page that is looked at.
    """
    said, found = [], {}
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in paths:
        page.goto(path.as_uri())
        problems = []
        for (name, width), scheme in product(WIDTHS.items(), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            unreached = page.evaluate(_UNREACHABLE, within)
            problems += [f"{name}, {scheme}: {what}" for what in unreached]
        if problems := problems + said:
            found[path] = problems
        said.clear()
    return found
