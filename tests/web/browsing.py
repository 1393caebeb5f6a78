"""A real browser before a real service, and a check of what it shows by axe-core."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

playwright = pytest.importorskip("playwright.async_api")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
MS = 20_000

NEEDS_BROWSER = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
]
PAGE_IN_BROWSER = [*NEEDS_BROWSER, pytest.mark.slow]
"""For the many tests of single pages: what all pages share is tested with every run."""
_AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
# What passes is a hundred times as much as what fails, and takes longer to tell than to find.
_VIOLATIONS = """async told => (await axe.run(document, told)).violations.map(
    one => [one.id, one.nodes.map(node => node.html)])"""
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


class Browsed:
    """A page, and everything that it complained about."""

    def __init__(self, page: playwright.Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.set_default_timeout(MS)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: playwright.ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    async def counts(self, assignment: str) -> list[str]:
        row = self.page.locator(f'tr[data-assignment="{assignment}"]')
        return [text.strip() for text in await row.locator("td.count").all_text_contents()]

    async def is_accessible(self) -> None:
        """Fails with what axe-core finds on the page as it stands (WCAG 2.2 AA and more)."""
        told = {"runOnly": {"type": "tag", "values": _RULES}, "resultTypes": ["violations"]}
        # The page's own policy lets no script in; the check comes from the browser itself.
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Runtime.evaluate", {"expression": _AXE.read_text("utf-8")})
        found: list[Any] = await self.page.evaluate(_VIOLATIONS, told)
        assert found == []

    async def is_live(self) -> None:
        await playwright.expect(self.page.locator("#live")).to_have_attribute(
            "data-state", "live", timeout=MS
        )

    async def shows(self, selector: str, text: str) -> None:
        await playwright.expect(self.page.locator(selector)).to_have_text(text, timeout=MS)


@asynccontextmanager
async def browsing() -> AsyncIterator[playwright.Browser]:
    """A browser that is gone when the block is left."""
    async with playwright.async_playwright() as driver:
        opened = await driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        await opened.close()
