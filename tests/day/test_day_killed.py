"""The daemon dies in the middle of grading, before the eyes of a teacher, and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, playwright
from day_kit import (
    FAST,
    MS,
    SLOW,
    a_class,
    counted,
    counts,
    expect,
    order,
    school_day,
    stays_loaded,
    was_not_reloaded,
)

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

PAPERS, AT_ONCE = 30, 3


async def test_a_page_outlives_a_kill(tmp_path: Path, browser: playwright.Browser) -> None:
    async with school_day(tmp_path, browser, "--concurrency", AT_ONCE, **SLOW) as day:
        await day.stock(a_class(PAPERS))
        teacher = await day.teacher()
        page = teacher.page
        await page.goto(day.page)
        await page.get_by_label(f"All {PAPERS} papers of this tab").check()
        await order(teacher, PAPERS)
        await teacher.is_live()
        await stays_loaded(teacher)
        # Not zero any more: some grades are stored when the daemon dies.
        graded = page.locator('[data-count="graded"]')
        await expect(graded).not_to_have_attribute("data-value", "0", timeout=MS)

        await day.daemon.kill()
        before = day.daemon.grades_by_paper()
        assert 0 < sum(before.values()) < PAPERS
        await teacher.shows("#live", "No answer from gradeq; this may be old")
        assert sum(await counts(teacher, "graded", "submitted")) == PAPERS

        await day.settings(**FAST)
        await day.daemon.start()
        await teacher.is_live()
        await counted(teacher, "graded", PAPERS)
        await counted(teacher, "submitted", 0)
        await expect(page.locator("#running")).to_have_count(0, timeout=MS)
        await was_not_reloaded(teacher)

        assert day.daemon.grades_by_paper() == {f"p{n}": 1 for n in range(PAPERS)}
        # Only those whose calls were on their way may have been asked about twice.
        calls = await day.calls()
        assert len(calls) == PAPERS
        assert sum(calls) <= PAPERS + AT_ONCE
        assert max(calls) <= 2
