"""GET /api/events: live, replayed, filtered, ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from web_kit import ESSAY, SECONDS, Desk, Service, code, make_engine, served_app, serving, told

from gradeq.web import create_app
from gradeq.web.feed import MOST_STREAMS, Feed


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[tuple[Service, Feed]]:
    """A service whose feed the test can look into."""
    engine = make_engine(tmp_path, work=False)
    app = create_app(engine)
    async with engine, served_app(app) as (client, _):
        yield Service(engine, str(client.base_url), client), app.state.site.feed


async def has_begun(feed: Feed, listeners: int = 1) -> None:
    """So many streams are open, and what happens from now on is read for all of them."""
    while feed.listeners < listeners or feed._since is None:
        await asyncio.sleep(0.01)


async def test_badges_move_while_papers_are_graded(service: Service, desk: Desk) -> None:
    ids = await service.add("hold", "hold", "hold")
    async with asyncio.timeout(SECONDS), service.events(assignment="sleep") as events:
        await service.grade(submission_ids=ids, grader="desk")
        counts, kinds = [], set()
        async for event in events:
            kinds.add(event.event)
            if event.event == "badges":
                counts.append((event.data["submitted"], event.data["graded"]))
                desk.go.set()
            if counts and counts[-1] == (0, 3):
                break
    assert counts[0] == (3, 0)
    assert [graded for _, graded in counts] == sorted(graded for _, graded in counts)
    assert {"jobs.queued", "job.processing", "job.completed", "submission.graded"} <= kinds


async def test_a_queued_paper_shows_at_once_even_where_nothing_grades_it(
    resting: Service,
) -> None:
    ids = await resting.add(ESSAY)
    async with asyncio.timeout(SECONDS), resting.events() as events:
        await resting.grade(submission_ids=ids, grader="desk")
        badges = await anext(one async for one in events if one.event == "badges")
    assert badges.data["grading"] == 1


async def test_a_stream_of_one_assignment_begins_with_its_badges(resting: Service) -> None:
    await resting.add(ESSAY)
    async with (
        asyncio.timeout(SECONDS),
        resting.events(course="biology", assignment="sleep") as events,
    ):
        first = await anext(events)
    assert (first.event, first.data["submitted"]) == ("badges", 1)


async def test_what_was_missed_is_replayed(resting: Service) -> None:
    [first] = await resting.add(ESSAY)
    async with asyncio.timeout(SECONDS), resting.events(after=0) as events:
        seen = await anext(events)
    assert (seen.event, seen.id) == ("submissions.imported", "1")
    assert seen.data["course"] == "biology"
    await resting.client.post("/api/submissions/archive", json={"submission_ids": [first]})
    await resting.client.post("/api/submissions/unarchive", json={"submission_ids": [first]})
    # The header wins: a browser that reconnects sends it with the first address.
    headers = {"Last-Event-ID": seen.id}
    async with asyncio.timeout(SECONDS), resting.events(headers, after=0) as events:
        missed = [await anext(events) for _ in range(3)]
    assert [(one.event, one.id) for one in missed] == [
        ("submission.archived", "2"),
        ("submission.unarchived", "3"),
        ("badges", "3"),
    ]
    assert missed[0].data["submission_id"] == first


async def test_a_long_replay_has_no_hole_and_no_repeat(resting: Service) -> None:
    ids = await resting.add(*["x"] * 700)
    await resting.client.post("/api/submissions/archive", json={"submission_ids": ids})
    async with asyncio.timeout(SECONDS), resting.events(after=0) as events:
        await resting.client.post("/api/submissions/unarchive", json={"submission_ids": ids})
        seen = []
        async for event in events:
            if event.event != "badges":
                seen.append(int(event.id))
            if seen[-1] == 1401:
                break
    assert seen == list(range(1, 1402))


async def test_streams_are_chosen_by_course_assignment_and_batch(resting: Service) -> None:
    ids = await resting.add(ESSAY, ESSAY)
    await resting.client.post("/api/submissions", json={"id": "x", "text": "x", "course": "other"})
    for one in ids:
        await resting.grade(submission_ids=[one], grader="desk")
    last = await resting.engine.store.last_event()

    async def events(**query: object) -> list[tuple[str, object, object]]:
        """All up to now; the one that a pause of every batch makes ends the list."""
        found = []
        async with asyncio.timeout(SECONDS), resting.events(after=0, **query) as told:
            async for event in told:
                found.append((event.event, event.data.get("course"), event.data.get("batch_id")))
                if int(event.id) >= last and event.event == "badges":
                    return found
        raise AssertionError

    everything = await events()
    assert {course for _, course, _ in everything} == {"biology", "other"}
    assert {course for _, course, _ in await events(course="biology")} == {"biology"}
    assert {batch for _, _, batch in await events(batch_id=2)} == {2, None}
    assert [kind for kind, _, _ in await events(batch_id=2)] == ["jobs.queued", "badges"]


async def test_events_that_are_gone_are_told_of_as_a_gap(resting: Service) -> None:
    ids = await resting.add(ESSAY)
    for action in ("archive", "unarchive", "archive"):
        await resting.client.post(f"/api/submissions/{action}", json={"submission_ids": ids})
    await resting.engine.store.prune_events(2)
    async with asyncio.timeout(SECONDS), resting.events(after=1) as events:
        gap, first = await anext(events), await anext(events)
    assert (gap.event, gap.data, gap.id) == ("gap", {"after": 1}, "2")
    assert (first.event, first.id) == ("submission.unarchived", "3")


async def test_an_id_of_another_database_is_a_gap_too(resting: Service) -> None:
    """After a restored backup the browser may know later events than there are."""
    ids = await resting.add(ESSAY)
    async with asyncio.timeout(SECONDS), resting.events({"Last-Event-ID": "5000"}) as events:
        gap = await anext(events)
        await resting.client.post("/api/submissions/archive", json={"submission_ids": ids})
        following = await anext(events)
    assert (gap.event, gap.id) == ("gap", "1")
    assert (following.event, following.id) == ("submission.archived", "2")


async def test_a_last_event_id_that_is_none(resting: Service) -> None:
    for wrong in ("x", "-1", "1.5", str(2**63)):
        answer = await resting.client.get("/api/events", headers={"Last-Event-ID": wrong})
        assert code(answer, 422) == "invalid_header"


async def test_streams_are_asked_for_rightly(resting: Service) -> None:
    for query in ({"batch_id": "x"}, {"batch": 1}, {"after": -1}):
        answer = await resting.client.get("/api/events", params=query)
        assert code(answer, 422) == "invalid_query"
    head = await resting.client.head("/api/events")
    assert head.headers["content-type"].startswith("text/event-stream")


async def test_a_silent_stream_shows_that_it_lives(tmp_path: Path) -> None:
    """The heartbeat carries the id of what was left out, so that a replay is short."""
    engine = make_engine(tmp_path, work=False)
    async with engine, served_app(create_app(engine, heartbeat_seconds=0.05)) as (client, _):
        request = client.stream("GET", "/api/events", params={"course": "none"})
        async with asyncio.timeout(SECONDS), request as answer:
            lines = answer.aiter_lines()
            assert ": alive" in [await anext(lines) for _ in range(6)]
            await client.post("/api/submissions", json={"id": "a", "text": "x"})
            assert await anext(line async for line in lines if line == "id: 1")


async def test_many_streams_share_one_reading(shared: tuple[Service, Feed]) -> None:
    """Bursts are gathered: the store is asked by time, not by stream and not by change."""
    resting, feed = shared
    ids = await resting.add(*["x"] * 40)
    calls = 0
    events = resting.engine.store.events

    async def counted(after: int, limit: int = 500) -> list[object]:
        nonlocal calls
        calls += 1
        return list(await events(after, limit))

    resting.engine.store.events = counted

    async def watch() -> float:
        async with resting.events() as told:
            async for event in told:
                if event.data.get("submission_id") == ids[-1]:
                    return time.perf_counter()
        raise AssertionError

    async with asyncio.timeout(SECONDS):
        watching = [asyncio.create_task(watch()) for _ in range(20)]
        await has_begun(feed, listeners=20)
        calls, began = 0, time.perf_counter()
        for one in ids:
            await resting.client.post("/api/submissions/archive", json={"submission_ids": [one]})
        ended = max(await asyncio.gather(*watching))
    assert calls <= 4 + (ended - began) / 0.05


async def test_a_slow_reader_misses_nothing(shared: tuple[Service, Feed]) -> None:
    """What fell out of the shared memory comes from the store."""
    resting, feed = shared
    ids = await resting.add(*["x"] * 30)
    async with asyncio.timeout(SECONDS), resting.client.stream("GET", "/api/events") as answer:
        events = told(answer.aiter_lines())
        await has_begun(feed)
        for one in ids:
            before = await resting.engine.store.last_event()
            await resting.client.post("/api/submissions/archive", json={"submission_ids": [one]})
            while (feed._ticks[-1].last if feed._ticks else 0) <= before:
                await asyncio.sleep(0.01)
        assert len(feed._ticks) < len(ids)
        seen = []
        async for event in events:
            if event.event == "submission.archived":
                seen.append(event.data["submission_id"])
            if seen and seen[-1] == ids[-1]:
                break
    assert seen == ids


async def test_a_client_that_goes_leaves_nothing_behind(shared: tuple[Service, Feed]) -> None:
    resting, feed = shared
    async with asyncio.timeout(SECONDS):
        async with resting.events(after=0):
            await has_begun(feed)
        while feed.listeners > 0:
            await asyncio.sleep(0.01)
    assert feed._reading is None


async def test_there_is_a_most_of_streams(shared: tuple[Service, Feed]) -> None:
    resting, feed = shared
    feed.listeners = MOST_STREAMS
    answer = await resting.client.get("/api/events")
    assert code(answer, 503) == "too_many_streams"


async def test_an_open_stream_does_not_hold_up_the_stop(resting: Service) -> None:
    async with asyncio.timeout(SECONDS), resting.events() as events:
        resting.stop.set()
        # To its end, and not broken off.
        assert [one async for one in events] == []
        assert resting.serving is not None
        await resting.serving


async def test_events_of_a_paused_batch_tell_the_reason(service: Service, desk: Desk) -> None:
    ids = await service.add("hold", "hold")
    async with asyncio.timeout(SECONDS), service.events(batch_id=1) as events:
        await service.grade(submission_ids=ids, grader="desk")
        await service.client.post("/api/batches/1/pause", json={"reason": "lunch"})
        paused = await anext(one async for one in events if one.event == "batch.paused")
    assert paused.data["data"] == {"reason": "lunch"}
    desk.go.set()


async def test_a_stream_ends_with_the_engine(tmp_path: Path) -> None:
    async with serving(make_engine(tmp_path, work=False)) as service:
        async with asyncio.timeout(SECONDS), service.events() as events:
            await service.engine.stop()
            assert [one async for one in events] == []
        assert code(await service.client.get("/api/events"), 503) == "store_error"
