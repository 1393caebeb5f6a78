"""Two people, each at a browser of her own, on one assignment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import FAST, MS, Day, a_class, counted, expect, school_day, stays_loaded

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

OLD, NEW = 4, 12


async def test_neither_overwrites_the_other(tmp_path: Path, browser: playwright.Browser) -> None:
    async with school_day(tmp_path, browser, **FAST) as day:
        ids = await day.stock(a_class(OLD + NEW))
        await day.graded(ids[:OLD])
        lee = await day.teacher("Ms Lee")
        may = await day.colleague(lee, "Mr May")
        await a_release_is_seen(day, lee, may, ids[0])
        await a_stale_edit_is_refused(day, lee, may, ids[1])
        await both_order_at_once(day, lee, may)
        assert lee.complaints == []


async def a_release_is_seen(day: Day, lee: Browsed, may: Browsed, paper: int) -> None:
    await may.page.goto(f"{day.page}?tab=graded")
    await may.is_live()
    await stays_loaded(may)
    await lee.page.goto(f"{day.daemon.url}/submissions/{paper}")
    await lee.page.get_by_role("button", name="Release and go on").click()
    await lee.page.locator(".undo").wait_for()
    await counted(may, "released", 1)
    await counted(may, "graded", OLD - 1)
    await expect(may.page.locator(f'tr[data-paper="{paper}"]')).to_have_count(0, timeout=MS)


async def a_stale_edit_is_refused(day: Day, lee: Browsed, may: Browsed, paper: int) -> None:
    list_of_may = may.page
    form = Browsed(await list_of_may.context.new_page())
    await form.page.goto(f"{day.daemon.url}/submissions/{paper}?edit=1")
    await form.page.get_by_label("Feedback for the student").fill("What Mr May has typed.")
    await form.is_live()

    await lee.page.goto(f"{day.daemon.url}/submissions/{paper}?edit=1")
    await lee.page.get_by_label("Feedback for the student").fill("What Ms Lee has typed.")
    await lee.page.get_by_role("button", name="Save").click()
    await expect(lee.page.locator("#told")).to_contain_text("Saved", timeout=MS)
    row = list_of_may.locator(f'tr[data-paper="{paper}"]')
    await expect(row).to_contain_text("changed by Ms Lee", timeout=MS)
    await expect(form.page.locator("#news")).to_contain_text("has changed", timeout=MS)

    await form.page.get_by_role("button", name="Save").click()
    problem = form.page.locator("main .problem")
    await expect(problem).to_contain_text("Not saved. Ms Lee changed", timeout=MS)
    await expect(problem).to_contain_text("What you typed is still in the form", timeout=MS)
    typed = form.page.get_by_label("Feedback for the student")
    await expect(typed).to_have_value("What Mr May has typed.", timeout=MS)
    stored = "SELECT feedback FROM grades WHERE current = 1 AND submission_id = ?"
    assert day.daemon.rows(stored, paper) == [("What Ms Lee has typed.",)]
    await form.page.close()


async def both_order_at_once(day: Day, lee: Browsed, may: Browsed) -> None:
    """Both have confirmed before either has ordered: each paper is called for once."""
    for one in (lee, may):
        await one.page.goto(day.page)
        await one.page.get_by_label(f"All {NEW} papers of this tab").check()
        await one.page.get_by_role("button", name="Grade with AI").click()
        await one.page.get_by_role("button", name=f"Grade {NEW} papers").wait_for()
    orders = [one.page.get_by_role("button", name=f"Grade {NEW} papers") for one in (lee, may)]
    await asyncio.gather(*(one.click() for one in orders))
    told = [await one.page.locator("#told").inner_text() for one in (lee, may)]
    assert any(one.startswith(f"{NEW} papers are queued") for one in told), told
    # How many of them were graded by then, nobody can foresee.
    assert [one.startswith("Nothing ") for one in told].count(True) == 1, told
    assert day.daemon.rows("SELECT id FROM batches WHERE total = 0") == []
    for one in (lee, may):
        await counted(one, "submitted", 0)
        await counted(one, "graded", OLD - 1 + NEW)
    assert await day.calls() == [1] * (OLD + NEW)
