"""The page of `vcgen report` in a real Chromium: search, filters, hostile text, phone, dark."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from tests.support.common import CLIPS
from tests.support.pages import hostile_run, make_page, make_run, record, reject
from vcgen.data.records import Turn

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.holds_loop("the loop is that of the browser's driver"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
    pytest.mark.timeout(180),
]
MANY = 10_000


@contextmanager
def chromium() -> Iterator[Browser]:
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=root)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as launched:
        yield launched


class Visit:
    """A page that is open, and all that went wrong there or left it."""

    def __init__(
        self, browser: Browser, file: Path, *, scripts: bool = True, **options: Any
    ) -> None:
        context = browser.new_context(java_script_enabled=scripts, **options)
        self.page: Page = context.new_page()
        self.troubles: list[str] = []
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self._file = file.as_uri()
        context.route("**/*", self._let_pass)
        self.page.goto(self._file)

    def _let_pass(self, route: Route) -> None:
        if route.request.url == self._file:
            route.continue_()
        else:
            self.troubles.append(route.request.url)
            route.abort()

    def shown(self) -> int:
        """How many records are not hidden."""
        hidden = "[...document.querySelectorAll('.r')].filter(r => !r.offsetParent && !r.hidden)"
        visible = "[...document.querySelectorAll('.r')].filter(r => r.offsetParent)"
        assert self.page.evaluate(f"{hidden}.every(r => getComputedStyle(r).display === 'none')")
        count: int = self.page.evaluate(f"{visible}.length")
        return count

    def search(self, words: str) -> str:
        self.page.fill("#find", words)
        self.page.wait_for_timeout(200)  # it waits until nobody types any more
        return self.page.inner_text("#count")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty records of two tasks, four kinds and a flag."""
    causal = Turn("causal", "Why does it run?", "The dog sees a ball.")
    records = [
        record(f"clip-{at}", f"Number{at} runs on a beach.", **fields)
        for at in range(40)
        for fields in [{"task": "conversation", "turns": (causal,)} if at % 4 == 0 else {}]
        for fields in [fields | ({"flags": ("order",)} if at % 10 == 0 else {})]
    ]
    long = record("long", "w" * 3_000, video="v" * 500, task="t" * 300, flags=("f" * 200,))
    path = tmp_path_factory.mktemp("pages")
    rejects = [reject("r" * 300, "m" * 500, "y" * 900)]
    return make_page(make_run(path / "run", [*records, long, *rejects]))


def test_ten_thousand_records_are_all_there_and_searchable(
    browser: Browser, tmp_path: Path
) -> None:
    records = (record(f"harbour-dawn-{at}", f"Boat number{at} leaves.") for at in range(MANY))
    visit = Visit(browser, make_page(make_run(tmp_path / "run", records)))
    assert visit.page.inner_text("#count") == "10,000 of 10,000 shown"
    assert visit.page.locator(".r").count() == MANY
    assert visit.search("number9999") == "1 of 10,000 shown"
    assert visit.shown() == 1
    assert visit.search("") == "10,000 of 10,000 shown"
    assert visit.troubles == []


def test_the_search_finds_all_words_in_any_case_and_says_when_there_is_nothing(
    browser: Browser, page: Path
) -> None:
    visit = Visit(browser, page)
    assert visit.search("BEACH  number7") == "1 of 41 shown"
    assert visit.page.locator(".r:visible h3").inner_text() == "clip-7/description/0"
    assert visit.search("beach mountain") == "0 of 41 shown"
    assert visit.page.locator("#none").is_visible()
    assert visit.search("") == "41 of 41 shown"
    assert not visit.page.locator("#none").is_visible()
    visit.page.press("#find", "Enter")
    assert visit.page.url == page.as_uri()
    assert visit.troubles == []


@pytest.mark.parametrize("scripts", [True, False])
def test_filters_work_with_scripts_and_without(
    browser: Browser, page: Path, *, scripts: bool
) -> None:
    visit = Visit(browser, page, scripts=scripts)
    assert visit.shown() == 41
    for filter_name, choice, left in (
        ("task", "conversation", 10),
        ("kind", "causal", 10),
        ("flag", "order", 2),
        ("task", "description", 0),
        ("kind", "all", 2),
        ("flag", "all", 30),
        ("task", "all", 41),
    ):
        visit.page.select_option(f"#by-{filter_name}", label=choice)
        assert visit.shown() == left, (filter_name, choice)
    assert visit.page.locator("#find").is_visible() == scripts
    assert visit.troubles == []


def test_search_and_filters_hold_together(browser: Browser, page: Path) -> None:
    visit = Visit(browser, page)
    visit.page.select_option("#by-flag", label="order")
    assert visit.search("number10") == "1 of 41 shown"
    assert visit.shown() == 1


@pytest.mark.parametrize("scripts", [True, False])
def test_hostile_text_does_nothing(browser: Browser, tmp_path: Path, *, scripts: bool) -> None:
    visit = Visit(browser, hostile_run(tmp_path / "evil"), scripts=scripts)
    title = visit.page.title()
    for details in visit.page.locator("details").all():
        details.evaluate("each => each.open = true")
    for place in (".q", ".a", "h3", "li", "dd", "pre", "rect", "text", ".flag", "option"):
        for element in visit.page.locator(place).all()[:30]:
            element.dispatch_event("click")
            element.dispatch_event("pointerover")
            element.dispatch_event("mouseover")
            element.dispatch_event("focus")
    if scripts:
        visit.search("script")
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate("window.hacked") is None
    assert visit.page.evaluate("document.querySelectorAll('script').length") == 1
    assert visit.page.title() == title
    assert visit.page.url.startswith("file:")
    assert visit.troubles == []


def test_a_script_that_got_in_would_not_run(browser: Browser, tmp_path: Path) -> None:
    page = make_page(make_run(tmp_path / "run", [record("a")]))
    evil = (
        "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
        "<p style='color: red' id=styled>x</p><a href='javascript:window.hacked = 1' id=link>x</a>"
    )
    page.write_text(page.read_text("utf-8").replace("<main>", f"<main>{evil}"), "utf-8")
    visit = Visit(browser, page)
    visit.page.click("#link")
    visit.page.wait_for_timeout(200)
    assert visit.page.evaluate("window.hacked") is None
    colour = visit.page.evaluate("getComputedStyle(document.getElementById('styled')).color")
    assert colour != "rgb(255, 0, 0)"
    assert len([each for each in visit.troubles if "Content Security Policy" in each]) >= 4


def test_a_bar_says_what_its_line_says(browser: Browser, tmp_path: Path) -> None:
    made = make_run(tmp_path / "run", [record("harbour-dawn")])
    visit = Visit(browser, make_page(made, CLIPS))
    for lane, bars in enumerate(visit.page.locator(".axis svg").all()):
        bars.locator("rect").last.dispatch_event("pointerover")
        said = ["he moves", "We should be back before noon."]
        assert bars.locator("rect").last.locator("title").count() == 1, said[lane]
    assert "12–15 s\tspeech: We should be back before noon." in (  # noqa: RUF001 - a range
        visit.page.locator("rect title").last.text_content() or ""
    )
    assert visit.troubles == []


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(browser: Browser, page: Path, width: int) -> None:
    visit = Visit(browser, page, viewport={"width": width, "height": 844})
    for details in visit.page.locator("details").all():
        details.evaluate("each => each.open = true")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('main *')].filter(e => e.scrollWidth > innerWidth)"
    assert visit.page.evaluate(f"{wide}.map(e => e.outerHTML.slice(0, 99))") == []


def test_dark_is_dark_and_text_has_contrast_in_both(browser: Browser, page: Path) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        visit = Visit(browser, page, color_scheme=scheme)
        ratios = visit.page.evaluate(CONTRASTS)
        assert min(ratios.values()) >= 4.5, (scheme, ratios)
        grounds.append(visit.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


# Of each colour of text on each ground there is, by the formula of WCAG 2.
CONTRASTS = """() => {
  const root = getComputedStyle(document.documentElement);
  const channel = (part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = (name) => {
    const paint = document.createElement("canvas").getContext("2d");
    paint.fillStyle = root.getPropertyValue(name);
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b] = paint.getImageData(0, 0, 1, 1).data;
    return 0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  };
  const found = {};
  const pairs = [["--ink", "--page"], ["--ink", "--card"], ["--ink", "--tint"],
    ["--quiet", "--page"], ["--quiet", "--card"], ["--accent", "--page"], ["--accent", "--card"]];
  for (const [text, ground] of pairs) {
    const [a, b] = [light(text), light(ground)].sort((x, y) => y - x);
    found[`${text} on ${ground}`] = (a + 0.05) / (b + 0.05);
  }
  return found;
}"""


def test_the_keyboard_reaches_everything_and_shows_where_it_is(
    browser: Browser, page: Path
) -> None:
    visit = Visit(browser, page)
    reached = []
    for _ in range(16):
        visit.page.keyboard.press("Tab")
        reached.append(
            visit.page.evaluate(
                "[document.activeElement.tagName, document.activeElement.id, "
                "parseFloat(getComputedStyle(document.activeElement).outlineWidth)]"
            )
        )
    assert {"find", "by-task", "by-kind", "by-flag"} <= {name for _, name, _ in reached}
    assert all(width >= 2 for _, _, width in reached)
