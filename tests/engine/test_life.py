"""From opening to stopping: what an engine promises its application on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from engine_kit import (
    FastClock,
    WatchedStore,
    an_engine,
    papers,
    state_of,
    states,
    turns,
    until_in_state,
    until_over,
    until_states,
    with_desk,
)

from gradeq import ConflictError, Engine, Grade, Job, StoreError, StoreLockedError
from gradeq.errors import NotFoundError
from gradeq.outcome import MAX_INTERRUPTIONS
from gradeq.store.claims import Settlement
from gradeq.store.orders import SubmitOrder
from gradeq.store.sqlite import SqliteStore

SPEED = 200.0


async def counters(engine: Engine, job_id: int) -> tuple[str, int, int, int]:
    job = await engine.store.job(job_id)
    assert job is not None
    return job.state.value, job.attempts, job.snoozes, job.interruptions


# Stopping ---------------------------------------------------------------------------------------


async def test_a_soft_stop_returns_calls_uncounted(tmp_path, engine, desk):
    async with engine:
        batch = await engine.submit(papers(5), grader="desk")
        await desk.has(2)
        assert await engine.stop(grace_seconds=0.01) == 2
    async with an_engine(tmp_path / "g.db", work=False) as later:
        assert await states(later, batch.id) == {"pending": 5}
        for job_id in batch.job_ids:
            assert await counters(later, job_id) == ("pending", 0, 0, 0)


async def test_a_soft_stop_lets_calls_finish(tmp_path, engine, desk):
    async with engine:
        batch = await engine.submit(papers(5), grader="desk")
        await desk.has(2)
        stopping = asyncio.create_task(engine.stop(grace_seconds=60))
        await asyncio.sleep(0)
        desk.finish()
        assert await stopping == 0
    assert desk.order == ["p1", "p2"]
    async with an_engine(tmp_path / "g.db", work=False) as later:
        assert await states(later, batch.id) == {"pending": 3, "completed": 2}


async def test_who_is_in_a_hurry_waits_for_no_call(engine, desk):
    async with engine:
        await engine.submit(papers(2), grader="desk")
        await desk.has(2)
        stopping = asyncio.create_task(engine.stop(grace_seconds=3600))
        await asyncio.sleep(0)
        engine.hurry()
        assert await stopping == 2


async def test_a_hurry_does_not_outlast_its_stop(engine, desk):
    async with engine:
        await engine.submit(papers(1), grader="desk")
        await desk.has(1)
        engine.hurry()
        assert await engine.stop(grace_seconds=3600) == 1
    async with engine:
        await desk.has(2)
        stopping = asyncio.create_task(engine.stop(grace_seconds=3600))
        await asyncio.sleep(0)
        desk.finish()
        assert await stopping == 0


async def test_a_stop_in_the_middle_of_a_claim_leaves_nothing_in_nobodys_hand(tmp_path, desk):
    store = WatchedStore(tmp_path / "g.db")
    engine = with_desk(tmp_path, desk, store=store)
    claimed, go_on = asyncio.Event(), asyncio.Event()

    async def hesitate() -> None:
        claimed.set()
        await go_on.wait()

    async with engine:
        await store.has_claimed(1)
        store.after_claim = hesitate
        batch = await engine.submit(papers(5), grader="desk")
        await claimed.wait()
        stopping = asyncio.create_task(engine.stop())
        await asyncio.sleep(0)
        go_on.set()
        await stopping
    async with an_engine(tmp_path / "g.db", work=False) as later:
        for job_id in batch.job_ids:
            assert await counters(later, job_id) == ("pending", 0, 0, 0)
    assert desk.order == []


async def test_an_engine_may_be_opened_again_and_goes_on(engine, desk):
    async with engine:
        batch = await engine.submit(papers(4), grader="desk")
        await desk.has(2)
        desk.finish("p1")
        await until_states(engine, batch.id, pending=1, processing=2, completed=1)
    async with engine:
        await desk.finish_all(4)
        await until_over(engine, batch.id)
        assert await states(engine, batch.id) == {"completed": 4}
        assert await engine.store.check() == []
    assert sorted(set(desk.order)) == ["p1", "p2", "p3", "p4"]
    assert desk.order.count("p1") == 1


async def test_an_engine_is_opened_once_at_a_time(engine):
    async with engine:
        with pytest.raises(ConflictError, match="open already"):
            await engine.__aenter__()
    assert await engine.stop() == 0
    with pytest.raises(ConflictError, match="not open"):
        await engine.submit(papers(1), grader="desk")


async def test_an_engine_that_cannot_open_leaves_nothing_behind(tmp_path, engine):
    async with engine:
        second = an_engine(tmp_path / "g.db")
        with pytest.raises(StoreLockedError, match="is writing this database"):
            await second.__aenter__()
        assert not second.is_open
        assert (await engine.submit(papers(1), grader="desk")).created == 1
    async with second:
        assert second.is_open


# Crashes ----------------------------------------------------------------------------------------


async def crash(path: Any, times: int = 1) -> int:
    """Processes that claim what there is and are killed; the number of jobs in their hands."""
    held = 0
    for _ in range(times):
        store = SqliteStore(path)
        await store.open()
        held = len(await store.claim("grader:desk", 100, 60.0))
        await store.close()
    return held


async def test_a_crash_is_an_interruption_and_work_continues(tmp_path, engine, desk):
    async with an_engine(tmp_path / "g.db", work=False) as early:
        ids = [one.id for one in await early.add(papers(3))]
        order = SubmitOrder(submission_ids=ids, grader="desk", pool="grader:desk")
        batch = await early.store.submit(order)
    assert await crash(tmp_path / "g.db") == 3
    async with engine:
        await desk.finish_all(3)
        await until_over(engine, batch.id)
        for job_id in batch.job_ids:
            assert await counters(engine, job_id) == ("completed", 0, 0, 1)


async def test_a_poison_job_ends_after_twenty_crashes_and_says_so(tmp_path, engine, desk):
    async with engine:
        batch = await engine.submit(papers(1), grader="desk")
        await desk.has(1)
    await crash(tmp_path / "g.db", MAX_INTERRUPTIONS)
    async with engine:
        (result,) = [one async for one in engine.results(batch.id)]
        state = await counters(engine, batch.job_ids[0])
    assert state == ("failed", 0, 0, MAX_INTERRUPTIONS)
    assert result.reason == "gradeq stopped while this was being graded, 20 times"
    assert desk.order == ["p1"]


async def test_what_was_interrupted_goes_behind_what_was_not(tmp_path, desk):
    async with with_desk(tmp_path, desk, concurrency=1, work=False) as early:
        await early.submit(papers(2), grader="desk")
    assert await crash(tmp_path / "g.db") == 2
    async with with_desk(tmp_path, desk, concurrency=1, work=False) as early:
        await early.submit(papers(2, start=11), grader="desk")
    engine = with_desk(tmp_path, desk, concurrency=1)
    async with engine:
        await desk.finish_all(4)
        await engine.run()
    assert desk.order == ["p1", "p2", "p11", "p12"], "batches go by age"


async def test_within_a_batch_the_untouched_go_first(tmp_path, desk):
    async with with_desk(tmp_path, desk, concurrency=1, work=False) as early:
        await early.submit(papers(4), grader="desk")
    store = SqliteStore(tmp_path / "g.db")
    await store.open()
    assert len(await store.claim("grader:desk", 2, 60.0)) == 2
    await store.close()
    async with with_desk(tmp_path, desk, concurrency=1) as engine:
        await desk.finish_all(4)
        await engine.run()
    assert desk.order == ["p3", "p4", "p1", "p2"]


# A store in trouble -----------------------------------------------------------------------------


class Troubled(WatchedStore):
    """Cannot write outcomes for a while; or cannot write one of them at all."""

    failures = 0
    poison: str | None = None

    async def settle(self, settlements: Any) -> list[bool]:
        if self.failures > 0:
            self.failures -= 1
            raise StoreError("the disk is full; nothing was changed")
        if any(_feedback(one) == self.poison for one in settlements if self.poison):
            raise TypeError("this cannot be written")
        return await super().settle(settlements)


def _feedback(one: Settlement) -> str | None:
    return None if one.grade is None else one.grade.feedback


def troubled(folder: Any, *, concurrency: int = 10) -> tuple[Engine, Troubled]:
    clock = FastClock(SPEED)
    store = Troubled(folder / "g.db", clock=clock)
    engine = an_engine(folder / "g.db", store=store, clock=clock)

    @engine.grader("own", concurrency=concurrency)
    async def own(job: Job) -> Grade:
        return Grade(1, 1, feedback=job.submission.external_id)

    return engine, store


async def test_outcomes_wait_for_a_disk_that_is_full_for_a_while(tmp_path):
    engine, store = troubled(tmp_path)
    async with engine:
        store.failures = 5
        batch = await engine.submit(papers(1), grader="own")
        results = [one async for one in engine.results(batch.id)]
        assert [one.status for one in results] == ["graded"]
        assert engine.trouble is None


async def test_a_disk_that_stays_full_ends_the_run_with_the_reason(tmp_path):
    engine, store = troubled(tmp_path)
    async with engine:
        store.failures = 10_000
        await engine.submit(papers(3), grader="own")
        with pytest.raises(StoreError, match="the disk is full"):
            await engine.run()
        store.failures = 0


async def test_an_outcome_that_cannot_be_written_holds_up_nobody(tmp_path, caplog):
    engine, store = troubled(tmp_path)
    store.poison = "p4"
    async with engine:
        batch = await engine.submit(papers(8), grader="own")
        results = {one.id: one async for one in engine.results(batch.id)}
    assert [name for name, one in results.items() if one.status != "graded"] == ["p4"]
    assert results["p4"].reason == "its result cannot be stored: TypeError: this cannot be written"
    assert "cannot be written" in caplog.text


# Running ----------------------------------------------------------------------------------------


async def test_run_works_until_nothing_moves_and_closes_what_it_opened(tmp_path):
    engine, _ = troubled(tmp_path)
    async with engine:
        batch = await engine.submit(papers(20), grader="own")
        await engine.stop()
    await engine.run()
    assert not engine.is_open
    async with engine:
        assert await states(engine, batch.id) == {"completed": 20}


async def test_run_does_not_wait_for_a_person(engine, desk):
    async with engine:
        batch = await engine.submit(papers(3), grader="desk")
        await desk.has(2)
        await engine.pause(batch.id)
        assert not await engine.is_idle(), "two calls are on their way"
        desk.finish()
        await engine.run()
        assert await states(engine, batch.id) == {"pending": 1, "completed": 2}


async def test_run_does_not_wait_for_graders_that_are_not_here(tmp_path, engine, desk):
    async with engine:
        await engine.submit(papers(1), grader="desk")
        await desk.has(1)
    await an_engine(tmp_path / "g.db").run()


async def test_an_engine_without_work_takes_orders_and_starts_nothing(tmp_path, desk):
    async with with_desk(tmp_path, desk, work=False) as engine:
        batch = await engine.submit(papers(2), grader="desk")
        await turns(engine)
        assert await states(engine, batch.id) == {"pending": 2}
        with pytest.raises(ConflictError, match="work=False"):
            await engine.run()
    assert desk.order == []


async def test_a_lifespan_opens_and_stops_the_engine(engine, desk):
    async with engine.lifespan(object()):
        batch = await engine.submit(papers(1), grader="desk")
        await desk.finish_all(1)
        await until_over(engine, batch.id)
    assert not engine.is_open


async def test_retry_starts_failed_jobs_anew(tmp_path):
    engine, store = troubled(tmp_path)
    store.poison = "p2"
    async with engine:
        batch = await engine.submit(papers(3), grader="own")
        await until_over(engine, batch.id)
        store.poison = None
        assert await engine.retry(batch.id) == 1
        results = {one.id: one.status async for one in engine.results(batch.id)}
        assert results == {"p1": "graded", "p2": "graded", "p3": "graded"}
        assert await state_of(engine, batch.job_ids[1]) == "completed"


async def test_a_resumed_batch_is_unknown_or_goes_on(engine, desk):
    async with engine:
        with pytest.raises(NotFoundError, match="no batch 9"):
            await engine.resume(9)
        batch = await engine.submit(papers(1), grader="desk", run_at=4_000_000_000_000)
        await engine.pause(batch.id, by="Ada", reason="first the other class")
        paused = await engine.store.batch(batch.id)
        assert (paused.paused_by, paused.pause_reason) == ("Ada", "first the other class")
        await engine.resume(batch.id)
        await until_in_state(engine, batch.job_ids, "pending")
