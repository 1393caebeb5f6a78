"""The page of an assignment in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from assignment_kit import BLANK, PAGE, graded, many
from browsing import MS, PAGE_IN_BROWSER, Browsed, browsing, playwright
from web_kit import (
    ESSAY,
    HOSTILE,
    RUBRIC,
    Desk,
    Service,
)

pytestmark = PAGE_IN_BROWSER


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def opened(service: Service, browser: playwright.Browser, **options: Any) -> Browsed:
    context = await browser.new_context(**{"locale": "en-US", **options})
    browsed = Browsed(await context.new_page())
    await browsed.page.goto(service.url.rstrip("/") + PAGE)
    return browsed


async def counted(browsed: Browsed, kind: str, count: int) -> None:
    await browsed.shows(f'[data-count="{kind}"]', str(count))


async def ticked(browsed: Browsed, count: int) -> None:
    await playwright.expect(browsed.page.locator('[name="paper"]:checked')).to_have_count(count)


async def test_thirty_are_graded_while_the_teacher_is_away(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    await service.add(*["hold"] * 33)
    browsed = await opened(service, browser)
    page = browsed.page
    await browsed.is_live()
    await page.locator('[name="paper"]').first.click()
    await page.locator('[name="paper"]').nth(29).click(modifiers=["Shift"])
    await browsed.shows("#chosen", "30 chosen")
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade 30 papers").click()
    await playwright.expect(page.locator(".told")).to_contain_text("30 papers are queued")
    await page.goto("about:blank")
    await desk.busy.wait()
    await page.goto(service.url.rstrip("/") + PAGE)
    await browsed.is_live()
    await counted(browsed, "grading", 30)
    assert await page.locator("#running progress").get_attribute("max") == "30"
    desk.go.set()
    await counted(browsed, "graded", 30)
    await counted(browsed, "submitted", 3)
    await playwright.expect(page.locator("tr[data-paper]")).to_have_count(3)
    await playwright.expect(page.locator("#running")).to_have_count(0)
    assert browsed.complaints == []


async def test_ticks_outlive_refreshes_and_pages(
    resting: Service, browser: playwright.Browser
) -> None:
    ids = await many(resting, 120)
    browsed = await opened(resting, browser)
    page = browsed.page
    await browsed.is_live()
    await page.check(f"#paper-{ids[3]}")
    await page.click("#page-next")
    await browsed.shows(".pager span", "Page 2 of 3")
    await ticked(browsed, 0)
    await page.check("#page")
    await ticked(browsed, 50)
    await browsed.shows("#chosen", "51 chosen")
    await page.uncheck(f"#paper-{ids[60]}")
    await page.focus(f"#open-{ids[61]}")
    await resting.engine.archive([ids[62]])
    await counted(browsed, "submitted", 119)
    await ticked(browsed, 48)
    assert await page.evaluate("document.activeElement.id") == f"open-{ids[61]}"
    await page.click("#tab-graded")
    await playwright.expect(page.locator("#tab-graded")).to_have_attribute("aria-current", "page")
    await page.click("#tab-submitted")
    await ticked(browsed, 1)
    await page.get_by_role("button", name="Grade with AI").click()
    chosen = await page.locator('[name="papers"]').input_value()
    wanted = {ids[3], *ids[50:100]} - {ids[60], ids[62]}
    assert set(map(int, chosen.split())) == wanted
    assert await page.locator('[data-reason="archived"]').count() == 1
    assert browsed.complaints == []


async def test_ticks_are_there_on_the_way_back_until_something_is_done(
    resting: Service, browser: playwright.Browser
) -> None:
    ids = await many(resting, 60)
    browsed = await opened(resting, browser)
    page = browsed.page
    await page.check(f"#paper-{ids[3]}")
    await page.click("#page-next")
    await page.check(f"#paper-{ids[53]}")
    await page.go_back()
    await browsed.shows(".pager span", "Page 1 of 2")
    await browsed.shows("#chosen", "2 chosen")
    # What stood where the ticked paper stands is another paper after this.
    await resting.engine.archive([ids[0]])
    await page.reload()
    await browsed.shows("#chosen", "2 chosen")
    assert await page.locator(f"#paper-{ids[3]}").is_checked()
    await ticked(browsed, 1)
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("link", name="Back to the papers").click()
    await browsed.shows("#chosen", "2 chosen")
    await page.get_by_role("button", name="Archive").click()
    await browsed.shows("#told", "2 papers are archived.")
    await browsed.shows("#chosen", "")
    await page.reload()
    await ticked(browsed, 0)
    await browsed.shows("#chosen", "")
    assert browsed.complaints == []


def is_refresh(request: Any) -> bool:
    return "hx-request" in request.headers and "hx-boosted" not in request.headers


@pytest.mark.parametrize("is_refresh_late", [True, False])
async def test_a_refresh_and_a_tab_at_the_same_time(
    resting: Service, browser: playwright.Browser, is_refresh_late: bool
) -> None:
    """Whichever is answered last, the tab that was asked for is shown."""
    ids = await many(resting, 3)
    browsed = await opened(resting, browser)
    page = browsed.page
    await browsed.is_live()
    late = asyncio.Event()

    async def hold(route: Any) -> None:
        if is_refresh(route.request) is is_refresh_late:
            await late.wait()
        await route.continue_()

    await page.route(lambda url: PAGE in url, hold)
    async with page.expect_response(lambda answer: is_refresh(answer.request)) as refreshed:
        async with page.expect_request(is_refresh):
            await resting.engine.archive(ids[:1])
        async with page.expect_response(
            lambda answer: "hx-boosted" in answer.request.headers
        ) as shown:
            async with page.expect_request(lambda request: "hx-boosted" in request.headers):
                await page.click("#tab-graded")
            if not is_refresh_late:
                await counted(browsed, "submitted", 2)
                late.set()
            await shown.value
        tab = page.locator("#tab-graded")
        await playwright.expect(tab).to_have_attribute("aria-current", "page", timeout=MS)
        late.set()
        await (await refreshed.value).finished()
    await resting.engine.archive(ids[1:2])
    await counted(browsed, "submitted", 1)
    await playwright.expect(tab).to_have_attribute("aria-current", "page")
    assert browsed.complaints == []


async def test_all_pages_are_chosen_at_once(resting: Service, browser: playwright.Browser) -> None:
    await many(resting, 137)
    browsed = await opened(resting, browser)
    page = browsed.page
    await page.fill("#find", "Student")
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text("137 papers")
    await page.get_by_label("All 137 papers that were found").check()
    await ticked(browsed, 50)
    await browsed.shows("#chosen", "137 chosen")
    await browsed.shows("#said", "137 papers for “Student”. 137 chosen")
    await page.click("#page-next")
    await ticked(browsed, 50)
    await page.get_by_role("button", name="Grade with AI").click()
    await browsed.shows(".how-many", "137 papers will be graded.")
    await page.get_by_role("link", name="Back to the papers").click()
    assert await page.input_value("#find") == "Student"
    await playwright.expect(page.locator("#chosen")).to_have_text("")
    assert browsed.complaints == []


async def test_a_reason_stays_open_and_one_click_retries(
    service: Service, browser: playwright.Browser
) -> None:
    [paper] = await service.add("refuse")
    await graded(service, [paper])
    browsed = await opened(service, browser)
    page = browsed.page
    await browsed.is_live()
    assert not await page.locator(".reason").is_visible()
    await page.focus(f"#why-{paper} summary")
    await page.keyboard.press("Enter")
    await service.add(ESSAY, first=2)
    await counted(browsed, "submitted", 2)
    await browsed.shows(".reason", "The grader cannot grade this paper. it cannot be read")
    assert await page.locator(".reason").is_visible()
    await page.click(f"#retry-{paper}")
    await browsed.shows(".told", "It is queued again.")
    assert browsed.complaints == []


async def test_without_scripts_papers_are_graded_and_released(
    service: Service, browser: playwright.Browser
) -> None:
    await many(service, 60)
    browsed = await opened(service, browser, java_script_enabled=False)
    page = browsed.page
    await page.get_by_role("link", name="Next").click()
    await page.get_by_label("Choose Student 0010", exact=True).check()
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade one paper").click()
    await playwright.expect(page.locator(".told")).to_contain_text("One paper is queued")
    await service.batch_ended(1)
    await page.get_by_role("link", name="Graded").click()
    await page.get_by_label("The one paper of this tab").check()
    await page.get_by_label("Your name, for the release").fill("Ms Lee")
    await page.get_by_role("button", name="Release").click()
    await browsed.shows("#told", "One paper is released.")
    assert (await service.badges())["released"] == 1


async def test_hostile_names_run_nothing(service: Service, browser: playwright.Browser) -> None:
    service.course, service.assignment = HOSTILE, f"</title></table>{HOSTILE}"
    rows = [f"refuse {HOSTILE}", ESSAY]
    await service.add(*rows, student=f"<img src=x onerror=alert(1)>{HOSTILE}")
    await service.add(HOSTILE, id=f"</form>{HOSTILE}")
    await graded(service, [1])
    rubric_id = await service.engine.rubrics.put(RUBRIC, f"<b>{HOSTILE}</b>")
    await service.engine.store.assign_rubric(service.course, service.assignment, rubric_id)
    context = await browser.new_context(locale="en-US")
    browsed = Browsed(await context.new_page())
    page = browsed.page
    await page.goto(service.url)
    await page.locator("tr[data-assignment] a").click()
    await browsed.is_live()
    assert await page.locator("h1").text_content() == service.assignment
    await page.fill("#find", HOSTILE)
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text(HOSTILE)
    assert await page.locator("tr[data-paper]").count() == 3
    await page.locator("summary").click()
    await browsed.is_accessible()
    await page.check("#all")
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name="Grade 3 papers").click()
    await playwright.expect(page.locator(".told")).to_contain_text("3 papers are queued")
    assert await page.locator("img, b, main script").count() == 0
    assert browsed.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_tab_is_accessible(
    service: Service, desk: Desk, browser: playwright.Browser, scheme: str
) -> None:
    away, released, *rest = await many(service, 7)
    failed, held = await service.add("refuse", "hold", first=100)
    await service.add("x", first=110, status="in_progress")
    await graded(service, [failed, released, *rest[:2]])
    await service.engine.release([released], "Ms Lee")
    await service.engine.archive([away])
    await service.grade(submission_ids=[held, rest[2]], grader="desk")
    await desk.busy.wait()
    browsed = await opened(service, browser, color_scheme=scheme)
    page = browsed.page
    for tab in ("in_progress", "graded", "released", "archived", "submitted"):
        await page.click(f"#tab-{tab}")
        await playwright.expect(page.locator(f"#tab-{tab}")).to_have_attribute(
            "aria-current", "page", timeout=MS
        )
        if tab == "submitted":
            await page.locator("summary").click()
        await browsed.is_accessible()
    desk.go.set()
    assert browsed.complaints == []


async def fits(browsed: Browsed, width: int) -> None:
    await browsed.page.set_viewport_size({"width": width, "height": 800})
    assert await browsed.page.evaluate("document.documentElement.scrollWidth") <= width


async def test_narrow_lists_and_empty_searches_are_accessible(
    resting: Service, browser: playwright.Browser
) -> None:
    await many(resting, 51)
    browsed = await opened(resting, browser)
    page = browsed.page
    await page.click("#page-last")
    await playwright.expect(page.locator("tr[data-paper]")).to_have_count(1)
    await fits(browsed, 320)
    await browsed.is_accessible()
    await page.fill("#find", "nobody")
    await page.keyboard.press("Enter")
    await playwright.expect(page.locator(".found")).to_contain_text("nobody")
    await browsed.is_accessible()
    assert browsed.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_order_is_accessible(
    resting: Service, browser: playwright.Browser, scheme: str
) -> None:
    await resting.add(ESSAY, BLANK)
    browsed = await opened(resting, browser, color_scheme=scheme)
    page = browsed.page
    await page.check("#all")
    await page.get_by_role("button", name="Grade with AI").click()
    await browsed.shows(".how-many", "One paper will be graded.")
    await browsed.is_accessible()
    await resting.put_rubric()
    await page.reload()
    await page.locator("summary").click()
    await fits(browsed, 320)
    await browsed.is_accessible()
    assert browsed.complaints == []
