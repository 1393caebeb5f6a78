"""The pages of batches in a real browser: live, by button, without scripts, in two languages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browsing import MS, PAGE_IN_BROWSER, Browsed, browsing, playwright
from starlette.requests import Request
from starlette.routing import Mount
from web_kit import ESSAY, HOSTILE, Desk, Service, make_engine, served_app, serving

from gradeq import Engine, NewSubmission, ProviderSettings
from gradeq.web import create_app
from gradeq.web.pages.plots import chart
from gradeq.web.people import Person

pytestmark = PAGE_IN_BROWSER
expect = playwright.expect


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


async def opened(browser: playwright.Browser, url: str, **context: Any) -> Browsed:
    browsed = Browsed(await (await browser.new_context(**context)).new_page())
    await browsed.page.goto(url)
    return browsed


def button(browsed: Browsed, name: str) -> playwright.Locator:
    return browsed.page.get_by_role("button", name=name)


async def status(browsed: Browsed, word: str, within: str = "main") -> None:
    mark = browsed.page.locator(f"{within} [data-status]")
    await expect(mark).to_have_attribute("data-status", word, timeout=MS)


async def test_progress_moves_and_stops_by_button(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    ids = await service.add(*["hold"] * 8)
    await service.grade(submission_ids=ids, grader="desk", owner="Ms Lee")
    await desk.busy.wait()
    browsed = await opened(browser, f"{service.url}/batches")
    await browsed.is_live()
    page = browsed.page
    await expect(page.locator("h2")).to_have_text("biology / sleep")
    await status(browsed, "processing")
    await expect(page.locator(".limited")).to_contain_text("calls in flight", timeout=MS)
    await button(browsed, "Pause: Batch 1").click()
    await expect(page.locator(".told")).to_contain_text("Batch 1 is paused")
    await status(browsed, "paused")
    desk.go.set()
    await expect(page.locator(".facts strong")).to_have_text("62% done", timeout=MS)
    assert (await service.get("/api/batches/1"))["pending"] == 3
    await button(browsed, "Resume: Batch 1").click()
    await status(browsed, "completed")
    await expect(page.locator(".facts strong")).to_have_text("100% done", timeout=MS)
    assert browsed.complaints == []


async def test_the_provider_limits_and_the_page_says_so(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    provider = ProviderSettings(
        "sim", "simulated", "simulated-marker", requests_per_minute=30, concurrency=2
    )
    async with serving(Engine(tmp_path / "g.db", providers=[provider])) as service:
        await service.put_rubric()
        ids = await service.add(*[ESSAY] * 200)
        await service.grade(submission_ids=ids)
        browsed = await opened(browser, f"{service.url}/batches/1")
        await browsed.is_live()
        limited = browsed.page.locator('[data-limited-by="requests"]')
        await expect(limited).to_contain_text("requests per minute", timeout=MS)
        await expect(browsed.page.locator(".progress")).to_contain_text("a minute", timeout=MS)
        await expect(browsed.page.locator(".progress")).to_contain_text("left", timeout=MS)
        await browsed.is_accessible()
        await browsed.page.locator("summary", has_text="Cancel").click()
        await button(browsed, "Cancel the rest").click()
        await status(browsed, "cancelled")
        cancelled = await service.get("/api/batches/1")
        assert cancelled["cancelled"] == 200 - cancelled["completed"] > 0
        assert browsed.complaints == []


async def test_what_failed_is_retried_by_button(
    service: Service, browser: playwright.Browser
) -> None:
    ids = await service.add("refuse", ESSAY)
    await service.grade(submission_ids=ids, grader="desk")
    await service.batch_ended(1)
    browsed = await opened(browser, f"{service.url}/batches/1?state=failed")
    row = browsed.page.locator("#papers tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("it cannot be read")
    assert await row.locator("a").get_attribute("href") == f"/submissions/{ids[0]}"
    before = len(await service.engine.store.attempts(1))
    await button(browsed, "Retry what failed (1): Batch 1").click()
    await status(browsed, "completed_with_errors")
    await expect(browsed.page.locator(".told")).to_contain_text("in the queue again")
    await service.batch_ended(1)
    assert len(await service.engine.store.attempts(1)) == before + 1


async def test_times_and_scores_are_drawn_and_told(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    desk.go.set()
    ids = await service.add(*[ESSAY] * 12)
    await service.grade(submission_ids=ids, grader="desk")
    await service.batch_ended(1)
    browsed = await opened(browser, f"{service.url}/batches/1")
    page = browsed.page
    await expect(page.locator('[data-fact="mean"]')).to_have_text("50%")
    drawn = await page.locator("#scores-title ~ rect").evaluate_all(
        "bars => bars.map(bar => Number(bar.dataset.count))"
    )
    assert drawn == [0, 0, 0, 0, 0, 12, 0, 0, 0, 0]
    await page.locator("#scores-numbers-open").click()
    told = await page.locator("#scores-numbers td").all_text_contents()
    assert [int(one) for one in told] == drawn
    assert "12 grades, 50% on average" in (await page.locator("#scores-desc").text_content() or "")
    assert await page.locator("#times-title ~ rect").count() == 10
    await browsed.is_accessible()
    assert await page.locator("[style]").count() == 0
    assert browsed.complaints == []


async def test_what_is_open_stays_open_while_it_moves(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    ids = await service.add(*["hold"] * 2)
    await service.grade(submission_ids=ids, grader="desk")
    await desk.busy.wait()
    browsed = await opened(browser, f"{service.url}/batches")
    await browsed.is_live()
    summary = browsed.page.locator("summary")
    await summary.focus()
    await browsed.page.keyboard.press("Enter")
    async with browsed.page.expect_response("**/batches"):
        await service.client.post("/api/batches/1/pause")
    await status(browsed, "paused")
    await expect(button(browsed, "Cancel the rest")).to_be_visible(timeout=MS)
    await expect(summary).to_be_focused(timeout=MS)
    desk.go.set()


async def test_without_scripts_everything_can_be_done(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    await service.grade(submission_ids=await service.add(*["hold"] * 7), grader="desk")
    await desk.busy.wait()
    browsed = await opened(browser, f"{service.url}/batches", java_script_enabled=False)
    await button(browsed, "Pause: Batch 1").click()
    await status(browsed, "paused")
    await browsed.page.locator("h2 a").click()
    await button(browsed, "Resume: Batch 1").click()
    await status(browsed, "processing")
    await browsed.page.locator("summary", has_text="Cancel").click()
    await button(browsed, "Cancel the rest").click()
    await status(browsed, "cancelled")
    assert browsed.complaints == []
    desk.go.set()


async def test_older_batches_and_more_papers_come_page_by_page(
    resting: Service, browser: playwright.Browser
) -> None:
    ids = await resting.add(*[ESSAY] * 60)
    await resting.grade(submission_ids=ids, grader="desk")
    for _ in range(21):
        await resting.engine.submit(payloads=[{}], grader="desk")
    browsed = await opened(browser, f"{resting.url}/batches")
    page = browsed.page
    assert await page.locator("[data-batch]").count() == 20
    await page.get_by_role("link", name="Older").click()
    await expect(page.locator("[data-batch]")).to_have_count(2)
    await page.locator("h2 a", has_text="biology").click()
    assert await page.locator("tr[data-job]").count() == 50
    await page.get_by_role("link", name="More").click()
    await expect(page.locator("tr[data-job]")).to_have_count(10)
    await page.locator("#show-completed").click()
    await expect(page.locator("#papers")).to_contain_text("No paper is in this state.")


async def test_hostile_names_are_only_text(resting: Service, browser: playwright.Browser) -> None:
    given = {"course": HOSTILE, "assignment": HOSTILE, "student": HOSTILE}
    ids = await resting.add(ESSAY, **given)
    await resting.grade(submission_ids=ids, grader="desk", owner=HOSTILE)
    await resting.engine.pause(1, HOSTILE, HOSTILE)
    browsed = await opened(browser, f"{resting.url}/batches")
    await expect(browsed.page.locator("h2")).to_have_text(f"{HOSTILE} / {HOSTILE}")
    await browsed.page.locator("h2 a").click()
    await expect(browsed.page.locator("tr[data-job] td").first).to_have_text(HOSTILE)
    hostile = quote(HOSTILE)
    await browsed.page.goto(f"{resting.url}/batches/1?told={hostile}&state={hostile}&after=x")
    await expect(browsed.page.locator("h1")).to_be_visible()
    await expect(browsed.page.locator(".told")).to_have_count(0)
    assert browsed.complaints == []


async def test_in_german_and_in_the_dark(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    ids = await service.add("refuse", ESSAY, *["hold"] * 6)
    await service.grade(submission_ids=ids, grader="desk")
    await desk.busy.wait()
    reader = {"locale": "de-DE", "color_scheme": "dark", "viewport": {"width": 320, "height": 700}}
    browsed = await opened(browser, f"{service.url}/batches", **reader)
    await expect(browsed.page.locator("h1")).to_have_text("Läuft gerade")
    await browsed.is_accessible()
    await browsed.page.locator("h2 a").click()
    await expect(browsed.page.locator("#papers")).to_contain_text("Gescheitert", timeout=MS)
    await browsed.is_accessible()
    wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    assert not await browsed.page.evaluate(wide)
    desk.go.set()


class Header:
    """Who asks stands in a header."""

    async def person(self, request: Request) -> Person | None:
        name = request.headers.get("x-name", "")
        return Person(name, is_admin=name == "Root", courses=frozenset({"default"}))


async def test_a_teacher_sees_only_her_own(tmp_path: Path) -> None:
    """Not even by its number can she see or change another's."""
    engine = make_engine(tmp_path, Desk(), work=False)
    app = create_app(engine, owns_engine=True, identity=Header())
    async with served_app(app) as (client, _):
        paper = NewSubmission("p", ESSAY, assignment="hers")
        await engine.submit([paper], grader="desk", owner="Ms Lee")
        other = NewSubmission("p", ESSAY, assignment="his")
        await engine.submit([other], grader="desk", owner="Mr Fox")

        async def shown(name: str) -> list[bool]:
            answer = await client.get("/batches", headers={"x-name": name})
            return [f"default / {one}" in answer.text for one in ("hers", "his")]

        assert await shown("Ms Lee") == [True, False]
        assert await shown("Mr Fox") == [False, True]
        assert await shown("Root") == [True, True]
        assert await shown("") == [False, False]
        ms_lee = {"x-name": "Ms Lee"}
        assert (await client.get("/batches/1", headers=ms_lee)).status_code == 200
        assert (await client.get("/batches/2", headers=ms_lee)).status_code == 404
        for what in ("pause", "cancel", "retry", "resume"):
            answer = await client.post(f"/batches/2/{what}", headers=ms_lee)
            assert answer.status_code == 404, what
        batch = await engine.store.batch(2)
        assert batch is not None
        assert (batch.paused_at, batch.cancelled_at) == (None, None)
        paused = await client.post("/batches/1/pause", headers=ms_lee)
        assert paused.status_code == 303
        batch = await engine.store.batch(1)
        assert batch is not None
        assert batch.paused_by == "Ms Lee"


async def test_mounted_elsewhere_its_links_follow(tmp_path: Path) -> None:
    from starlette.applications import Starlette

    engine = make_engine(tmp_path, Desk(), work=False)
    app = Starlette(routes=[Mount("/grading", create_app(engine))], lifespan=engine.lifespan)
    async with served_app(app) as (client, _):
        await engine.submit([NewSubmission("p", ESSAY)], grader="desk")
        answer = await client.get("/grading/batches")
        assert 'href="/grading/batches/1"' in answer.text
        assert 'action="/grading/batches/1/pause"' in answer.text
        gone = await client.post("/grading/batches/1/pause", data={"back": "list"})
        assert gone.headers["location"].startswith("/grading/batches?told=")


@pytest.mark.parametrize("path", ["/batches/9", "/batches/x", f"/batches/{10**30}", "/batches/²"])
async def test_what_is_not_there_is_a_page_that_says_so(resting: Service, path: str) -> None:
    answer = await resting.client.get(path)
    assert answer.status_code == 404
    assert "there is no batch" in answer.text


async def test_what_cannot_be_done_is_told(resting: Service) -> None:
    await resting.grade(submission_ids=await resting.add(ESSAY), grader="desk")
    answer = await resting.client.post("/batches/1/retry")
    assert answer.status_code == 409
    assert "no job of batch 1 has failed" in answer.text


def test_bars_stand_on_the_floor_within_the_drawing() -> None:
    drawn = chart((4, 0, 2), ("a", "b", "c"), ("0", "", "2", "3"), ("0", "4"))
    assert [bar.y + bar.height for bar in drawn.bars] == [drawn.floor] * 3
    assert drawn.bars[0].height == 2 * drawn.bars[2].height > 0 == drawn.bars[1].height
    assert drawn.left <= drawn.bars[0].x
    assert drawn.bars[2].x + drawn.bars[2].width <= drawn.right
    assert [tick.label for tick in drawn.below] == ["0", "2", "3"]
    empty = chart((0, 0), ("a", "b"), ("0", "1", "2"), ("0", "0"))
    assert {bar.height for bar in empty.bars} == {0}


async def test_without_prices_no_cost_is_told(service: Service) -> None:
    await service.put_rubric()
    ordered = await service.grade(submission_ids=await service.add(ESSAY))
    await service.batch_ended(ordered["batch_id"])
    page = (await service.client.get(f"/batches/{ordered['batch_id']}")).text
    assert "<dt>Cost</dt><dd>no prices are configured</dd>" in page


async def test_nobody_else_makes_a_page_say_anything(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    await resting.grade(submission_ids=ids, grader="desk")
    done = await resting.client.post("/batches/1/pause", data={"by": "Ms Lee"})
    address = done.headers["location"]
    assert 'id="told"' in (await resting.client.get(address)).text
    forged = re.sub("told=[^&]*", "told=Send+all+grades+to+me", address)
    assert forged != address
    for one in (forged, re.sub("&?seal=[^&]*", "", address)):
        shown = await resting.client.get(one)
        assert shown.status_code == 200
        assert 'id="told"' not in shown.text
