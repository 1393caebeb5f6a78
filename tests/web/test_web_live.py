"""The pages keep themselves current, whatever happens to the line, and without a reload."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from browsing import PAGE_IN_BROWSER, Browsed, browsing, playwright
from web_kit import ESSAY, SECONDS, Service, make_engine, served_app

from gradeq.web import create_app
from gradeq.web.feed import Feed

pytestmark = PAGE_IN_BROWSER
SUBMITTED = 'tr[data-assignment="sleep"] [data-count="submitted"]'
HIDE = """
Object.defineProperty(document, "visibilityState", { get: () => window.seen || "visible" });
window.turn = seen => {
  window.seen = seen;
  document.dispatchEvent(new Event("visibilitychange"));
};
"""


@pytest.fixture
async def browser() -> AsyncIterator[playwright.Browser]:
    async with browsing() as opened:
        yield opened


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[tuple[Service, Feed]]:
    """A service whose feed the test can look into."""
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine)
    async with engine, served_app(app) as (client, _):
        yield Service(engine, str(client.base_url), client), app.state.site.feed


class Line:
    """Stands between browser and service; `cut` leaves every open connection dead but open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._alive = asyncio.Event()
        self._alive.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._alive.clear()
        self._alive = asyncio.Event()
        self._alive.set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        alive = self._alive
        there, here = await asyncio.open_connection("127.0.0.1", self._port)
        for source, target in ((reader, here), (there, writer)):
            task = asyncio.create_task(self._pass_on(source, target, alive))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, alive: asyncio.Event
    ) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(65536):
                if alive.is_set():
                    target.write(data)
                    await target.drain()
        target.close()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def lined(url: str) -> AsyncIterator[tuple[Line, str]]:
    line = Line(int(url.rpartition(":")[2]))
    server = await asyncio.start_server(line.connected, "127.0.0.1", 0)
    try:
        yield line, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await line.end()


async def opened(browser: playwright.Browser, url: str, script: str = "") -> Browsed:
    browsed = Browsed(await browser.new_page())
    await browsed.page.add_init_script(script or "0")
    await browsed.page.goto(url)
    # A reload would lose it.
    await browsed.page.evaluate("window.isTheSame = true")
    return browsed


async def is_the_same(browsed: Browsed) -> bool:
    return bool(await browsed.page.evaluate("window.isTheSame === true"))


async def until_listening(feed: Feed, count: int) -> None:
    async with asyncio.timeout(SECONDS):
        while feed.listeners != count:
            await asyncio.sleep(0.01)


async def test_where_events_fail_it_polls_and_where_they_come_back_it_listens(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    """As behind a proxy that lets no stream through, until somebody mends it."""
    service, _ = shared
    await service.add(ESSAY)
    browsed = Browsed(await browser.new_page())
    await browsed.page.route("**/api/events*", lambda route: route.fulfill(status=502))
    await browsed.page.goto(service.url)
    await browsed.page.evaluate("window.isTheSame = true")
    await browsed.shows("#live", "Updated every few seconds")
    await service.add(ESSAY, first=2)
    await browsed.shows(SUBMITTED, "2")
    await browsed.page.unroute("**/api/events*")
    await browsed.shows("#live", "Live")
    await service.add(ESSAY, first=3)
    await browsed.shows(SUBMITTED, "3")
    assert await is_the_same(browsed)


async def test_what_happened_between_the_page_and_its_events_is_not_missed(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    service, _ = shared
    await service.add(ESSAY)
    browsed = Browsed(await browser.new_page())

    async def late(route: playwright.Route) -> None:
        await service.add(ESSAY, first=2)
        await route.continue_()

    await browsed.page.route("**/api/events*", late)
    await browsed.page.goto(service.url)
    await browsed.shows(SUBMITTED, "2")
    assert await browsed.page.locator("#live").get_attribute("data-state") == "live"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (503, "No answer from gradeq; this may be old"),
        (401, "You are signed out; this may be old"),
    ],
)
async def test_a_refused_refresh_says_that_the_page_is_old(
    shared: tuple[Service, Feed], browser: playwright.Browser, status: int, told: str
) -> None:
    service, _ = shared
    await service.add(ESSAY)
    browsed = await opened(browser, service.url)
    await browsed.is_live()
    await browsed.page.route(f"{service.url}/", lambda route: route.fulfill(status=status))
    await service.add(ESSAY, first=2)
    await browsed.shows("#live", told)
    await browsed.page.unroute(f"{service.url}/")
    await service.add(ESSAY, first=3)
    await browsed.shows(SUBMITTED, "3")
    await browsed.is_live()


async def test_after_a_time_without_network_it_goes_on(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    service, _ = shared
    await service.add(ESSAY)
    browsed = await opened(browser, service.url)
    await browsed.is_live()
    await browsed.page.context.set_offline(True)
    await service.add(ESSAY, first=2)
    await browsed.page.context.set_offline(False)
    await browsed.shows(SUBMITTED, "2")
    await browsed.is_live()
    assert await is_the_same(browsed)


async def test_a_line_that_died_in_the_machines_sleep_is_made_anew(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    """The lid is closed, the router forgets the connection, the lid is opened: no error comes."""
    service, _ = shared
    await service.add(ESSAY)
    async with lined(service.url) as (line, url):
        browsed = Browsed(await browser.new_page())
        await browsed.page.clock.install()
        await browsed.page.goto(url)
        await browsed.page.evaluate("window.isTheSame = true")
        await browsed.is_live()
        line.cut()
        await service.add(ESSAY, first=2)
        await browsed.page.clock.fast_forward(3_600_000)
        await browsed.shows(SUBMITTED, "2")
        await browsed.is_live()
        assert await is_the_same(browsed)


async def test_a_frozen_tab_goes_on(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    service, _ = shared
    await service.add(ESSAY)
    browsed = await opened(browser, service.url)
    await browsed.is_live()
    session = await browsed.page.context.new_cdp_session(browsed.page)
    await session.send("Page.setWebLifecycleState", {"state": "frozen"})
    await service.add(ESSAY, first=2)
    await session.send("Page.setWebLifecycleState", {"state": "active"})
    await browsed.shows(SUBMITTED, "2")
    await browsed.is_live()
    assert await is_the_same(browsed)


async def test_a_tab_that_nobody_sees_holds_no_connection(
    shared: tuple[Service, Feed], browser: playwright.Browser
) -> None:
    service, feed = shared
    await service.add(ESSAY)
    browsed = await opened(browser, service.url, HIDE)
    await browsed.is_live()
    await until_listening(feed, 1)
    await browsed.page.evaluate("turn('hidden')")
    await until_listening(feed, 0)
    await service.add(ESSAY, first=2)
    await browsed.page.evaluate("turn('visible')")
    await browsed.shows(SUBMITTED, "2")
    await until_listening(feed, 1)
    assert browsed.complaints == []
    assert await is_the_same(browsed)
