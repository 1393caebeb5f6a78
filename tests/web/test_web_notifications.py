"""WS /ws/notifications/: what happens, as JSON messages."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from web_kit import ESSAY, SECONDS, Desk, Service, make_engine, served_app, serving
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gradeq.web import create_app, notifications
from gradeq.web.feed import MOST_STREAMS

TOKEN = "correct horse battery"


@asynccontextmanager
async def notified(
    url: str,
    headers: Mapping[str, str] | None = None,
    path: str = "/ws/notifications/",
    host: str | None = None,
    is_slow: bool = False,
    **query: Any,
) -> AsyncIterator[ClientConnection]:
    """Connected to `url`, which is called `host` where one is given. A slow client has next to no
    memory for what it did not read yet."""
    at = urlsplit(url)
    address = f"ws://{host or at.netloc}{path}?{urlencode(query)}"
    told = {"Origin": url, **(headers or {})}
    with socket.create_connection((at.hostname, at.port)) as line:
        if is_slow:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connecting = connect(
            address,
            sock=line,
            additional_headers=told,
            compression=None,
            max_queue=1 if is_slow else None,
        )
        async with asyncio.timeout(SECONDS), connecting as opened:
            yield opened


async def heard(opened: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await opened.recv()))


async def until(opened: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Everything up to the first message of this kind."""
    found = [await heard(opened)]
    while found[-1]["kind"] != kind:
        found.append(await heard(opened))
    return found


async def refused(
    url: str, headers: Mapping[str, str] | None = None, **query: Any
) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as error:
        async with notified(url, headers, **query):
            pass
    answer = error.value.response
    return answer.status_code, str(json.loads(answer.body or b"{}")["code"])


async def archive(service: Service, *ids: int) -> None:
    told = {"submission_ids": list(ids)}
    answer = await service.client.post("/api/submissions/archive", json=told)
    assert answer.status_code == 200


async def test_it_tells_the_same_events_as_the_stream(service: Service, desk: Desk) -> None:
    async with service.events() as events, notified(service.url) as opened:
        await service.grade(submission_ids=await service.add("hold", "hold"), grader="desk")
        desk.go.set()
        told = []
        async for event in events:
            told.append((event.event, event.data))
            if event.event == "batch.completed":
                break
        messages = await until(opened, "batch.completed")
    sent = [one for one in messages if one["kind"] != "badges"]
    assert sent == [data for kind, data in told if kind != "badges"]
    assert [one["seq"] for one in sent] == list(range(1, len(sent) + 1))


async def test_badges_follow_every_change(service: Service, desk: Desk) -> None:
    desk.go.set()
    async with notified(service.url, course="biology", assignment="sleep") as opened:
        await service.grade(submission_ids=await service.add(ESSAY), grader="desk")
        while (await until(opened, "badges"))[-1]["graded"] == 0:
            pass
    async with notified(service.url, course="biology", assignment="sleep") as opened:
        assert await heard(opened) == {
            "kind": "badges",
            "course": "biology",
            "assignment": "sleep",
            "in_progress": 0,
            "submitted": 0,
            "graded": 1,
            "released": 0,
            "grading": 0,
        }


async def test_what_was_missed_is_replayed(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY)
    await archive(resting, *ids)
    async with notified(resting.url, after=1) as opened:
        missed = [await heard(opened) for _ in ids]
    assert [(one["seq"], one["kind"]) for one in missed] == [
        (2, "submission.archived"),
        (3, "submission.archived"),
    ]


async def test_a_gap_is_told(resting: Service) -> None:
    async with notified(resting.url, after=99) as opened:
        assert await heard(opened) == {"kind": "gap", "after": 99, "seq": 0}


async def test_only_what_was_asked_for_comes(resting: Service) -> None:
    [first] = await resting.add(ESSAY)
    [other] = await resting.add(ESSAY, course="physics")
    async with notified(resting.url, course="physics") as opened:
        await archive(resting, first)
        await archive(resting, other)
        assert (await until(opened, "badges"))[0]["course"] == "physics"
    async with notified(resting.url, batch_id=2) as opened:
        await resting.grade(submission_ids=await resting.add(ESSAY, first=5), grader="desk")
        await resting.grade(submission_ids=await resting.add(ESSAY, first=6), grader="desk")
        assert (await heard(opened))["batch_id"] == 2


async def test_what_cannot_be_is_refused_with_the_reason(
    resting: Service, caplog: pytest.LogCaptureFixture
) -> None:
    assert await refused(resting.url, after="x") == (422, "invalid_query")
    assert await refused(resting.url, corse="physics") == (422, "invalid_query")
    assert caplog.records == []


async def test_there_is_a_most_of_streams(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine)
    async with engine, served_app(app) as (client, _):
        app.state.site.feed.listeners = MOST_STREAMS
        assert await refused(str(client.base_url)) == (503, "too_many_streams")


async def test_a_client_that_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine)
    feed = app.state.site.feed
    async with engine, served_app(app) as (client, _), asyncio.timeout(SECONDS):
        async with notified(str(client.base_url)) as opened:
            # What a client says is not looked at.
            await opened.send("hello")
            while feed.listeners == 0:
                await asyncio.sleep(0.01)
            opened.transport.abort()
        while feed.listeners > 0:
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_a_client_that_does_not_read_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line is full: its place is free again, and meanwhile others are told on."""
    monkeypatch.setattr(notifications, "_SLOWEST_SECONDS", 0.3)
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine)
    feed = app.state.site.feed
    async with engine, served_app(app) as (client, _):
        service = Service(engine, str(client.base_url), client)
        long, many = "x" * 200, 10_000
        ids = await service.add(*["x"] * many, course=long, assignment=long)
        await archive(service, *ids)
        last = await engine.store.last_event()
        async with notified(service.url, is_slow=True, after=0) as silent:
            async with notified(service.url, after=0) as reading:
                while (await heard(reading)).get("seq") != last:
                    pass
                while feed.listeners > 1:
                    await asyncio.sleep(0.01)
            silent.transport.abort()


async def test_the_stop_of_the_service_ends_it_cleanly(resting: Service) -> None:
    async with notified(resting.url) as opened:
        resting.stop.set()
        with pytest.raises(ConnectionClosed):
            await opened.recv()
        assert opened.close_code in (1001, 1012)
        assert resting.serving is not None
        await resting.serving


async def test_it_works_where_it_is_mounted(tmp_path: Path, desk: Desk) -> None:
    engine = make_engine(tmp_path, desk, work=False)
    app = Starlette(routes=[Mount("/grading", create_app(engine))], lifespan=engine.lifespan)
    async with served_app(app) as (client, _):
        path = "/grading/ws/notifications/"
        async with notified(str(client.base_url), path=path) as opened:
            paper = {"id": "p", "text": ESSAY}
            await client.post("/grading/api/submissions", json=paper)
            assert (await heard(opened))["kind"] == "submissions.imported"


async def test_another_site_may_not_read_along(resting: Service) -> None:
    """Browsers let every page open a WebSocket anywhere, with the cookies of where it goes."""
    for origin in ("http://evil.example", "null", resting.url + ".evil.example"):
        assert await refused(resting.url, {"Origin": origin}) == (403, "foreign_site")
    fetched = {"Sec-Fetch-Site": "cross-site"}
    assert await refused(resting.url, fetched) == (403, "foreign_site")
    named = {"Origin": "http://evil.example"}
    assert await refused(resting.url, named, host="evil.example") == (403, "foreign_host")


async def test_with_a_token_it_asks_for_it(tmp_path: Path) -> None:
    async with serving(make_engine(tmp_path, work=False), TOKEN) as service:
        assert await refused(service.url) == (401, "unauthorized")
        assert await refused(service.url, token=TOKEN) == (401, "unauthorized")
        wrong = {"Authorization": "Bearer wrong"}
        assert await refused(service.url, wrong) == (401, "unauthorized")
        # A program shows the token itself, wherever it says that it comes from.
        shown = {"Authorization": f"Bearer {TOKEN}", "Origin": "http://elsewhere.example"}
        async with notified(service.url, shown):
            pass
        await service.client.get("/", params={"token": TOKEN})
        cookie = "; ".join(f"{name}={value}" for name, value in service.client.cookies.items())
        async with notified(service.url, {"Cookie": cookie}):
            pass
        foreign = {"Cookie": cookie, "Origin": "http://evil.example"}
        assert await refused(service.url, foreign) == (403, "foreign_site")
