"""A class graded by Gemini, which tells its limits only by refusing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from engine_kit import FastClock, states, turns, until
from school import Strikes, essays, school, simulator

from gradeq.limiter.base import LimitedBy

GEMINI = {"kind": "gemini", "model": "gemini-2.5-flash"}
ENVIRON = {"GEMINI_API_KEY": "AIza-good"}


@asynccontextmanager
async def a_class(
    tmp_path: Any, speed: float, provider: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Any]:
    clock = FastClock(speed)
    options = {"provider": GEMINI | (provider or {}), "clock": clock, "environ": ENVIRON}
    async with (
        simulator(clock, api_keys=("AIza-good",), **settings) as sim,
        school(tmp_path / "g.db", sim, **options) as at,
    ):
        yield at


async def test_limits_set_by_hand_are_kept_without_a_refusal(tmp_path):
    limits = {"requests_per_minute": 60, "input_tokens_per_minute": 40_000}
    async with a_class(tmp_path, 60.0, provider=limits, **limits, latency=0.5) as at:
        results = await at.graded(essays(20))
    assert {result.status for result in results.values()} == {"graded"}
    assert {result.grade.model for result in results.values()} == {"gemini-2.5-flash"}
    assert at.sim.stats.refused_429 == 0


async def test_an_unknown_limit_is_told_by_the_first_refusal_and_then_kept(tmp_path):
    """One at a time, so that no call is on its way when a refusal comes."""
    one = {"concurrency": 1}
    async with a_class(tmp_path, 40.0, provider=one, requests_per_minute=6) as at:
        results = await at.graded(essays(15))
        jobs = await at.jobs(1)
    assert {result.status for result in results.values()} == {"graded"}
    assert {job.attempts for job in jobs} == {0}
    stats = at.sim.stats
    assert 1 <= stats.refused_429 <= 3
    assert stats.arrived_inside_retry_after == 0
    assert stats.requests == 15 + stats.refused_429


async def test_a_day_that_is_used_up_parks_the_pool_and_pauses_no_batch(tmp_path):
    """The clock begins at midnight in California; a day goes by in a jump of the wall clock."""
    async with a_class(tmp_path, 60.0, requests_per_day=8) as at:
        batch = await at.submit(essays(30))
        (pool,) = at.engine.pools.values()

        async def is_parked() -> bool:
            row = await at.engine.store.batch(batch.id)
            return pool.reading().limited_by is LimitedBy.PARKED and row.processing == 0

        await until(at.engine, is_parked)
        row = await at.engine.store.batch(batch.id)
        assert (row.status, row.completed, row.paused_by) == ("processing", 8, None)
        reading = pool.reading()
        assert 86_000 < reading.wait_seconds <= 86_400
        assert "GEMINI_API_KEY is used up" in reading.parked_reason
        before = at.sim.stats.requests
        await turns(at.engine)
        assert at.sim.stats.requests == before <= 8 + 5, "five were on their way"
        assert {job.attempts for job in await at.jobs(batch.id)} <= {0, 1}

        at.sim.change(requests_per_day=None)
        await at.engine.resume(batch.id)
        results = [one async for one in at.engine.results(batch.id)]
    assert {result.status for result in results} == {"graded"}


async def test_a_model_without_quota_pauses_the_batch_with_the_reason(tmp_path):
    async with a_class(tmp_path, 60.0, fail="quota") as at:
        batch = await at.submit(essays(20))
        await at.engine.run()
        row = await at.engine.store.batch(batch.id)
        assert (row.status, row.paused_by) == ("paused", "gradeq")
        assert "limit: 0" in row.pause_reason
        assert await states(at.engine, batch.id) == {"pending": 20}


@pytest.mark.parametrize("fault", ["refusal", "garbage", "cut", "schema", "html", "500", "529"])
async def test_some_calls_go_wrong(tmp_path, fault):
    strikes = Strikes().told(True, False, True)
    async with a_class(tmp_path, 60.0, fail=f"{fault}:0.5", rng=strikes) as at:
        results = await at.graded(essays(20))
        assert await at.engine.store.check() == []
    assert at.sim.stats.failures[fault] >= 1
    assert {result.status for result in results.values()} == {"graded"}
