"""Whether a page fits its window, as Chromium lays it out."""

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


def misfits(chromium, paths, width, scheme, within):
    """What of each page cannot be reached by scrolling, and what the console said, by path.

    Args:
        chromium: As of `tests.support.explorer.browser`.
        paths: HTML files.
        width: Of the window, in pixels.
        scheme: `"light"` or `"dark"`.
        within: Selects the part of a page that is looked at.
    """
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, said, found = context.new_page(), [], {}
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in paths:
        page.goto(path.as_uri())
        if problems := page.evaluate(_UNREACHABLE, within) + said:
            found[path] = problems
        said.clear()
    return found, page
