"""Capacity first, claim second: who starts, when, and what stops them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from engine_kit import (
    SECONDS,
    Desk,
    WatchedStore,
    an_engine,
    papers,
    states,
    turns,
    until,
    until_in_state,
    until_over,
    until_states,
)

from gradeq import ConflictError, Engine, Grade, Job, NotFoundError, Snooze
from gradeq.clock import ManualClock
from gradeq.errors import ConfigError
from gradeq.model import JobState
from gradeq.outcome import Counter, ErrorClass
from gradeq.store.claims import Counters, Settlement
from gradeq.store.orders import SubmitOrder
from gradeq.worker import LEASE_SECONDS


class Room:
    """An engine with one desk, on a clock that stands still: nothing happens by waiting."""

    def __init__(self, folder: Path, *, concurrency: int, **options: Any) -> None:
        self.concurrency = concurrency
        self.clock = ManualClock()
        self.store = WatchedStore(folder / "g.db", clock=self.clock)
        self.engine = an_engine(folder / "g.db", store=self.store, clock=self.clock)
        self.desk = Desk()
        self.engine.grader("desk", concurrency=concurrency, **options)(self.desk)

    def free(self) -> int:
        """How many more calls may be in flight."""
        return self.concurrency - self.engine.pools["grader:desk"].in_flight

    async def submit(self, names: str, **options: Any) -> int:
        new = [one for name in names.split() for one in papers(1, start=int(name))]
        return (await self.engine.submit(new, grader="desk", **options)).batch_id


@pytest.fixture
async def room(tmp_path: Path) -> Any:
    """One paper at a time."""
    room = Room(tmp_path, concurrency=1)
    async with room.engine:
        await room.store.has_claimed(1)
        yield room


# Capacity first ---------------------------------------------------------------------------------


async def test_no_more_is_claimed_than_there_is_room_for(tmp_path):
    room = Room(tmp_path, concurrency=3)
    async with room.engine:
        room.store.room = room.free
        batch = await room.engine.submit(papers(10), grader="desk")
        await room.desk.has(3)
        await turns(room.engine)
        assert await states(room.engine, batch.id) == {"pending": 7, "processing": 3}
        await room.desk.finish_all(10)
        await until_over(room.engine, batch.id)
    assert room.desk.most_at_once == 3
    assert room.store.asked_beyond_room == 0


async def test_a_rate_keeps_rows_pending_too(tmp_path):
    room = Room(tmp_path, concurrency=3, requests_per_minute=60)
    async with room.engine:
        batch = await room.engine.submit(papers(10), grader="desk")
        for started in range(1, 5):
            await room.desk.has(started)
            room.desk.finish()
            await until_states(room.engine, batch.id, pending=10 - started, completed=started)
            await turns(room.engine)
            assert len(room.desk.order) == started
            room.clock.advance(1)


async def test_a_rate_of_requests_is_kept_to(tmp_path):
    starts: list[float] = []
    room = Room(tmp_path, concurrency=50)

    @room.engine.grader("paced", concurrency=50, requests_per_minute=60)
    async def paced(_: Job) -> Grade:
        starts.append(room.clock.monotonic())
        return Grade(1, 1)

    async with room.engine:
        batch = await room.engine.submit(papers(20), grader="paced")
        while len(starts) < 20:
            await turns(room.engine, 1)
            room.clock.advance(0.05)
        await until_over(room.engine, batch.id)
    for first, later in zip(starts, starts[10:], strict=False):
        assert later - first >= 9, "eleven starts within nine seconds at one a second"


# Wake by event ----------------------------------------------------------------------------------


async def test_a_paper_is_picked_up_without_any_time_passing(room):
    await room.submit("1")
    await room.desk.has(1)
    assert room.clock.monotonic() == 0


async def test_a_free_slot_is_filled_without_any_time_passing(room):
    batch_id = await room.submit("1 2 3 4")
    await room.desk.finish_all(4)
    await until_over(room.engine, batch_id)
    assert room.clock.monotonic() == 0


async def test_an_idle_engine_asks_for_work_about_once_a_minute(room):
    await turns(room.engine)
    before = len(room.store.claims)
    await turns(room.engine, 200)
    assert len(room.store.claims) == before
    for _ in range(300):
        room.clock.advance(1)
        await turns(room.engine, 2)
    assert 3 <= len(room.store.claims) - before <= 10, "in five minutes"


async def test_a_busy_engine_asks_for_work_only_when_a_call_ends_or_an_outcome_is_saved(room):
    batch_id = await room.submit("1 2 3 4 5 6 7 8 9 10")
    await room.desk.finish_all(10)
    await until_over(room.engine, batch_id)
    await turns(room.engine)
    assert len(room.store.claims) <= 2 * 10 + 3


async def test_work_that_came_by_another_way_is_found_by_the_safety_poll(room):
    batch_id = await room.submit("1")
    await room.desk.has(1)
    (job,) = await room.store.jobs(batch_id=batch_id)
    await room.engine.cancel(job_ids=[job.id])
    room.desk.finish()
    await room.store.next_claim()
    await turns(room.engine)
    await room.store.retry(job_ids=[job.id])
    await turns(room.engine)
    assert room.desk.order == ["p1"]
    room.clock.advance(60)
    await room.desk.has(2)


async def test_a_snoozed_paper_is_asked_for_when_it_is_due_and_not_before(tmp_path):
    room = Room(tmp_path, concurrency=1)
    asked: list[float] = []

    @room.engine.grader("sleepy")
    async def sleepy(_: Job) -> Grade:
        asked.append(room.clock.monotonic())
        if len(asked) == 1:
            raise Snooze(20)
        return Grade(1, 1)

    async with room.engine:
        batch = await room.engine.submit(papers(1), grader="sleepy")
        await room.store.next_claim()
        await until_in_state(room.engine, batch.job_ids, "pending")
        await turns(room.engine)
        room.clock.advance(19.9)
        await turns(room.engine)
        assert asked == [0]
        room.clock.advance(0.1)
        await until_over(room.engine, batch.id)
    assert asked == [0, 20]


async def test_work_may_be_put_off_to_a_time(room):
    await room.submit("1", run_at=room.clock.now_ms() + 15_000)
    await turns(room.engine)
    assert room.desk.order == []
    room.clock.advance(15)
    await room.desk.has(1)


# Order and fairness -----------------------------------------------------------------------------


async def test_who_goes_first(room):
    await room.submit("1", interactive=False)
    await room.desk.has(1)
    soon, later = (room.clock.now_ms() + minutes * 60_000 for minutes in (5, 90))
    await room.submit("20 21", priority=9)
    await room.submit("30 31")
    await room.submit("40", interactive=False, deadline=later)
    await room.submit("41", interactive=False, deadline=soon)
    await room.submit("50 51", priority=1)
    await room.submit("60")
    await room.desk.finish_all(10)
    assert " ".join(room.desk.order) == "p1 p60 p50 p51 p41 p40 p30 p31 p20 p21"


async def test_owners_take_turns_however_much_one_of_them_brings(tmp_path):
    room = Room(tmp_path, concurrency=2)
    async with room.engine:
        await room.submit("1 2 3 4 5 6 7 8", owner="big")
        await room.desk.has(2)
        await room.submit("11 12", owner="small")
        await room.submit("21 22", owner="tiny")
        await room.desk.finish_all(12)
    order = [int(name[1:]) for name in room.desk.order]
    assert {11, 12, 21, 22} <= set(order[2:9]), order
    assert [one for one in order if one < 10] == [1, 2, 3, 4, 5, 6, 7, 8]


# Pause, cancel, archive -------------------------------------------------------------------------


async def test_a_pause_acts_at_once_and_calls_on_their_way_finish(room):
    batch_id = await room.submit("1 2 3")
    await room.desk.has(1)
    await room.engine.pause(batch_id, by="Ms Hopper", reason="wrong rubric?")
    room.desk.finish()
    await until_states(room.engine, batch_id, pending=2, completed=1)
    await turns(room.engine)
    assert room.desk.order == ["p1"]
    batch = await room.store.batch(batch_id)
    assert (batch.status, batch.paused_by) == ("paused", "Ms Hopper")
    await room.engine.resume(batch_id)
    await room.desk.finish_all(3)
    await until_over(room.engine, batch_id)


async def test_a_paused_batch_holds_up_nobody_else(room):
    paused = await room.submit("1 2")
    await room.desk.has(1)
    await room.engine.pause(paused)
    other = await room.submit("5 6")
    await room.desk.finish_all(3)
    await until_over(room.engine, other)
    assert room.desk.order == ["p1", "p5", "p6"]


async def test_a_cancel_acts_at_once_and_a_late_answer_is_not_applied(room):
    batch_id = await room.submit("1 2 3")
    await room.desk.has(1)
    assert await room.engine.cancel(batch_id) == 3
    assert await states(room.engine, batch_id) == {"cancelled": 3}
    room.desk.finish()
    await turns(room.engine)
    assert room.desk.order == ["p1"]
    assert (await room.engine.badges("default", "default")).graded == 0


async def test_archiving_takes_a_paper_out_of_the_queue_and_out_of_a_call(room):
    batch_id = await room.submit("1 2 3")
    await room.desk.has(1)
    jobs = await room.store.jobs(batch_id=batch_id)
    first, second = jobs[0].submission_id, jobs[1].submission_id
    assert await room.engine.archive([first, second]) == []
    room.desk.finish()
    await room.desk.has(2)
    room.desk.finish()
    await until_over(room.engine, batch_id)
    assert room.desk.order == ["p1", "p3"]
    assert await states(room.engine, batch_id) == {"completed": 1, "cancelled": 2}
    assert await room.store.grades(first) == []


# Pools ------------------------------------------------------------------------------------------


async def test_a_full_pool_never_stops_another(room, tmp_path):
    (tmp_path / "b").mkdir()
    other = Room(tmp_path / "b", concurrency=1)
    brisk = Desk()
    other.engine.grader("brisk")(brisk)
    async with other.engine:
        await other.submit("1 2 3")
        await other.desk.has(1)
        batch = await other.engine.submit(papers(3, start=7), grader="brisk")
        await brisk.finish_all(3)
        await until_over(other.engine, batch.id)
        assert other.desk.order == ["p1"]


async def test_two_engines_in_one_process_know_nothing_of_each_other(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = Room(tmp_path / "a", concurrency=1), Room(tmp_path / "b", concurrency=2)
    async with one.engine, two.engine:
        first, second = await one.submit("1 2 3"), await two.submit("11 12 13")
        await two.desk.finish_all(3)
        await until_over(two.engine, second)
        assert one.desk.order == ["p1"]
        await one.desk.finish_all(3)
        await until_over(one.engine, first)
    assert (one.desk.most_at_once, two.desk.most_at_once) == (1, 2)


async def test_a_grader_that_is_not_registered_here_pauses_its_batch_and_ends_nothing(tmp_path):
    """Two names for one pool: the job is claimed, and nobody knows its grader."""
    room = Room(tmp_path, concurrency=2)
    async with room.engine:
        await room.store.has_claimed(1)
        ids = [one.id for one in await room.engine.add(papers(2, start=30))]
        strange = await room.store.submit(
            SubmitOrder(submission_ids=ids, grader="nobody", pool="grader:desk")
        )
        await turns(room.engine)
        room.clock.advance(60)
        await until(room.engine, lambda: _is_paused(room.engine, strange.batch_id))
        batch = await room.store.batch(strange.batch_id)
        assert batch.paused_by == "gradeq"
        assert batch.pause_reason == "no grader named 'nobody' is registered in this process"
        assert await room.engine.is_idle()
        other = await room.submit("5")
        await room.desk.finish_all(1)
        await until_over(room.engine, other)


async def _is_paused(engine: Engine, batch_id: int) -> bool:
    batch = await engine.store.batch(batch_id)
    return batch is not None and batch.paused_at is not None


async def test_an_unknown_grader_is_refused_by_name(room):
    with pytest.raises(NotFoundError, match=r"no grader 'dask' here \(known: desk, lexical\)"):
        await room.engine.submit(papers(1), grader="dask")
    with pytest.raises(ConfigError, match="priority 11"):
        await room.engine.submit(papers(1), grader="desk", priority=11)
    assert await room.store.batches() == []


async def test_names_of_graders_are_unique_and_given_before_the_start(room):
    with pytest.raises(ConflictError, match="before the engine is opened"):
        room.engine.grader("late")
    fresh = Engine("unused.db")
    fresh.grader("twice")(Desk())
    with pytest.raises(ConflictError, match="'twice' is registered already"):
        fresh.grader("twice")(Desk())


# Leases -----------------------------------------------------------------------------------------


async def test_a_long_call_keeps_its_lease(room):
    batch_id = await room.submit("1")
    await room.desk.has(1)
    for _ in range(30):
        await pass_on(room, LEASE_SECONDS / 3)
    room.desk.finish()
    await until_over(room.engine, batch_id)
    (job,) = await room.store.jobs(batch_id=batch_id)
    assert (job.state, job.interruptions) == ("completed", 0)


async def pass_on(room: Room, seconds: float) -> None:
    """Let so much time pass that leases are looked after once."""
    before = room.store.upkeeps
    room.clock.advance(seconds)
    async with asyncio.timeout(SECONDS):
        while room.store.upkeeps == before:
            await turns(room.engine, 1)
    await turns(room.engine, 1)


async def test_after_the_machine_slept_a_running_call_is_still_ours(room):
    batch_id = await room.submit("1")
    await room.desk.has(1)
    await pass_on(room, 8 * 3600)
    (job,) = await room.store.jobs(batch_id=batch_id)
    assert (job.state, job.interruptions) == ("processing", 0)
    room.desk.finish()
    await until_over(room.engine, batch_id)
    assert room.desk.order == ["p1"]


async def test_a_job_that_nobody_holds_is_returned_when_its_lease_runs_out(tmp_path):
    """As when the answer to a claim was lost between the store and the engine."""
    room = Room(tmp_path, concurrency=1)
    async with room.engine:
        first = await room.submit("1")
        await room.desk.has(1)
        second = await room.submit("2")
        (lost,) = await room.store.claim("grader:desk", 1, LEASE_SECONDS)
        room.desk.finish()
        await until_over(room.engine, first)
        for _ in range(3):
            assert room.desk.order == ["p1"]
            await pass_on(room, LEASE_SECONDS / 3)
        await room.desk.has(2)
        room.desk.finish()
        await until_over(room.engine, second)
        job = await room.store.job(lost.job.id)
        assert (job.state, job.interruptions, job.attempts) == ("completed", 1, 0)


# Trouble ----------------------------------------------------------------------------------------


async def test_a_dispatcher_survives_whatever_a_claim_raises(room, caplog):
    async def stumble() -> None:
        room.store.after_claim = None
        raise RuntimeError("nobody has thought of this")

    room.store.after_claim = stumble
    await room.submit("1")
    await room.store.next_claim()
    await turns(room.engine)
    other = await room.submit("2")
    await room.desk.has(1)
    room.desk.finish()
    await until_over(room.engine, other)
    assert "gradeq itself failed" in caplog.text


async def test_the_engine_asks_nobody_for_work_while_it_has_no_room(room):
    await room.submit("1 2 3")
    await room.desk.has(1)
    await turns(room.engine)
    before = len(room.store.claims)
    await asyncio.gather(*(room.submit(str(name)) for name in range(50, 60)))
    await turns(room.engine)
    assert len(room.store.claims) == before


async def test_what_is_given_back_untried_keeps_its_story(room):
    """Its last failure stays on record, and an outage's budget goes on running out."""
    await room.submit("1", interactive=False)
    await room.desk.has(1)
    batch_id = await room.submit("2")
    since = room.clock.now_ms()
    await settle_one(room, counter=Counter.OVERLOAD, error=ErrorClass.OVERLOADED, reason="busy")
    await settle_one(room)
    (claimed,) = await room.store.claim("grader:desk", 1, LEASE_SECONDS)
    assert claimed.counters == Counters(snoozes=1, overloaded_since=since)
    (job,) = await room.store.jobs(batch_id=batch_id)
    assert (job.error, job.reason) == ("overloaded", "busy")


async def settle_one(room: Room, **outcome: Any) -> None:
    """Another hand takes the next job and puts it back."""
    (claimed,) = await room.store.claim("grader:desk", 1, LEASE_SECONDS)
    settlement = Settlement(claimed.job.id, claimed.lease, JobState.PENDING, **outcome)
    assert await room.store.settle([settlement]) == [True]
