"""A parked pool goes on: by one command, by a new key, by another configuration, by its date."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_kit import Desk, FastClock, an_engine, states, turns, until, until_over
from school import RUBRIC, School, essays, school, simulator

from gradeq import Engine
from gradeq.errors import ConflictError, NotFoundError
from gradeq.limiter.base import Cost, LimitedBy, Signals
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.upkeep import LOOK_SECONDS

KEY = {"kind": "anthropic", "api_key_env": "SCHOOL_KEY"}
ENVIRON = {"SCHOOL_KEY": "sk-good"}


@asynccontextmanager
async def parked(
    path: Path, *, provider: dict[str, Any] | None = None, speed: float = 60.0, **wrong: Any
) -> AsyncIterator[tuple[School, int]]:
    """A school whose pool is parked and whose batch gradeq has paused."""
    clock = FastClock(speed)
    options = {"provider": KEY | (provider or {}), "clock": clock, "environ": ENVIRON}
    async with (
        simulator(clock, **(wrong or {"fail": "402"})) as sim,
        school(path / "g.db", sim, **options) as at,
    ):
        batch = await at.submit(essays(8))
        await at.engine.run()
        assert (await at.engine.store.batch(batch.id)).paused_by == "gradeq"
        assert only(at.engine).parked_reason is not None
        await until_told(at.engine, "pool.parked")
        yield at, batch.id


def only(engine: Engine) -> Pool:
    (pool,) = engine.pools.values()
    return pool


async def told(engine: Engine, kind: str) -> list[dict[str, Any]]:
    """What the events of this kind say."""
    events = await engine.store.events(0, limit=10_000)
    return [dict(event.data or {}) for event in events if event.kind == kind]


async def until_told(engine: Engine, kind: str) -> dict[str, Any]:
    async def is_told() -> bool:
        return bool(await told(engine, kind))

    await until(engine, is_told)
    return (await told(engine, kind))[-1]


# By one command ---------------------------------------------------------------------------------


async def test_one_command_gets_the_pool_and_its_batches_moving(tmp_path, caplog):
    caplog.set_level(logging.INFO, "gradeq")
    async with parked(tmp_path) as (at, first):
        second = await at.submit(essays(3, start=21))
        by_hand = await at.submit(essays(2, start=31))
        await at.engine.pause(by_hand.id, by="Anna")
        told_of = await until_told(at.engine, "pool.parked")
        pool = only(at.engine)
        assert (told_of["pool"], told_of["until"]) == (pool.name, None)
        assert "SCHOOL_KEY" in told_of["reason"]

        at.sim.change(fail="")
        resumed = await at.engine.resume_pool("school")
        assert (resumed.pool, resumed.batch_ids, resumed.moved_to) == (pool.name, (first,), None)
        assert resumed.reason == told_of["reason"]
        for batch_id in (first, second.id):
            await until_over(at.engine, batch_id)
        assert await states(at.engine, first) == {"completed": 8}
        assert (await at.engine.store.batch(by_hand.id)).paused_by == "Anna"
        assert (await until_told(at.engine, "pool.resumed"))["pool"] == pool.name
        assert len(await told(at.engine, "pool.parked")) == 1
    assert "When that is mended: gradeq resume school" in caplog.text
    assert f"pool {pool.name} goes on" in caplog.text


async def test_what_is_not_mended_parks_again(tmp_path):
    async with parked(tmp_path) as (at, batch_id):
        before = at.sim.stats.requests
        await at.engine.resume_pool("school")
        await at.engine.run()
        assert only(at.engine).parked_reason is not None
        assert (await at.engine.store.batch(batch_id)).paused_by == "gradeq"
        assert at.sim.stats.requests <= before + 10


async def test_resuming_what_is_not_parked_changes_nothing(tmp_path):
    engine = an_engine(tmp_path / "g.db")
    engine.grader("desk")(Desk())
    async with engine:
        resumed = await engine.resume_pool("desk")
        assert (resumed.pool, resumed.reason, resumed.batch_ids) == ("grader:desk", None, ())
        with pytest.raises(NotFoundError, match="grader:desk"):
            await engine.resume_pool("cellar")


async def test_an_unclear_name_changes_nothing(tmp_path):
    engine = an_engine(tmp_path / "g.db")
    for name in ("desk one", "desk two"):
        engine.grader(name)(Desk())
    async with engine:
        for pool in engine.pools.values():
            pool.park("the desk is broken")
        with pytest.raises(ConflictError, match="'grader:desk two'"):
            await engine.resume_pool("desk")
        assert all(pool.parked_reason for pool in engine.pools.values())


async def test_without_a_running_engine_the_stored_state_is_resumed(tmp_path):
    async with parked(tmp_path) as (at, batch_id):
        sim, name = at.sim, only(at.engine).name
        await at.engine.stop()
        recorder = Engine(tmp_path / "g.db", work=False)
        async with recorder:
            resumed = await recorder.resume_pool("school")
            assert (resumed.pool, resumed.batch_ids) == (name, (batch_id,))
            assert "402" in (resumed.reason or "")
            assert (await recorder.resume_pool(name)).reason is None
            assert [one["pool"] for one in await told(recorder, "pool.resumed")] == [name]
        sim.change(fail="")
        options = {"provider": KEY, "clock": FastClock(60.0), "environ": ENVIRON}
        async with school(tmp_path / "g.db", sim, **options) as again:
            await again.engine.run()
            assert await states(again.engine, batch_id) == {"completed": 8}


async def test_a_stopped_batch_resumes_its_stored_pool_too(tmp_path):
    async with parked(tmp_path) as (at, batch_id):
        await at.engine.stop()
        async with Engine(tmp_path / "g.db", work=False) as recorder:
            await recorder.resume(batch_id)
            (state,) = (await recorder.store.pools()).values()
            assert state["parked_reason"] is None


# By a new key -----------------------------------------------------------------------------------


async def test_a_new_key_in_the_file_is_used_without_a_restart(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text("sk-old\n")
    provider = {"api_key_env": None, "api_key_file": str(file)}
    async with parked(tmp_path, provider=provider, api_keys=("sk-new",)) as (at, batch_id):
        old = only(at.engine).name
        file.write_text("sk-new\n")
        resumed = await at.engine.resume_pool("school")
        new = only(at.engine).name
        assert (resumed.pool, resumed.moved_to) == (old, new)
        assert old != new
        await until_over(at.engine, batch_id)
        assert await states(at.engine, batch_id) == {"completed": 8}
        assert (await at.engine.store.batch(batch_id)).pool == new
        later = await at.submit(essays(2, start=21))
        await until_over(at.engine, later.id)
        assert (await until_told(at.engine, "pool.resumed"))["pool"] == old

        async def is_forgotten() -> bool:
            return set(await at.engine.store.readings()) == {new}

        await until(at.engine, is_forgotten)
    with pytest.raises(ConflictError):
        await at.engine.submit(essays(1))


async def test_while_it_is_parked_the_file_is_read_again_by_itself(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text("sk-old")
    provider = {"api_key_env": None, "api_key_file": str(file)}
    wrong = {"api_keys": ("sk-new",)}
    async with parked(tmp_path, provider=provider, speed=20 * LOOK_SECONDS, **wrong) as found:
        at, batch_id = found
        file.write_text("")
        await turns(at.engine)
        assert only(at.engine).parked_reason is not None, "an empty file is no key"
        file.write_text("sk-new")
        await until_over(at.engine, batch_id)
        assert await states(at.engine, batch_id) == {"completed": 8}


async def test_calls_on_their_way_with_the_old_key_end_as_usual(tmp_path):
    file = tmp_path / "key.txt"
    file.write_text("sk-old")
    provider = {"kind": "anthropic", "api_key_file": str(file)}
    async with (
        simulator(latency=0.3) as sim,
        school(tmp_path / "g.db", sim, provider=provider) as at,
    ):
        batch = await at.submit(essays(12))

        async def all_slots_are_taken() -> bool:
            return sim.stats.in_flight == 5

        await until(at.engine, all_slots_are_taken)
        file.write_text("sk-new")
        moved = await at.engine.resume_pool("school")
        assert moved.moved_to is not None
        await until_over(at.engine, batch.id)
        assert await states(at.engine, batch.id) == {"completed": 12}
        jobs = await at.jobs(batch.id)
        assert {(job.attempts, job.interruptions) for job in jobs} == {(0, 0)}
        assert sim.stats.requests == 12


async def test_a_retried_batch_goes_through_the_pool_of_today(tmp_path):
    """It was over when the key changed, so nothing moved it then."""
    file = tmp_path / "key.txt"
    file.write_text("sk-old")
    provider = {"kind": "anthropic", "api_key_file": str(file)}
    async with (
        simulator(fail="400") as sim,
        school(tmp_path / "g.db", sim, provider=provider) as at,
    ):
        batch = await at.submit(essays(2))
        await until_over(at.engine, batch.id)
        file.write_text("sk-new")
        await at.engine.resume_pool("school")
        sim.change(fail="")
        await at.engine.retry(batch.id)
        await until_over(at.engine, batch.id)
        assert await states(at.engine, batch.id) == {"completed": 2}


# By another configuration -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "environ", "goes_on"),
    [
        ({}, {}, False),
        ({"price_input": 3.0}, {}, False),
        ({}, {"SCHOOL_KEY": "sk-other"}, True),
        ({"model": "marker-1-20260101"}, {}, True),
        ({"auth": "bearer"}, {}, True),
        ({"requests_per_minute": 600.0}, {}, True),
    ],
    ids=["the same", "another price", "key", "model", "auth", "limits"],
)
async def test_a_start_with_another_setup_ends_a_parking(tmp_path, provider, environ, goes_on):
    async with parked(tmp_path) as (at, batch_id):
        sim = at.sim
        await at.engine.stop()
        sim.change(fail="")
        before = sim.stats.requests
        options = {
            "provider": KEY | provider,
            "clock": FastClock(60.0),
            "environ": ENVIRON | environ,
        }
        async with school(tmp_path / "g.db", sim, **options) as again:
            await again.engine.run()
            done = {"completed": 8} if goes_on else {"pending": 8}
            assert await states(again.engine, batch_id) == done
            assert len(await told(again.engine, "pool.resumed")) == goes_on
    assert (sim.stats.requests > before) is goes_on


async def test_a_person_s_stop_outlives_another_setup(tmp_path):
    async with simulator() as sim:
        async with school(tmp_path / "g.db", sim, provider=KEY, environ=ENVIRON) as at:
            only(at.engine).park("Anna looks at the first grades")
        changed = KEY | {"auth": "bearer"}
        async with school(tmp_path / "g.db", sim, provider=changed, environ=ENVIRON) as at:
            assert only(at.engine).parked_reason == "Anna looks at the first grades"


class SleepyClock(FastClock):
    """A wall clock that jumps, as on a laptop that wakes up."""

    jump_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jump_ms


# By its date ------------------------------------------------------------------------------------


async def test_a_quota_that_returns_by_itself_needs_nobody(tmp_path):
    """No batch pauses for it, however many calls it hit at once."""
    clock = SleepyClock(60.0)
    async with (
        simulator(clock, fail="usage_limits", latency=1) as sim,
        school(tmp_path / "g.db", sim, provider=KEY, clock=clock, environ=ENVIRON) as at,
    ):
        batch = await at.submit(essays(12))
        told_of = await until_told(at.engine, "pool.parked")
        assert told_of["until"] > clock.now_ms()

        async def all_have_come_back() -> bool:
            return await states(at.engine, batch.id) == {"pending": 12}

        await until(at.engine, all_have_come_back)
        assert 1 <= sim.stats.requests <= 5
        assert (await at.engine.store.batch(batch.id)).paused_at is None
        assert only(at.engine).reading().limited_by is LimitedBy.PARKED
        sim.change(fail="")
        clock.jump_ms = told_of["until"] - clock.now_ms()
        await until_over(at.engine, batch.id)
        assert await states(at.engine, batch.id) == {"completed": 12}
        assert (await until_told(at.engine, "pool.resumed"))["pool"] == told_of["pool"]


# What is stored ---------------------------------------------------------------------------------


async def test_a_reading_lives_as_long_as_its_process(tmp_path):
    async with simulator() as sim:
        async with school(tmp_path / "g.db", sim, provider=KEY, environ=ENVIRON) as at:
            batch = await at.submit(essays(3))
            await until_over(at.engine, batch.id)

            async def is_stored() -> bool:
                return bool(await at.engine.store.readings())

            await until(at.engine, is_stored)
            ((name, reading),) = (await at.engine.store.readings()).items()
            assert name == only(at.engine).name
            assert reading["at_ms"] <= at.engine.clock.now_ms()
        async with Engine(tmp_path / "g.db", work=False) as recorder:
            assert await recorder.store.readings() == {}
            assert name in await recorder.store.pools()
            assert (await recorder.rubrics.put(RUBRIC, "sleep.toml")) == at.rubric_id


# Before the wait that a provider asked for is over -----------------------------------------------


@pytest.mark.parametrize("is_working", [True, False], ids=["here", "stored"])
async def test_a_person_may_go_on_before_a_long_wait_is_over(tmp_path, is_working):
    clock = FastClock(60.0)
    async with (
        simulator(clock) as sim,
        school(tmp_path / "g.db", sim, provider=KEY, clock=clock, environ=ENVIRON) as at,
    ):
        await at.submit(essays(1))
        await at.engine.run()
        pool = only(at.engine)
        permit = pool.acquire(Cost(10, 10))
        assert isinstance(permit, Permit)
        pool.refused(permit, Signals(retry_after=86_400.0))
        name = pool.name
        if is_working:
            assert (await at.engine.resume_pool(name)).gate_opened
            assert not (await at.engine.resume_pool(name)).gate_opened
            assert pool.reading().wait_seconds == 0
    if not is_working:
        async with Engine(tmp_path / "g.db", work=False, clock=clock) as other:
            resumed = await other.resume_pool(name)
            assert (resumed.reason, resumed.gate_opened) == (None, True)
            assert not (await other.resume_pool(name)).gate_opened
