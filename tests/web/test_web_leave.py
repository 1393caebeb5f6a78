"""An open stream ends with what let its client in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from people_kit import ADA, ADMIN, School, school_at, with_token
from starlette.requests import HTTPConnection
from test_web_notifications import heard, notified
from web_kit import SECONDS, Desk, Service, documented, make_engine, served_app
from websockets.exceptions import ConnectionClosed

from gradeq.clock import ManualClock
from gradeq.passes import SESSION_SECONDS, first_code
from gradeq.store.people import PassKind, Role
from gradeq.web import create_app
from gradeq.web.people import Person

End = Callable[[School, str], Awaitable[object]]


@pytest.fixture
async def school(tmp_path: Path, desk: Desk) -> AsyncIterator[School]:
    async with school_at(tmp_path, desk, work=False) as opened:
        yield opened


@asynccontextmanager
async def listening(school: School, token: str) -> AsyncIterator[Service]:
    async with with_token(school.service.url, token) as client:
        yield Service(school.service.engine, school.service.url, client)


async def revoked_by_the_api(school: School, handle: str) -> object:
    return await school.admin.delete(f"/api/tokens/{handle}")


async def other_courses(school: School, _handle: str) -> object:
    form = {"name": ADA, "role": Role.TEACHER, "courses": "chemistry"}
    return await school.admin.post("/people/change", data=form)


async def another_role(school: School, _handle: str) -> object:
    return await school.people.put(ADA, Role.ADMINISTRATOR)


@pytest.mark.parametrize("end", [revoked_by_the_api, other_courses, another_role])
async def test_both_kinds_of_streams_end(school: School, end: End) -> None:
    token = await school.token(ADA)
    told = {"Authorization": f"Bearer {token}"}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(SECONDS))
        service = await stack.enter_async_context(listening(school, token))
        events = await stack.enter_async_context(service.events(course="art", assignment="one"))
        opened = await stack.enter_async_context(
            notified(service.url, told, course="art", assignment="one")
        )
        assert (await anext(events)).event == (await heard(opened))["kind"] == "badges"
        await end(school, token.partition(".")[0])
        assert [one async for one in events] == []
        with pytest.raises(ConnectionClosed):
            await opened.recv()
        assert opened.close_code == 1008


async def test_what_happens_after_the_end_is_not_told(school: School) -> None:
    token = await school.token(ADA)
    archive = {"submission_ids": [school.papers["art"]]}
    async with (
        asyncio.timeout(SECONDS),
        listening(school, token) as service,
        service.events(course="art", assignment="one") as events,
    ):
        await anext(events)
        await school.people.end(token.partition(".")[0])
        await school.admin.post("/api/submissions/archive", json=archive)
        assert [one async for one in events] == []


async def test_the_end_of_all_sessions_ends_the_stream_of_a_page(school: School) -> None:
    async with (
        asyncio.timeout(SECONDS),
        documented(school.service.url) as browser,
        AsyncExitStack() as stack,
    ):
        await browser.post("/sign-in", data={"code": (await school.link(ADA)).partition("=")[2]})
        service = Service(school.service.engine, school.service.url, browser)
        events = await stack.enter_async_context(service.events(course="art", assignment="one"))
        await anext(events)
        await school.admin.post("/people/end", data={"name": ADA})
        assert [one async for one in events] == []
        assert (await browser.get("/api/events")).status_code == 401


async def test_what_others_are_given_ends_no_stream(school: School) -> None:
    token = await school.token(ADA)
    async with (
        asyncio.timeout(SECONDS),
        listening(school, token) as service,
        service.events(course="art", assignment="one") as events,
    ):
        await anext(events)
        await school.people.put("Cy", Role.TEACHER, ["physics"])
        await school.token(ADA, label="another")
        await school.people.put(ADA, courses=["art"])
        await school.admin.post(
            "/api/submissions/archive", json={"submission_ids": [school.papers["art"]]}
        )
        assert (await anext(events)).event == "submission.archived"


async def test_a_session_that_runs_out_ends_its_stream(tmp_path: Path, desk: Desk) -> None:
    """Nothing happened: it is found at a heartbeat."""
    clock = ManualClock()
    engine = make_engine(tmp_path, desk, work=False, clock=clock)
    app = create_app(engine, heartbeat_seconds=0.05)
    async with asyncio.timeout(SECONDS), engine, served_app(app) as (client, _):
        code = await first_code(engine.store.people)
        await client.post("/sign-in", data={"code": code, "name": ADMIN})
        async with client.stream("GET", "/api/events") as answer:
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            await anext(lines)
            clock.advance(SESSION_SECONDS + 1)
            async for _ in lines:
                pass
        assert await engine.store.people.passes(PassKind.SESSION) == []


class Doorkeeper:
    """As an application around gradeq tells who its users are."""

    def __init__(self) -> None:
        self.lets_in = True

    async def person(self, request: HTTPConnection) -> Person | None:
        return Person(ADMIN) if self.lets_in else None


async def test_an_application_ends_them_by_not_knowing_the_person(tmp_path: Path) -> None:
    engine, door = make_engine(tmp_path, work=False), Doorkeeper()
    app = create_app(engine, heartbeat_seconds=0.05, identity=door)
    async with asyncio.timeout(SECONDS), engine, served_app(app) as (client, _):
        async with client.stream("GET", "/api/events") as answer:
            lines = answer.aiter_lines()
            await anext(lines)
            door.lets_in = False
            async for _ in lines:
                pass
        refused: httpx.Response = await client.get("/api/events")
        assert refused.status_code == 401
