"""Every page with a class on it: readable by everybody, light and dark, narrow and enlarged."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, playwright
from day_kit import FAST, MS, PLACE, Day, a_class, expect, school_day, sign_in

pytestmark = [*PAGE_IN_BROWSER, pytest.mark.timeout(600)]

NARROW, ENLARGED, WIDE = 320, 640, 1280
"""CSS pixels; a window of 1,280 has 640 of them at 200 %."""

PATHS = (
    "/",
    *(f"{PLACE}?tab={tab}" for tab in ("submitted", "graded", "released", "archived")),
    f"{PLACE}?find=nobody",
    f"{PLACE}/grade?tab=submitted&all=1",
    f"{PLACE}/add",
    f"{PLACE}/rubric",
    f"{PLACE}/rubric/toml",
    "/submissions/{graded}",
    "/submissions/{graded}?edit=1",
    "/submissions/{released}",
    "/submissions/{plain}",
    "/batches",
    "/batches/1",
    "/queue",
    "/people",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_everybody_can_read_every_page(
    tmp_path: Path, browser: playwright.Browser, scheme: Literal["light", "dark"]
) -> None:
    async with school_day(tmp_path, browser, **FAST) as day:
        long_name = "Maria-Magdalena Schwarzenegger-Leutheusser von und zu Hohenlohe " * 2
        rows = [{**one, "student": long_name} for one in a_class(6)]
        graded, released, *_, plain = await day.stock(rows)
        await day.graded([graded, released])
        ids = {"graded": graded, "released": released, "plain": plain}
        teacher = await day.person(color_scheme=scheme)
        for address in (f"{day.daemon.url}/sign-in", await day.daemon.first_link()):
            await teacher.page.goto(address)
            await is_readable(teacher, address)
        await sign_in(teacher, await day.daemon.first_link(), "Ms Lee")
        await undo_is_readable(day, teacher, released)
        for path in PATHS:
            await teacher.page.goto(day.daemon.url + path.format(**ids))
            await is_readable(teacher, path)
        assert teacher.complaints == []


async def undo_is_readable(day: Day, teacher: Browsed, paper: int) -> None:
    page = teacher.page
    await page.goto(f"{day.page}?tab=graded")
    await page.locator(f"#paper-{paper}").check()
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator(".undo")).to_be_focused(timeout=MS)
    await is_readable(teacher, "undo")


async def is_readable(browsed: Browsed, what: str) -> None:
    page = browsed.page
    for width in (WIDE, ENLARGED, NARROW):
        await page.set_viewport_size({"width": width, "height": 800})
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{what} is {wide} wide at {width}"
    await browsed.is_accessible()
