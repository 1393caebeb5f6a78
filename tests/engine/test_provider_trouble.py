"""What a provider can do to a class: every paper ends graded, or ungraded with the right reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine_kit import FastClock, an_engine, states, turns, until, until_over
from school import RUBRIC, School, Strikes, essays, school, simulator

from gradeq import ProviderSettings
from gradeq.limiter.base import LimitedBy
from gradeq.providers.simulated import Simulator

SPEED = 60.0
"""A minute of the provider's and the queue's time passes in a second."""

KEY = {"kind": "anthropic", "api_key_env": "SCHOOL_KEY"}
ENVIRON = {"SCHOOL_KEY": "sk-good"}


@asynccontextmanager
async def troubled(
    tmp_path: Any, *, speed: float = SPEED, provider: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Any]:
    """A school and its provider, both on one fast clock."""
    clock = FastClock(speed)
    async with (
        simulator(clock, **settings) as sim,
        school(tmp_path / "g.db", sim, provider=provider, clock=clock, environ=ENVIRON) as at,
    ):
        yield at


# Rate limits ------------------------------------------------------------------------------------


async def test_a_storm_of_429s_costs_nobody_an_attempt(tmp_path):
    async with troubled(tmp_path, fail="429:0.4", seed=3) as at:
        results = await at.graded(essays(60))
        jobs = await at.jobs(1)
        batch = await at.engine.store.batch(1)
    assert {result.status for result in results.values()} == {"graded"}
    assert {job.attempts for job in jobs} == {0}
    assert sum(job.snoozes for job in jobs) == batch.rate_limited == at.sim.stats.refused_429 > 10


async def test_a_429_is_not_answered_by_more_calls(tmp_path):
    """One at a time, so that no call is on its way when the 429 comes."""
    settings = {"fail": "429:0.3", "retry_after_seconds": 5, "seed": 3}
    async with troubled(tmp_path, provider={"concurrency": 1}, speed=300.0, **settings) as at:
        await at.graded(essays(40))
    stats = at.sim.stats
    assert stats.refused_429 > 5
    assert stats.arrived_inside_retry_after == 0


async def test_a_class_runs_within_the_providers_limits(tmp_path):
    async with troubled(
        tmp_path,
        requests_per_minute=120,
        input_tokens_per_minute=60_000,
        output_tokens_per_minute=20_000,
        latency=0.5,
    ) as at:
        results = await at.graded(essays(60))
        jobs = await at.jobs(1)
    assert {result.status for result in results.values()} == {"graded"}
    assert {job.attempts for job in jobs} == {0}
    assert at.sim.stats.refused_429 <= 2


async def test_the_gate_of_one_pool_never_stops_another(tmp_path):
    async with simulator(fail="429", retry_after_seconds=3600) as shut, simulator() as open_:
        engine = an_engine(
            tmp_path / "g.db",
            providers=[
                ProviderSettings("shut", "simulated", "m", base_url=shut.url),
                ProviderSettings("open", "simulated", "m", base_url=open_.url),
            ],
        )
        async with engine:
            rubric_id = await engine.rubrics.put(RUBRIC, "r.toml")
            stuck = await engine.submit(essays(5), grader="llm:shut", rubric_id=rubric_id)
            moving = await engine.submit(
                essays(30, start=11), grader="llm:open", rubric_id=rubric_id
            )
            await until_over(engine, moving.id)
            assert await states(engine, moving.id) == {"completed": 30}
            assert (await engine.store.batch(stuck.id)).completed == 0
            assert not await engine.is_idle()
            (closed,) = [
                pool.reading()
                for pool in engine.pools.values()
                if pool.reading().limited_by is LimitedBy.RETRY_AFTER
            ]
    assert 3500 < closed.wait_seconds <= 3601
    assert shut.stats.requests == 5, "those that were sent before the first 429 came back"


# What no retry mends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right", "error", "told"),
    [
        ({"api_keys": ("sk-other",)}, {"api_keys": ("sk-good",)}, "bad_key", "SCHOOL_KEY"),
        ({"models": ("marker-2",)}, {"models": ("marker-1",)}, "unknown_model", "marker-1"),
        ({"fail": "403"}, {"fail": ""}, "bad_key", "SCHOOL_KEY"),
        ({"fail": "402"}, {"fail": ""}, "quota", ""),
        ({"fail": "spend_cap"}, {"fail": ""}, "quota", "spend"),
        ({"fail": "quota"}, {"fail": ""}, "quota", ""),
    ],
    ids=["key", "model", "403", "402", "spend_cap", "quota"],
)
async def test_a_batch_pauses_by_itself_and_goes_on_when_it_is_mended(
    tmp_path, wrong, right, error, told
):
    async with troubled(tmp_path, provider=KEY, **wrong) as at:
        batch = await at.submit(essays(20))
        async with asyncio.timeout(20):
            await at.engine.run()
        paused = await at.engine.store.batch(batch.id)
        assert (paused.status, paused.paused_by) == ("paused", "gradeq")
        assert told.casefold() in paused.pause_reason.casefold()
        assert at.sim.stats.requests <= 5 + 5, "five in a row, and what was on its way"
        jobs = await at.jobs(batch.id)
        assert {job.attempts for job in jobs} == {0}
        assert {job.error for job in jobs} == {error, None}
        (pool,) = at.engine.pools.values()
        assert pool.reading().limited_by is LimitedBy.PARKED
        rows = await at.engine.store.results([job.submission_id for job in jobs])
        assert {row.pause_reason for row in rows} == {paused.pause_reason}

        at.sim.change(**right)
        await at.engine.resume(batch.id)
        results = [one async for one in at.engine.results(batch.id)]
    assert {result.status for result in results} == {"graded"}
    assert len(results) == 20


async def test_one_at_a_time_a_batch_pauses_after_five_failures(tmp_path):
    wrong = {"api_keys": ("sk-other",)}
    async with troubled(tmp_path, provider=KEY | {"concurrency": 1}, **wrong) as at:
        batch = await at.submit(essays(20))
        await at.engine.run()
        assert (await at.engine.store.batch(batch.id)).status == "paused"
    assert at.sim.stats.requests == 5


async def test_a_quota_with_a_date_parks_the_pool_until_then(tmp_path):
    async with troubled(tmp_path, provider=KEY, fail="usage_limits") as at:
        await at.submit(essays(1))
        await until(at.engine, lambda: _asked(at, 1))
        (pool,) = at.engine.pools.values()
        assert pool.reading().limited_by is LimitedBy.PARKED
        assert 0 < pool.reading().wait_seconds < 32 * 86_400
        await turns(at.engine)
        assert at.sim.stats.requests == 1


async def _asked(at: Any, count: int) -> bool:
    return len(await at.engine.store.attempts(1)) == count


async def test_a_parking_survives_a_restart_and_a_resume_ends_it(tmp_path):
    clock = FastClock(SPEED)
    async with simulator(clock, fail="spend_cap") as sim:
        options = {"provider": KEY, "clock": clock, "environ": ENVIRON}
        async with school(tmp_path / "g.db", sim, **options) as at:
            batch = await at.submit(essays(8))
            await at.engine.run()
        before = sim.stats.requests
        sim.change(fail="")
        async with school(tmp_path / "g.db", sim, **options) as at:
            await at.engine.run()
            assert sim.stats.requests == before
            await at.engine.resume(batch.id)
            await at.engine.run()
            assert await states(at.engine, batch.id) == {"completed": 8}


async def test_another_batch_of_a_parked_pool_waits_and_run_does_not(tmp_path):
    async with troubled(tmp_path, provider=KEY, api_keys=("sk-other",)) as at:
        first = await at.submit(essays(8))
        await at.engine.run()
        second = await at.submit(essays(3, start=21))
        await at.engine.run()
        assert await states(at.engine, second.id) == {"pending": 3}
        at.sim.change(api_keys=None)
        await at.engine.resume(first.id)
        await at.engine.run()
        assert await states(at.engine, second.id) == {"completed": 3}


# Trouble that passes ----------------------------------------------------------------------------


async def test_half_a_minute_of_529_costs_nobody_an_attempt(tmp_path):
    async with troubled(tmp_path, fail="529") as at:
        ending = asyncio.create_task(outage_ends(at, after=30))
        results = await at.graded(essays(40))
        jobs = await at.jobs(1)
        await ending
    assert {result.status for result in results.values()} == {"graded"}
    assert {job.attempts for job in jobs} == {0}
    assert at.sim.stats.failures["529"] < 40, "the breaker held most calls back"


async def outage_ends(at: School, after: float) -> None:
    """So many seconds after the first call that it hit, however late that was."""
    while not at.sim.stats.failures:
        await asyncio.sleep(0.01)
    await at.engine.clock.sleep(after)
    at.sim.change(fail="")


async def test_a_model_that_loads_for_a_minute(tmp_path):
    async with troubled(tmp_path, fail="loading@0-60", speed=120.0) as at:
        results = await at.graded(essays(20))
        jobs = await at.jobs(1)
    assert {result.status for result in results.values()} == {"graded"}
    assert {job.attempts for job in jobs} == {0}


async def test_an_overload_without_end_is_given_up_after_a_quarter_of_an_hour(tmp_path):
    async with troubled(tmp_path, fail="529", speed=1200.0) as at:
        results = await at.graded(essays(2))
        jobs = await at.jobs(1)
    assert {job.error for job in jobs} == {"overloaded"}
    assert all("given up after 15 minutes" in result.reason for result in results.values())
    assert {job.attempts for job in jobs} == {0}


async def test_a_provider_that_cannot_be_reached_at_first(tmp_path):
    clock = FastClock(SPEED)
    async with simulator(clock) as gone:
        url = gone.url
    async with school(tmp_path / "g.db", gone, base_url=url, clock=clock) as at:
        batch = await at.submit(essays(10))
        await until(at.engine, lambda: _asked(at, 1))
        async with Simulator(port=gone.port, clock=clock):
            results = [one async for one in at.engine.results(batch.id)]
        jobs = await at.jobs(batch.id)
    assert {result.status for result in results} == {"graded"}
    assert {job.attempts for job in jobs} == {0}


@pytest.mark.parametrize(
    ("fault", "provider"),
    [
        ("500", {}),
        ("502", {}),
        ("504", {}),
        ("503", {}),
        ("drop", {}),
        ("drop_body", {}),
        ("html", {}),
        ("garbage", {}),
        ("hang", {"timeout_seconds": 0.1}),
    ],
    ids=str,
)
async def test_a_tenth_of_the_calls_goes_wrong(tmp_path, fault, provider):
    settings = {"fail": f"{fault}:0.1", "seed": 11}
    async with troubled(tmp_path, provider=provider, **settings) as at:
        results = await at.graded(essays(25))
        assert await at.engine.store.check() == []
    assert at.sim.stats.failures[fault] >= 1
    assert {result.status for result in results.values()} == {"graded"}


@pytest.mark.parametrize(
    ("fault", "error", "told", "provider"),
    [
        ("500", "server_error", "given up after 5 attempts", {}),
        ("drop", "connection_lost", "given up after 5 attempts", {}),
        ("drop_body", "connection_lost", "given up after 5 attempts", {}),
        ("html", "server_error", "given up after 5 attempts", {}),
        ("hang", "timeout", "given up after 5 attempts", {"timeout_seconds": 0.05}),
        ("too_large", "too_large", "", {}),
        ("400", "bad_request", "", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_never_ends_leaves_papers_ungraded_with_the_reason(
    tmp_path, fault, error, told, provider
):
    async with troubled(tmp_path, fail=fault, speed=100.0, provider=provider) as at:
        results = await at.graded(essays(3))
        jobs = await at.jobs(1)
        assert await at.engine.store.check() == []
    assert {result.status for result in results.values()} == {"ungraded"}
    assert {(job.state, job.error) for job in jobs} == {("failed", error)}
    assert all(told in result.reason for result in results.values())
    calls = 5 if "5 attempts" in told else 1
    assert at.sim.stats.requests == 3 * calls
    assert [result.attempts for result in results.values()] == [calls] * 3


@pytest.mark.slow
async def test_a_mixed_bag_of_trouble(tmp_path):
    plan = "429:0.05,500:0.05,529:0.02,drop:0.03,drop_body:0.03,html:0.02,garbage:0.05,cut:0.03"
    async with troubled(tmp_path, fail=plan, seed=5) as at:
        results = await at.graded(essays(100))
        assert await at.engine.store.check() == []
        reasons = {one.id: one.reason for one in results.values() if one.status != "graded"}
        assert all("asked 3 times" in reason for reason in reasons.values()), reasons
        assert len(reasons) <= 5


async def test_calls_made_and_calls_recorded_are_the_same(tmp_path):
    strikes = Strikes().told(True, False, True, True)
    async with troubled(tmp_path, fail="500:0.5", rng=strikes) as at:
        await at.graded(essays(10))
        batch = await at.engine.store.batch(1)
        recorded = [one for job in await at.jobs(1) for one in await attempts_of(at, job.id)]
    assert batch.requests == len(recorded) == at.sim.stats.requests == 13
    assert sum(one.error == "server_error" for one in recorded) == 3
    assert batch.input_tokens == at.sim.stats.input_tokens + at.sim.stats.cache_read_tokens
    assert batch.output_tokens == at.sim.stats.output_tokens


async def attempts_of(at: Any, job_id: int) -> Any:
    return await at.engine.store.attempts(job_id)
