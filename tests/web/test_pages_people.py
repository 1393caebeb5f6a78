"""The first start, signing in, and two teachers, in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, browsing, playwright
from people_kit import ADA, ADMIN, BO, School, school_at
from web_kit import ESSAY, Desk, make_engine, serving

pytestmark = PAGE_IN_BROWSER


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def a_new(browser: playwright.Browser, **options: object) -> Browsed:
    """A browser of its own, with no cookies yet."""
    context = await browser.new_context(**options)
    return Browsed(await context.new_page())


async def test_the_first_start(tmp_path: Path, browser: playwright.Browser) -> None:
    links: list[str] = []
    engine = make_engine(tmp_path, work=False)
    async with serving(engine, on_first_link=links.append) as service:
        await service.add(ESSAY)
        anna, other = await a_new(browser), await a_new(browser)
        await other.page.goto(service.url)
        await other.is_live()

        await anna.page.goto(links[0])
        await anna.is_accessible()
        await anna.page.get_by_label("Name").fill("Anna")
        await anna.page.get_by_role("button", name="Sign in").click()
        await anna.is_live()
        assert anna.page.url == f"{service.url}/"
        await anna.shows(".who span", "Anna")
        assert await anna.counts("sleep") == ["0", "1", "0", "0", "0"]
        await anna.is_accessible()
        assert anna.complaints == []

        await other.page.goto(links[0])
        await playwright.expect(other.page.locator("#trouble")).to_contain_text("used already")
        await other.page.goto(service.url)
        await other.shows("h1", "Sign in")
        assert await other.page.locator("text=biology").count() == 0
        await other.is_accessible()


async def test_signing_out(tmp_path: Path, desk: Desk, browser: playwright.Browser) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        browsed = await a_new(browser)
        await signed_in(school, browsed, ADA)
        await browsed.page.get_by_role("button", name="Sign out").click()
        await browsed.shows("h1", "Sign in")
        await browsed.page.goto(f"{school.service.url}/")
        await browsed.shows("h1", "Sign in")


async def test_who_is_signed_out_is_told_that_nothing_was_done(tmp_path: Path, desk: Desk) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        client, place = school.service.client, "/courses/biology/assignments/sleep"
        looked, done = await client.get(place), await client.post(f"{place}/archive")
        assert (looked.status_code, done.status_code) == (401, 401)
        assert "so nothing was done" in done.text
        assert "so nothing was done" not in looked.text


async def signed_in(school: School, browsed: Browsed, name: str) -> None:
    await browsed.page.goto(school.service.url + await school.link(name))
    await browsed.page.get_by_role("button", name="Sign in").click()
    await browsed.shows(".who span", name)


async def test_two_teachers_see_their_own_courses(
    tmp_path: Path, desk: Desk, browser: playwright.Browser
) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        ada, bo = await a_new(browser), await a_new(browser)
        await signed_in(school, ada, ADA)
        await signed_in(school, bo, BO)
        for browsed, course in ((ada, "art"), (bo, "physics")):
            await browsed.is_live()
            assert await browsed.page.locator("#courses h2:not(#new)").all_text_contents() == [
                course
            ]
            assert await browsed.page.get_by_role("link", name="People").count() == 0
        rows = [
            {"id": "new", "text": "x", "course": course, "assignment": "two"}
            for course in ("physics", "art")
        ]
        await school.admin.post("/api/submissions", json=rows)
        await school.admin.post(
            "/api/grade", json={"course": "art", "assignment": "two", "grader": "desk"}
        )
        await ada.page.reload()
        assert await ada.counts("two") == ["0", "1", "1", "0", "0"]
        assert await ada.page.locator("#courses h2").all_text_contents() == ["art"]
        assert ada.complaints == bo.complaints == []


@pytest.mark.parametrize(("width", "scheme"), [(1100, "light"), (320, "dark")])
async def test_an_administrator_adds_a_teacher(
    tmp_path: Path, desk: Desk, browser: playwright.Browser, width: int, scheme: str
) -> None:
    async with school_at(tmp_path, desk, work=False) as school:
        head = await a_new(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
        await signed_in(school, head, ADMIN)
        await head.page.get_by_role("link", name="People").click()
        new = head.page.locator("section.person").last
        await new.get_by_label("Name").fill("Cy")
        await new.get_by_label("physics").check()
        await new.get_by_label("Other courses").fill("latin")
        await new.get_by_role("button", name="Add").click()
        cy = head.page.locator('[data-person="Cy"]')
        await playwright.expect(cy).to_contain_text("Teacher: latin, physics")
        await cy.locator("summary").click()
        await head.is_accessible()
        assert await cy.get_by_label("Other courses").input_value() == "latin\n"
        await cy.get_by_label("physics").uncheck()
        await cy.get_by_role("button", name="Save").click()
        await playwright.expect(cy).not_to_contain_text("latin, physics")
        assert (await school.people.find("Cy")).courses == ("latin",)
        await cy.get_by_role("button", name="Make a link").click()
        link = await head.page.locator(".link input").input_value()
        await head.is_accessible()
        overflow = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not await head.page.evaluate(overflow)
        other = await a_new(browser)
        await other.page.goto(link)
        await other.page.get_by_role("button", name="Sign in").click()
        await other.shows(".who span", "Cy")
        await cy.get_by_role("button", name="End all sessions").click()
        await playwright.expect(cy).to_contain_text("signed in on 0 browsers")
        await other.page.reload()
        await other.shows("h1", "Sign in")
        assert head.complaints == []


async def test_it_works_without_scripts_and_in_german(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    links: list[str] = []
    engine = make_engine(tmp_path, work=False)
    async with serving(engine, on_first_link=links.append):
        browsed = await a_new(browser, java_script_enabled=False, locale="de-DE")
        await browsed.page.goto(links[0])
        await browsed.shows("h1", "Anmelden")
        await browsed.page.get_by_role("link", name="English").click()
        await browsed.page.get_by_role("link", name="Deutsch").click()
        await browsed.page.get_by_label("Name").fill("Änne")
        await browsed.page.get_by_role("button", name="Anmelden").click()
        await browsed.shows(".who span", "Änne")
        await browsed.page.get_by_role("button", name="Abmelden").click()
        await browsed.shows("h1", "Anmelden")
