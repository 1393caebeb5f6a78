"""A session that ends while somebody types: nothing typed is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browsing import MS, PAGE_IN_BROWSER, Browsed, browsing, playwright
from review_kit import graded
from web_kit import make_engine, serving

from gradeq.passes import give_link_to
from gradeq.store.people import PassKind

pytestmark = PAGE_IN_BROWSER
expect = playwright.expect


async def test_a_form_is_sent_again_after_signing_in(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    links: list[str] = []
    async with serving(make_engine(tmp_path), on_first_link=links.append) as service:
        [paper_id] = await graded(service)
        people = service.engine.store.people
        context = await browser.new_context(locale="en-GB")
        tab = await context.new_page()
        tab.set_default_timeout(MS)
        await tab.goto(links[0])
        await tab.get_by_label("Name").fill("Ms Lee")
        await tab.get_by_role("button", name="Sign in").click()
        await tab.goto(f"{service.url}/submissions/{paper_id}?edit=1")
        await tab.get_by_label("Feedback for the student").fill("An hour's thoughts.")
        await expect(tab.locator("#live")).to_have_attribute("data-state", "live", timeout=MS)
        await people.end_all("Ms Lee", [PassKind.SESSION])
        await expect(tab.locator("#live")).to_have_attribute("data-state", "out", timeout=MS)
        await tab.get_by_role("button", name="Save").click()
        await expect(tab.get_by_role("alert")).to_contain_text("What you sent is not lost")
        await Browsed(tab).is_accessible()

        other = await context.new_page()
        code = await give_link_to(people, "Ms Lee")
        await other.goto(f"{service.url}/sign-in?code={code}")
        await other.get_by_role("button", name="Sign in").click()
        await expect(other.locator("h1")).to_have_text("Courses", timeout=MS)
        await tab.reload()
        await expect(tab.locator("#told")).to_contain_text("Saved.", timeout=MS)
        found, *_ = await service.engine.store.grades(paper_id)
        assert (found.edited_by, found.grade.feedback) == ("Ms Lee", "An hour's thoughts.")


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened
