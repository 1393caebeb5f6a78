"""The home page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from browsing import MS, NEEDS_BROWSER, Browsed, browsing, playwright
from web_kit import ESSAY, HOSTILE, Desk, Service, make_engine, serving

pytestmark = NEEDS_BROWSER


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


def badge(assignment: str, kind: str) -> str:
    return f'tr[data-assignment="{assignment}"] [data-count="{kind}"]'


async def test_badges_move_without_a_reload(
    service: Service, desk: Desk, browser: playwright.Browser
) -> None:
    await service.add(*["hold"] * 3)
    browsed = Browsed(await browser.new_page())
    await browsed.page.goto(service.url)
    await browsed.is_live()
    assert await browsed.counts("sleep") == ["0", "3", "0", "0", "0"]
    await service.grade(course="biology", assignment="sleep", grader="desk")
    await browsed.shows(badge("sleep", "grading"), "3")
    desk.go.set()
    await browsed.shows(badge("sleep", "graded"), "3")
    release = {"submission_ids": ["p1"], "by": "Ms Lee"}
    await service.client.post("/api/submissions/release", json=release)
    await browsed.shows(badge("sleep", "released"), "1")
    assert await browsed.counts("sleep") == ["0", "0", "0", "2", "1"]
    assert await browsed.page.locator("progress").evaluate("bar => bar.value / bar.max") == 1
    assert browsed.complaints == []


@pytest.mark.slow
async def test_an_assignment_that_is_new_appears_and_is_only_text(
    resting: Service, browser: playwright.Browser
) -> None:
    browsed = Browsed(await browser.new_page())
    await browsed.page.goto(resting.url)
    await browsed.is_live()
    assert await browsed.page.locator(".empty").is_visible()
    rows = [
        {"id": "p", "text": "x", "course": course, "assignment": "a"}
        for course in ("b", "c", "a", HOSTILE)
    ]
    for row in rows:
        await resting.client.post("/api/submissions", json=row)
    await playwright.expect(browsed.page.locator("tbody tr")).to_have_count(4, timeout=MS)
    courses = await browsed.page.locator("#courses h2").all_text_contents()
    assert courses == sorted(row["course"] for row in rows)
    assert not await browsed.page.locator(".empty").is_visible()
    await browsed.page.reload()
    assert await browsed.page.locator("#courses h2").all_text_contents() == courses
    assert browsed.complaints == []


@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("de-DE", "dark"),
        pytest.param("de-DE", "light", marks=pytest.mark.slow),
        pytest.param("en-GB", "dark", marks=pytest.mark.slow),
        pytest.param("en-GB", "light", marks=pytest.mark.slow),
    ],
)
async def test_everybody_can_read_it(
    resting: Service, browser: playwright.Browser, scheme: Literal["light", "dark"], language: str
) -> None:
    context = await browser.new_context(
        color_scheme=scheme, locale=language, viewport={"width": 320, "height": 640}
    )
    browsed = Browsed(await context.new_page())
    await browsed.page.goto(resting.url)
    await browsed.is_live()
    await browsed.is_accessible()
    ids = await resting.add(ESSAY, ESSAY, "hold " + ESSAY)
    await resting.grade(submission_ids=ids[:2], grader="desk")
    await browsed.shows(badge("sleep", "grading"), "2")
    await browsed.is_accessible()
    await browsed.page.set_viewport_size({"width": 1280, "height": 800})
    await browsed.is_accessible()
    assert browsed.complaints == []


@pytest.mark.slow
async def test_the_first_visit_weighs_little(resting: Service, browser: playwright.Browser) -> None:
    """Bytes over the wire with headers, for a class list of 60 assignments; a second visit asks
    for the page alone."""
    rows = [
        {"id": "p", "text": ESSAY, "course": f"c{n % 6}", "assignment": f"a{n}"} for n in range(60)
    ]
    await resting.client.post("/api/submissions", json=rows)
    browsed = Browsed(await browser.new_page())
    weighed: list[float] = []
    session = await browsed.page.context.new_cdp_session(browsed.page)
    session.on("Network.loadingFinished", lambda one: weighed.append(one["encodedDataLength"]))
    await session.send("Network.enable")
    await browsed.page.goto(resting.url, wait_until="load")
    assert 0 < sum(weighed) <= 100_000
    weighed.clear()
    await browsed.page.goto(resting.url, wait_until="load")
    assert 0 < sum(weighed) <= 20_000


@pytest.mark.slow
async def test_a_chosen_language_stays(resting: Service, browser: playwright.Browser) -> None:
    browsed = Browsed(await browser.new_page())
    await browsed.page.goto(resting.url)
    await browsed.page.get_by_role("link", name="Deutsch").click()
    await browsed.shows("h1", "Kurse")
    await browsed.page.goto(resting.url)
    await browsed.shows("h1", "Kurse")
    assert await browsed.page.locator("html").get_attribute("lang") == "de"
    assert browsed.complaints == []


@pytest.mark.slow
async def test_without_events_it_polls(resting: Service, browser: playwright.Browser) -> None:
    await resting.add(ESSAY)
    browsed = Browsed(await browser.new_page())
    await browsed.page.add_init_script("delete window.EventSource")
    await browsed.page.goto(resting.url)
    await browsed.shows("#live", "Updated every few seconds")
    await resting.add(ESSAY, first=2)
    await browsed.shows(badge("sleep", "submitted"), "2")
    assert browsed.complaints == []


@pytest.mark.slow
async def test_without_scripts_the_counts_are_there(
    resting: Service, browser: playwright.Browser
) -> None:
    await resting.add(ESSAY)
    context = await browser.new_context(java_script_enabled=False, color_scheme="dark")
    browsed = Browsed(await context.new_page())
    await browsed.page.goto(resting.url)
    assert await browsed.counts("sleep") == ["0", "1", "0", "0", "0"]
    assert browsed.complaints == []


@pytest.mark.slow
async def test_after_a_restart_it_goes_on_by_itself(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    """The same database on the same port: the browser replays what it missed."""
    browsed = Browsed(await browser.new_page())
    async with serving(make_engine(tmp_path, work=False)) as service:
        await service.add(ESSAY)
        await browsed.page.goto(service.url)
        await browsed.is_live()
        port = int(service.url.rpartition(":")[2])
    await browsed.shows("#live", "No answer from gradeq; this may be old")
    async with serving(make_engine(tmp_path, work=False), port=port) as service:
        await service.add(ESSAY, first=2)
        await browsed.is_live()
        await browsed.shows(badge("sleep", "submitted"), "2")


@pytest.mark.slow
async def test_a_token_signs_the_page_in(tmp_path: Path, browser: playwright.Browser) -> None:
    async with serving(make_engine(tmp_path, work=False), "secret") as service:
        browsed = Browsed(await browser.new_page())
        await browsed.page.goto(f"{service.url}/?token=secret")
        assert browsed.page.url == f"{service.url}/"
        await browsed.is_live()
        assert browsed.complaints == []
