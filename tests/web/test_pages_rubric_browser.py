"""The rubric editor in a real browser, with and without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import unescape

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, browsing, playwright
from web_kit import ESSAY, HOSTILE, RUBRIC, Service

from gradeq.grading.rubric import parse_rubric

pytestmark = PAGE_IN_BROWSER

PATH = "/courses/biology/assignments/sleep/rubric"
EXPECT = playwright.expect


def named(field: str) -> str:
    return f'[id="{field}"]'


async def stored(service: Service) -> str:
    return str((await service.get(f"{service.place}/rubric"))["source"])


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def opened(browser: playwright.Browser, url: str, **context: object) -> Browsed:
    browsed = Browsed(await (await browser.new_context(**context)).new_page())
    await browsed.page.goto(url)
    return browsed


async def write_a_rubric(browsed: Browsed) -> None:
    """From nothing: two criteria, one of them with three levels, then put in another order."""
    page = browsed.page
    await page.fill(named("question"), "Should school start later?")
    await page.fill(named("criteria.0.id"), "style")
    await page.fill(named("criteria.0.description"), "Is it easy to read?")
    await page.fill(named("criteria.0.points"), "1")
    await page.click(named("add"))
    await page.fill(named("criteria.1.id"), "claim")
    await page.fill(named("criteria.1.description"), "Is there a claim?")
    await page.fill(named("criteria.1.points"), "4")
    await page.click(named("levels.1"))
    await EXPECT(page.locator(named("criteria.1.levels.0.points"))).to_have_value("4")
    await page.click(named("add.1"))
    for n, (name, points, text) in enumerate(
        [
            ("clear", "4", "It stands in the first paragraph."),
            ("none", "0", "There is none."),
            ("vague", "2,5", "It has to be guessed."),
        ]
    ):
        await page.fill(named(f"criteria.1.levels.{n}.name"), name)
        await page.fill(named(f"criteria.1.levels.{n}.points"), points)
        await page.fill(named(f"criteria.1.levels.{n}.description"), text)
    await page.click(named("up.1.2"))
    await EXPECT(page.locator(named("criteria.1.levels.1.name"))).to_have_value("vague")
    await page.click(named("examples.add"))
    await page.fill(named("examples.0.text"), "Maybe they should.")
    await page.select_option(named("examples.0.levels.claim"), label="vague")
    await page.click(named("examples.add"))
    await page.fill(named("examples.1.text"), "Gone")
    await page.click(named("examples.remove.1"))
    await EXPECT(page.locator(named("examples.1.text"))).to_have_count(0)
    await page.click(named("up.1"))
    await EXPECT(page.locator(named("criteria.0.id"))).to_have_value("claim")
    await page.click(named("add"))
    await page.fill(named("criteria.2.id"), "gone")
    await page.click(named("remove.2"))
    await EXPECT(page.locator(named("criteria.2.id"))).to_have_count(0)


async def is_as_written(service: Service) -> None:
    rubric = parse_rubric(await stored(service), "r")
    assert [one.id for one in rubric.criteria] == ["claim", "style"]
    levels = [(one.name, one.points) for one in rubric.criteria[0].levels]
    assert levels == [("clear", 4.0), ("vague", 2.5), ("none", 0.0)]
    assert rubric.question == "Should school start later?"
    assert [(one.text, one.levels) for one in rubric.examples] == [
        ("Maybe they should.", (("claim", "vague"),))
    ]


async def test_a_rubric_is_written_without_scripts(
    resting: Service, browser: playwright.Browser
) -> None:
    browsed = await opened(browser, resting.url + PATH, java_script_enabled=False)
    await write_a_rubric(browsed)
    await browsed.page.click("text=Check and preview")
    await EXPECT(browsed.page.locator("#sent-system")).to_contain_text("It has to be guessed.")
    await browsed.page.click("text=Save as a new version >> nth=0")
    await EXPECT(browsed.page.locator(".told")).to_contain_text("Saved as version 1")
    await is_as_written(resting)
    assert browsed.complaints == []


async def test_a_rubric_is_written_with_scripts_without_leaving_the_page(
    resting: Service, browser: playwright.Browser
) -> None:
    browsed = await opened(browser, resting.url + PATH)
    await browsed.page.evaluate("window.sameDocument = true")
    await write_a_rubric(browsed)
    await EXPECT(browsed.page.locator("#sent-system")).to_contain_text("It has to be guessed.")
    assert await browsed.page.evaluate("window.sameDocument")
    await EXPECT(browsed.page.locator(".htmx-request")).to_have_count(0)
    await browsed.page.click("text=Save as a new version >> nth=0")
    await EXPECT(browsed.page.locator(".told")).to_contain_text("Saved as version 1")
    await is_as_written(resting)
    assert browsed.complaints == []


async def test_the_focus_goes_where_the_next_word_is_typed(
    resting: Service, browser: playwright.Browser
) -> None:
    await resting.put_rubric()
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    await page.focus(named("add"))
    await page.keyboard.press("Enter")
    await EXPECT(page.locator(named("criteria.2.id"))).to_be_focused()
    await page.keyboard.type("third")
    await page.focus(named("up.2"))
    await page.keyboard.press("Enter")
    await EXPECT(page.locator(named("up.1"))).to_be_focused()
    await EXPECT(page.locator(named("criteria.1.id"))).to_have_value("third")
    await page.keyboard.press("Enter")
    await EXPECT(page.locator(named("down.0"))).to_be_focused()
    await page.focus(named("remove.0"))
    await page.keyboard.press("Enter")
    await EXPECT(page.locator(named("add"))).to_be_focused()
    await EXPECT(page.locator(named("criteria.0.id"))).to_have_value("claim")
    assert browsed.complaints == []


async def test_the_preview_and_the_warnings_follow_the_typing(
    resting: Service, browser: playwright.Browser
) -> None:
    await resting.put_rubric()
    await resting.add(ESSAY)
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    field = page.locator(named("criteria.0.description"))
    await field.press_sequentially(" Be strict.")
    await EXPECT(page.locator("#sent-system")).to_contain_text("Be strict.")
    await EXPECT(page.locator('[data-rule="harsh"]')).to_contain_text("Criterion claim")
    await EXPECT(field).to_be_focused()
    await EXPECT(page.locator("#sent-user")).to_contain_text("A study in Seattle shows it.")
    await page.select_option("#sample", "short")
    await EXPECT(page.locator("#sent-user")).to_contain_text("a study in Seattle found")
    await page.fill(named("criteria.0.id"), "")
    await EXPECT(page.locator("#mistakes")).to_contain_text("Criterion 1: name is empty")
    await page.click("#mistakes a")
    await EXPECT(page.locator(named("criteria.0.id"))).to_be_focused()
    assert browsed.complaints == []


async def test_mistakes_stand_beside_their_fields_until_they_are_mended(
    resting: Service, browser: playwright.Browser
) -> None:
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    await page.fill(named("criteria.0.points"), "two")
    await page.fill(named("criteria.0.description"), "What I had typed")
    await page.click("text=Save as a new version >> nth=0")
    await EXPECT(page.locator("#flaws")).to_contain_text("there are 2 mistakes")
    flaw = page.locator(named("criteria.0.points.flaw"))
    await EXPECT(flaw).to_have_text("must be a number, but is 'two'")
    await EXPECT(page.locator(named("criteria.0.description"))).to_have_value("What I had typed")
    await browsed.is_accessible()
    await page.fill(named("criteria.0.points"), "2")
    await EXPECT(flaw).to_have_count(0)
    await page.fill(named("criteria.0.id"), "claim")
    await page.click("text=Save as a new version >> nth=0")
    await EXPECT(page.locator(".told")).to_contain_text("Saved as version 1")


async def test_going_back_to_a_version(resting: Service, browser: playwright.Browser) -> None:
    await resting.put_rubric()
    await resting.put_rubric(RUBRIC.replace("Sleep", "Two"))
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    await page.click('[data-version="1"] th a')
    await EXPECT(page.locator("h1")).to_contain_text("version 1")
    await EXPECT(page.locator("dd").first).to_have_text("Sleep")
    await browsed.is_accessible()
    await page.click("text=Use version 1 again")
    await EXPECT(page.locator(".told")).to_contain_text("Version 1 is in use again")
    await EXPECT(page.locator("[data-assigned] th")).to_contain_text("Version 1")
    assert await stored(resting) == RUBRIC
    assert browsed.complaints == []


async def test_hostile_text_is_only_text(resting: Service, browser: playwright.Browser) -> None:
    hostile = "</textarea></pre>" + HOSTILE + "{{ 7 * 7 }}"
    await resting.add(hostile)
    source = RUBRIC.replace('"Sleep"', f"'''{hostile}'''").replace("clear claim", "<b>claim</b>")
    await resting.put_rubric(
        source.replace('name = "vague"', "name = '<img src=x onerror=alert(1)>'")
    )
    for at in ("", "/toml", "/versions/1"):
        browsed = await opened(browser, resting.url + PATH + at)
        browsed.page.on("dialog", lambda one, told=browsed.complaints: told.append(one.message))
        assert await browsed.page.locator("main img, main b, main script").count() == 0
        assert hostile in unescape(await browsed.page.content())
        assert browsed.complaints == []


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en", "light", 1100), ("de", "dark", 320)]
)
async def test_every_page_of_it_is_accessible(
    resting: Service, browser: playwright.Browser, language: str, scheme: str, width: int
) -> None:
    await resting.put_rubric(RUBRIC.replace("Is there", "Be strict. Is there"))
    await resting.put_rubric()
    await resting.add(ESSAY)
    view = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    browsed = await opened(browser, f"{resting.url}{PATH}", locale=language, **view)
    headings = {"en": "Rubric of sleep", "de": "Bewertungsraster: sleep"}
    for at in ("", "?version=1", "/toml", "/versions/1"):
        await browsed.page.goto(f"{resting.url}{PATH}{at}")
        await EXPECT(browsed.page.locator("h1")).to_contain_text(headings[language])
        await browsed.is_accessible()
        wide = await browsed.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
    assert browsed.complaints == []


async def test_leaving_with_unsaved_changes_asks_first(
    resting: Service, browser: playwright.Browser
) -> None:
    await resting.put_rubric()
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    asked: list[str] = []

    async def stay(dialog: playwright.Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.click("text=As TOML")
    await page.click("text=As a form")
    await page.click("nav >> text=Courses")
    await EXPECT(page.locator("h1")).to_have_text("Courses")
    assert asked == []
    await page.goto(resting.url + PATH)
    await page.locator(named("title")).fill("Sleep and health")
    async with page.expect_event("dialog"):
        await page.click("nav >> text=Courses", no_wait_after=True)
    await EXPECT(page.locator(named("title"))).to_have_value("Sleep and health")
    assert asked == ["beforeunload"]


async def test_a_failing_answer_gives_the_form_back(
    resting: Service, browser: playwright.Browser
) -> None:
    browsed = await opened(browser, resting.url + PATH)
    page = browsed.page
    await page.fill(named("title"), "What I had typed")
    await page.route(f"**{PATH}", lambda route: route.abort())
    await page.click(named("add"))
    await EXPECT(page.locator(named("add"))).to_be_focused()
    await page.fill(named("criteria.0.id"), "claim")
    await EXPECT(page.locator(named("title"))).to_have_value("What I had typed")
