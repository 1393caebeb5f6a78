"""Results and events as they come, to whoever waits for them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_kit import (
    papers,
    turns,
    until_over,
)

from gradeq import ConflictError, Grade, Job
from gradeq.errors import NotFoundError
from gradeq.store.rows import Event


async def test_results_come_as_they_end_and_each_once(engine, desk):
    async with engine:
        batch = await engine.submit(papers(3), grader="desk")
        results = engine.results(batch.id)
        await desk.has(2)
        desk.finish("p2")
        assert (await anext(results)).id == "p2"
        await desk.finish_all(3)
        assert {(await anext(results)).id for _ in range(2)} == {"p1", "p3"}
        with pytest.raises(StopAsyncIteration):
            await anext(results)


async def test_results_of_a_batch_that_is_over(engine):
    @engine.grader("own", concurrency=200)
    async def own(job: Job) -> Grade:
        return Grade(1, 1)

    async with engine:
        batch = await engine.submit(papers(1200), grader="own")
        await engine.run()
        again = [one.id async for one in engine.results(batch.id)]
    assert len(again) == 1200
    assert set(again) == {f"p{n}" for n in range(1, 1201)}


async def test_results_of_cancelled_and_archived_papers_say_so(engine, desk):
    async with engine:
        batch = await engine.submit(papers(4), grader="desk")
        await desk.has(2)
        jobs = await engine.store.jobs(batch_id=batch.id)
        await engine.archive([jobs[3].submission_id])
        await engine.cancel(job_ids=[jobs[2].id])
        desk.finish()
        results = {one.id: one.reason async for one in engine.results(batch.id)}
    assert results == {"p1": None, "p2": None, "p3": "cancelled", "p4": "archived"}


async def test_results_outlast_events_that_were_pruned(engine, desk):
    async with engine:
        batch = await engine.submit(papers(3), grader="desk")
        results = engine.results(batch.id)
        await desk.has(2)
        desk.finish("p1")
        assert (await anext(results)).id == "p1"
        await desk.finish_all(3)
        await until_over(engine, batch.id)
        await engine.store.prune_events(1)
        assert {one.id async for one in results} == {"p2", "p3"}


async def test_there_are_no_results_of_no_batch(engine):
    async with engine:
        with pytest.raises(NotFoundError, match="no batch 7"):
            await anext(engine.results(7))


async def test_who_waits_for_results_is_told_of_a_stop(engine, desk):
    async with engine:
        batch = await engine.submit(papers(1), grader="desk")
        await desk.has(1)
        waiting = asyncio.create_task(anext(engine.results(batch.id)))
        await turns(engine, 5)
        await engine.stop()
        with pytest.raises(ConflictError, match="batch 1 goes on when it is opened again"):
            await waiting


async def test_events_come_in_order_and_may_be_replayed(engine, desk):
    async with engine:
        live = engine.events(after=await engine.store.last_event())
        first = asyncio.create_task(anext(live))
        batch = await engine.submit(papers(2), grader="desk")
        await desk.finish_all(2)
        await until_over(engine, batch.id)
        seen = [await first]
        async for event in live:
            seen.append(event)
            if len(_ends(seen)) == 5:
                break
        replayed = [event async for event in _first(len(seen), engine.events(after=0))]
    kinds = [event.kind for event in seen]
    assert sorted(_ends(seen)) == [
        "batch.completed",
        *["job.completed"] * 2,
        *["submission.graded"] * 2,
    ]
    assert kinds.index("job.processing") < kinds.index("job.completed")
    assert [event.seq for event in seen] == sorted({event.seq for event in seen})
    assert replayed == seen


def _ends(events: list[Event]) -> list[str]:
    wanted = ("batch.completed", "job.completed", "submission.graded")
    return [event.kind for event in events if event.kind in wanted]


async def _first(count: int, events: Any) -> Any:
    async for event in events:
        yield event
        count -= 1
        if count == 0:
            return


async def test_events_from_now_on(engine):
    async with engine:
        await engine.add(papers(1))
        past = await engine.store.last_event()
        listening = asyncio.create_task(anext(engine.events()))
        number = 1
        while not listening.done():
            number += 1
            await engine.add(papers(1, start=number))
        assert listening.result().seq > past


async def test_events_end_with_the_engine(engine):
    async with engine:
        listening = asyncio.create_task(_all(engine.events()))
        await turns(engine, 5)
    assert await listening == []


async def _all(stream: Any) -> list[Any]:
    return [one async for one in stream]
