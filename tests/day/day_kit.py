"""A teacher's day: the daemon as a process of its own, a provider with limits, real browsers."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import subprocess
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from browsing import Browsed, playwright
from cli_kit import School, start, text

from gradeq.providers.simulated.server import Simulator
from gradeq.providers.simulated.settings import SimulatorSettings

COURSE, ASSIGNMENT = "English", "Sleep"
PLACE = f"/courses/{COURSE}/assignments/{ASSIGNMENT}"
MS = 60_000
"""How long a browser waits for what must happen: the machine may be busy."""

SLOW = {"requests_per_minute": 60, "burst_seconds": 1.0, "start_seconds": 1.0}
"""A paper a second: so slow that a teacher sees it, and a test gets in between."""
FAST = {"requests_per_minute": 60_000}

expect = playwright.expect
_LINK = re.compile(r"http://\S+/sign-in\?code=\S+")


class Daemon:
    """`gradeq serve` with a database in `folder`; it comes back to the same port."""

    def __init__(self, school: School, *options: object) -> None:
        self.folder = school.folder
        self._words = ("serve", "--db", "day.db", "--json", *school.provider, *options)
        self._process: subprocess.Popen[str] | None = None
        self._listening: threading.Thread | None = None
        self._said: list[str] = []
        self._port = 0
        self.url = ""

    async def start(self) -> None:
        await asyncio.to_thread(self._start)

    def _start(self) -> None:
        process = start(*self._words, "--port", self._port, cwd=self.folder)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        self._process, self.url = process, json.loads(line)["url"]
        self._port = int(self.url.rpartition(":")[2])
        self._listening = threading.Thread(target=self._listen, args=(process,))
        self._listening.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        self._said.extend(process.stderr)

    async def first_link(self) -> str:
        """By which the first administrator signs in."""
        async with asyncio.timeout(30):
            while not (found := _LINK.search("".join(self._said))):
                await asyncio.sleep(0.02)
        return found[0]

    async def kill(self) -> None:
        """As a power cut would end it."""
        assert self._process is not None
        self._process.kill()
        await self._ended()

    async def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._ended()

    async def _ended(self) -> None:
        await asyncio.to_thread(self._wait)

    def _wait(self) -> None:
        assert self._process is not None
        assert self._listening is not None
        with self._process:  # closes what it said
            self._process.wait(60)
            self._listening.join()
        self._process = None

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database holds, read beside the daemon."""
        path = f"file:{self.folder / 'day.db'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=30)) as found:
            return found.execute(sql, values).fetchall()

    def grades_by_paper(self) -> dict[str, int]:
        """How often each paper was graded."""
        return dict(
            self.rows(
                "SELECT s.external_id, count(g.id) FROM submissions s"
                " LEFT JOIN grades g ON g.submission_id = s.id GROUP BY s.id"
            )
        )


@dataclass
class Day:
    """`school` has the provider and its counts, `daemon` the papers."""

    school: School
    daemon: Daemon
    browser: playwright.Browser

    @property
    def page(self) -> str:
        """The assignment's."""
        return self.daemon.url + PLACE

    async def person(self, **options: Any) -> Browsed:
        """Somebody at a browser of her own; nobody has signed in there."""
        context = await self.browser.new_context(locale="en-GB", **options)
        browsed = Browsed(await context.new_page())
        browsed.page.set_default_timeout(MS)
        return browsed

    async def teacher(self, name: str = "Ms Lee", **options: Any) -> Browsed:
        """The first administrator, signed in by the link that the daemon printed."""
        browsed = await self.person(**options)
        await sign_in(browsed, await self.daemon.first_link(), name)
        return browsed

    async def colleague(self, first: Browsed, name: str, **options: Any) -> Browsed:
        """A teacher of the course, let in by the administrator."""
        page = first.page
        await page.goto(f"{self.daemon.url}/people")
        new = page.locator("form", has=page.get_by_role("button", name="Add", exact=True))
        await new.get_by_label("Name").fill(name)
        await new.get_by_label(COURSE, exact=True).check()
        await new.get_by_role("button", name="Add", exact=True).click()
        await page.get_by_role("button", name=f"Make a link to sign in for {name}").click()
        link = await page.get_by_role("textbox", name=f"A link for {name}").input_value()
        browsed = await self.person(**options)
        await sign_in(browsed, link)
        return browsed

    async def calls(self) -> list[int]:
        """How often each paper was called for, at the price of tokens."""
        return list((await asyncio.to_thread(self.school.calls)).values())

    async def settings(self, **changes: Any) -> None:
        await asyncio.to_thread(lambda: self.school.change(**changes))

    async def called(self, calls: int) -> None:
        """Return when the provider has been asked so often."""
        async with asyncio.timeout(60):
            while sum(await self.calls()) < calls:
                await asyncio.sleep(0.05)

    async def stock(self, rows: Sequence[Mapping[str, object]]) -> list[int]:
        """Papers and a rubric over HTTP, which needs nobody's name while nobody has signed in."""
        at = {"course": COURSE, "assignment": ASSIGNMENT}
        async with httpx.AsyncClient(base_url=self.daemon.url, timeout=MS / 1000) as client:
            sent = await client.post("/api/submissions", json=[{**at, **one} for one in rows])
            assert sent.status_code == 201, sent.text
            source = {"source": self.school.rubric.read_text("utf-8")}
            put = await client.put(f"/api{PLACE}/rubric", json=source)
            assert put.status_code == 200, put.text
            return [one["id"] for one in sent.json()["submissions"]]

    async def graded(self, ids: Sequence[int]) -> None:
        """Have these graded, and wait for it; while nobody has signed in."""
        async with httpx.AsyncClient(base_url=self.daemon.url, timeout=MS / 1000) as client:
            sent = await client.post("/api/grade", json={"submission_ids": list(ids)})
            assert sent.status_code == 202, sent.text
            batch = f"/api/batches/{sent.json()['batch_id']}"
            async with asyncio.timeout(MS / 1000):
                while (await client.get(batch)).json()["finished_at"] is None:
                    await asyncio.sleep(0.05)


@asynccontextmanager
async def school_day(
    folder: Path, browser: playwright.Browser, *options: object, **settings: Any
) -> AsyncIterator[Day]:
    simulator = Simulator(SimulatorSettings(**settings))
    await simulator.start()
    school = School(simulator, folder)
    daemon = Daemon(school, *options)
    try:
        await daemon.start()
        yield Day(school, daemon, browser)
    finally:
        await daemon.stop()
        await simulator.close()


async def sign_in(browsed: Browsed, link: str, name: str = "") -> None:
    page = browsed.page
    await page.goto(link)
    if name:
        await page.get_by_label("Name").fill(name)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("h1")).to_have_text("Courses", timeout=MS)


async def add_papers(day: Day, browsed: Browsed, papers: Path) -> None:
    """A new assignment with these papers and a rubric, made by hand on the pages."""
    page = browsed.page
    await page.goto(day.daemon.url)
    await page.get_by_label("Course", exact=True).fill(COURSE)
    await page.get_by_label("Assignment", exact=True).fill(ASSIGNMENT)
    await page.get_by_role("button", name="Add papers").click()
    await page.set_input_files("#files", papers)
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(".taken")).to_contain_text("new paper", timeout=MS)
    await page.goto(f"{day.page}/rubric/toml")
    await page.get_by_label("The rubric as TOML").fill(day.school.rubric.read_text("utf-8"))
    await page.get_by_role("button", name="Save as a new version").click()
    await expect(page.locator(".told")).to_be_visible(timeout=MS)


def a_class(count: int) -> list[dict[str, str]]:
    """Papers p0, p1, … of Student 00, Student 01, …, with a text each."""
    return [{"id": f"p{n}", "student": f"Student {n:02}", "text": text(n)} for n in range(count)]


async def order(browsed: Browsed, papers: int) -> None:
    """Confirm what "Grade with AI" is about to do; the ticks are set."""
    page = browsed.page
    await page.get_by_role("button", name="Grade with AI").click()
    await page.get_by_role("button", name=f"Grade {papers:,} papers").click()
    await expect(page.locator("#told")).to_contain_text(f"{papers:,} papers are queued", timeout=MS)


async def counts(browsed: Browsed, *kinds: str) -> tuple[int, ...]:
    """What the badges show, all of them in one moment."""
    shown: dict[str, str] = await browsed.page.evaluate(
        """() => Object.fromEntries(Array.from(document.querySelectorAll("[data-count]"),
             (one) => [one.dataset.count, one.dataset.value]))"""
    )
    return tuple(int(shown.get(kind, 0)) for kind in kinds)


async def count(browsed: Browsed, kind: str) -> int:
    [shown] = await counts(browsed, kind)
    return shown


async def counted(browsed: Browsed, kind: str, number: int) -> None:
    await expect(browsed.page.locator(f'[data-count="{kind}"]')).to_have_attribute(
        "data-value", str(number), timeout=MS
    )


async def stays_loaded(browsed: Browsed) -> None:
    """Mark the page as it is: `was_not_reloaded` finds the mark."""
    await browsed.page.evaluate("window.stillHere = true")


async def was_not_reloaded(browsed: Browsed) -> None:
    assert await browsed.page.evaluate("window.stillHere === true")
