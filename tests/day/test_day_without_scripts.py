"""The same way for a browser that runs no scripts: forms and links alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import FAST, MS, Day, a_class, add_papers, count, counts, expect, order, school_day

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

PAPERS = 5


async def test_a_class_without_scripts(tmp_path: Path, browser: playwright.Browser) -> None:
    async with school_day(tmp_path, browser, **FAST) as day:
        teacher = await day.teacher(java_script_enabled=False)
        await add_papers(day, teacher, day.school.table(a_class(PAPERS)))
        page = teacher.page
        await page.goto(day.page)
        await page.get_by_label("Choose Student 04").check()
        await page.get_by_label(f"All {PAPERS} papers of this tab").check()
        await order(teacher, PAPERS)
        await shows_by_reloading(teacher, "graded", PAPERS)
        assert await day.calls() == [1] * PAPERS
        await review(teacher)
        await release_and_take_back(day, teacher)


async def shows_by_reloading(browsed: Browsed, kind: str, number: int) -> None:
    async with asyncio.timeout(MS / 1000):
        while await count(browsed, kind) != number:
            await browsed.page.reload()


async def review(teacher: Browsed) -> None:
    page = teacher.page
    await page.get_by_role("link", name="Graded").click()
    await page.get_by_role("link", name="Student 00").click()
    await page.get_by_role("button", name="Accept and go on").click()
    await expect(page.locator("#told")).to_contain_text("Accepted: Student 00.", timeout=MS)
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Feedback for the student").fill("Good.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("p.feedback")).to_have_text("Good.", timeout=MS)


async def release_and_take_back(day: Day, teacher: Browsed) -> None:
    """From the list: three are released, one more, and that one is taken back."""
    page = teacher.page
    await page.goto(f"{day.page}?tab=graded")
    for student in ("Student 00", "Student 01", "Student 02"):
        await page.get_by_label(f"Choose {student}").check()
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator("#told")).to_have_text("3 papers are released.", timeout=MS)
    assert await counts(teacher, "graded", "released") == (2, 3)
    await page.get_by_label("Choose Student 03").check()
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator(".undo")).to_contain_text("Released by mistake?", timeout=MS)
    await expect(page.locator(".undo")).to_be_focused(timeout=MS)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Take it back")).to_be_focused(timeout=MS)
    await page.keyboard.press("Enter")
    await expect(page.locator("#told")).to_contain_text("Taken back", timeout=MS)
    assert await counts(teacher, "graded", "released") == (2, 3)
    released = "SELECT external_id FROM submissions WHERE status = 'released' ORDER BY id"
    assert day.daemon.rows(released) == [("p0",), ("p1",), ("p2",)]
