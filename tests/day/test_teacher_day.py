"""From the first link to the released grade, with the daemon in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import (
    FAST,
    MS,
    SLOW,
    Day,
    a_class,
    add_papers,
    count,
    counted,
    counts,
    expect,
    order,
    school_day,
    stays_loaded,
    was_not_reloaded,
)

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

PAPERS = 33


async def test_a_class_is_graded_while_its_teacher_is_away(
    tmp_path: Path, browser: playwright.Browser
) -> None:
    async with school_day(tmp_path, browser, **SLOW) as day:
        teacher = await day.teacher()
        await add_papers(day, teacher, day.school.table(a_class(PAPERS)))
        await order_thirty(day, teacher)
        await teacher.page.close()
        await day.called(3)
        back = Browsed(await teacher.page.context.new_page())
        await grading_goes_on(day, back)
        await the_class_is_graded(day, back)
        await review_by_keyboard(day, back)
        assert teacher.complaints == back.complaints == []


async def order_thirty(day: Day, teacher: Browsed) -> None:
    """All are ticked by the box in the table's head, three are left out again."""
    page = teacher.page
    await page.goto(day.page)
    await page.get_by_label("Choose all on this page").check()
    for student in ("Student 30", "Student 31", "Student 32"):
        await page.get_by_label(f"Choose {student}").uncheck()
    await teacher.shows("#chosen", "30 chosen")
    await order(teacher, 30)
    await page.reload()
    await expect(page.locator("#told")).to_have_count(0, timeout=MS)  # it was told once


async def grading_goes_on(day: Day, back: Browsed) -> None:
    """The page that is opened in the middle of it tells the truth, and goes on telling it."""
    await back.page.goto(day.page)
    await back.is_live()
    await stays_loaded(back)
    graded, submitted = await counts(back, "graded", "submitted")
    assert graded + submitted == PAPERS
    assert 3 < submitted < PAPERS
    await expect(back.page.locator("#running progress")).to_have_attribute("max", "30")
    await expect(back.page.locator("#running")).to_contain_text("of 30 done")
    for _ in range(3):
        before = await count(back, "graded")
        badge = back.page.locator('[data-count="graded"]')
        await expect(badge).not_to_have_attribute("data-value", str(before), timeout=MS)
        assert before < await count(back, "graded") < 30


async def the_class_is_graded(day: Day, back: Browsed) -> None:
    await day.settings(**FAST)
    await counted(back, "graded", 30)
    await counted(back, "submitted", 3)
    await expect(back.page.locator("#running")).to_have_count(0, timeout=MS)
    await expect(back.page.locator("tr[data-paper]")).to_have_count(3, timeout=MS)
    await was_not_reloaded(back)
    assert await day.calls() == [1] * 30


async def review_by_keyboard(day: Day, back: Browsed) -> None:
    page, keys = back.page, back.page.keyboard
    await page.goto(f"{day.page}?tab=graded&sort=student")
    await page.get_by_role("link", name="Student 00").focus()
    await keys.press("Enter")
    await on_paper(back, "Student 00")
    await keys.press("j")
    await on_paper(back, "Student 01")
    await keys.press("k")
    await on_paper(back, "Student 00")
    await keys.press("a")
    await on_paper(back, "Student 01")
    await back.shows("#told", "Accepted: Student 00.")
    await edit_by_keyboard(back)
    await release_by_keyboard(day, back)
    await page.goto(day.page)
    await counted(back, "graded", 29)
    await counted(back, "released", 1)


async def on_paper(browsed: Browsed, student: str) -> None:
    """Its page is there, and listens to keys."""
    await expect(browsed.page.locator("h1")).to_have_text(student, timeout=MS)
    await browsed.page.locator("#keys").wait_for()


async def edit_by_keyboard(back: Browsed) -> None:
    page, keys = back.page, back.page.keyboard
    await keys.press("e")
    await page.locator("#grading").wait_for()
    await page.locator("#keys").wait_for()
    before = float(await page.locator("#total").inner_text())
    await keys.press("1")
    claim = page.locator('input[name="level-claim"]')
    await expect(page.locator('input[name="level-claim"]:checked')).to_be_focused(timeout=MS)
    had = float(await page.locator("#points-1").input_value())
    await keys.press("ArrowDown" if had else "ArrowUp")
    now = float(await page.locator("#points-1").input_value())
    assert now != had
    assert await claim.count() > 1
    total = f"{before - had + now:g}"
    await back.shows("#total", total)
    await tab_to(page, page.locator("#feedback"))
    await keys.type("Good work, Jo.")
    await tab_to(page, page.get_by_role("button", name="Save"))
    await keys.press("Enter")
    await back.shows(".score strong", total)
    await expect(page.locator("p.feedback")).to_contain_text("Good work, Jo.", timeout=MS)


async def release_by_keyboard(day: Day, back: Browsed) -> None:
    """Released, taken back, released again."""
    page, keys = back.page, back.page.keyboard
    await on_paper(back, "Student 01")
    await keys.press("r")
    await on_paper(back, "Student 02")
    await expect(page.locator(".undo")).to_be_focused(timeout=MS)
    assert day.daemon.rows("SELECT count(*) FROM submissions WHERE status = 'released'") == [(1,)]
    await keys.press("Tab")
    await expect(page.get_by_role("button", name="Take it back")).to_be_focused(timeout=MS)
    await keys.press("Enter")
    await on_paper(back, "Student 01")
    await back.shows("header .badge", "Graded")
    await keys.press("r")
    await on_paper(back, "Student 02")
    await keys.press("k")
    await on_paper(back, "Student 00")


async def tab_to(page: playwright.Page, wanted: playwright.Locator) -> None:
    """With the Tab key alone."""
    for _ in range(60):
        if await wanted.evaluate("one => one === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {wanted}")
