"""Five thousand papers in one assignment: the page stays as small as with fifty."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import FAST, MS, a_class, count, counted, expect, order, school_day

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

PAPERS, ROWS = 5000, 50
ELEMENTS = 1500
"""Elements of the page, however many papers there are."""


async def test_a_large_class_is_chosen_sorted_searched_and_graded(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    async with school_day(tmp_path, browser, "--concurrency", 50, glance=True, **FAST) as day:
        await day.stock(a_class(PAPERS))
        teacher = await day.teacher()
        page = teacher.page
        await page.goto(day.page)
        await teacher.is_live()
        await is_one_page(teacher)
        await page.get_by_role("link", name="Student", exact=True).click()
        await expect(page.locator("th[aria-sort]")).to_contain_text("Student", timeout=MS)
        await is_one_page(teacher)
        await page.get_by_label("Student or paper's id").fill("Student 123")
        await page.get_by_role("button", name="Search").click()
        await expect(page.locator(".found")).to_contain_text("11 papers", timeout=MS)
        await page.get_by_role("link", name="Show all").click()
        await page.get_by_label("All 5,000 papers of this tab").check()
        await teacher.shows("#chosen", "5,000 chosen")
        await order(teacher, 5000)
        await badges_move_without_a_storm(teacher)
        assert await day.calls() == [1] * PAPERS
        assert teacher.complaints == []


async def is_one_page(teacher: Browsed) -> None:
    page = teacher.page
    assert await page.locator("tr[data-paper]").count() == ROWS
    assert await page.locator("*").count() < ELEMENTS


async def badges_move_without_a_storm(teacher: Browsed) -> None:
    """Thousands of events: the page asks at most once a second what has become of it."""
    page, asked = teacher.page, []

    def note(request: Any) -> None:
        if "hx-request" in request.headers:
            asked.append(time.monotonic())

    page.on("request", note)
    began, seen = time.monotonic(), {await count(teacher, "graded")}
    badge = page.locator('[data-count="graded"]')
    while max(seen) < PAPERS:
        await expect(badge).not_to_have_attribute("data-value", str(max(seen)), timeout=MS)
        seen.add(await count(teacher, "graded"))
        assert await page.locator("tr[data-paper]").count() <= ROWS
    assert len(seen) > 3
    assert len(asked) <= time.monotonic() - began + 2
    await counted(teacher, "submitted", 0)
