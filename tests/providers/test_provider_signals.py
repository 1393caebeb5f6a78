"""What each signal means for a job and for its pool: from bytes on a socket to what follows.

Every row goes through a real connection, the provider, the pool and the decision about the job.
"""

from __future__ import annotations

import math
from random import Random

import pytest
from pool_kit import a_pool, answered, call, level
from scripted_server import PROMPT, response
from signal_rows import (
    BREAKER,
    COUNTED,
    FREE,
    GATE,
    HALVED,
    LOADING,
    NOTHING,
    OVER,
    PARKED,
    ROWS,
    STRIKE,
    Row,
    cut_in_mid_body,
    drop,
    google,
    hang,
    openai,
    quota,
    text,
)

from gradeq.clock import ManualClock
from gradeq.decision import Failed, decide
from gradeq.limiter.base import Bucket, LimitedBy
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState
from gradeq.model import JobState
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Failure
from gradeq.store.claims import Counters


@pytest.mark.parametrize("row", ROWS)
async def test_a_signal(server, provider_at, clock: ManualClock, row: Row):
    server.will(row.reply)
    provider = provider_at(server.url, row.kind, **row.settings)
    pool = a_pool(clock)
    came = await call(provider, pool)
    assert came.error is row.error, came.reason
    assert len(server.requests) == 1, "a provider never asks twice by itself"
    assert job_after(came, clock) == row.job
    if row.pool is STRIKE:
        assert (pool_after(pool), pool.reading().wait_seconds) == (NOTHING, 0.0)
        for _ in range(4):
            await call(provider, pool)
    assert pool_after(pool) == (PARKED if row.pool is STRIKE else row.pool)
    low, high = row.wait
    assert low - 0.001 <= pool.reading().wait_seconds <= high + 0.001


def job_after(came: Failure, clock: ManualClock) -> str:
    """What it costs the job. The last attempt but one, so that a counted one is seen to end it."""
    failed = Failed(came.error, came.reason, passes=came.parked_until_ms is not None)
    nearly = Counters(attempts=4, max_attempts=5)
    if decide(failed, Counters(), clock.now_ms(), Random(1)).state is JobState.FAILED:
        return OVER
    ends = decide(failed, nearly, clock.now_ms(), Random(1)).state is JobState.FAILED
    return COUNTED if ends else FREE


def pool_after(pool: Pool) -> str:
    """What the pool does, by what it says of itself."""
    state, limited_by = pool.state(), pool.reading().limited_by
    if limited_by is LimitedBy.PARKED:
        assert pool.room() == 0
        return PARKED
    if limited_by is LimitedBy.OVERLOAD:
        assert state.breaker_trips > 0
        return BREAKER
    if limited_by is LimitedBy.LOADING:
        assert state.breaker_trips == 0
        return LOADING
    if limited_by is LimitedBy.RETRY_AFTER:
        return GATE if state.full_rate is None else HALVED
    assert pool.room() > 0
    return NOTHING


# What a row alone does not show -----------------------------------------------------------------


async def test_where_nobody_is_there_the_breaker_trips(unused_tcp_port_factory, provider_at, clock):
    pool = a_pool(clock)
    provider = provider_at(f"http://127.0.0.1:{unused_tcp_port_factory()}")
    came = await call(provider, pool)
    assert came.error is ErrorClass.OVERLOADED
    assert (pool_after(pool), job_after(came, clock)) == (BREAKER, FREE)


async def test_refusals_without_a_word_make_the_pool_wait_longer_each_time(
    server, provider_at, clock
):
    server.will(response(b"", 429))
    provider, pool, waits = provider_at(server.url), a_pool(clock), []
    for _ in range(8):
        await call(provider, pool)
        waits.append(pool.reading().wait_seconds)
        clock.advance(waits[-1])
    assert [math.floor(wait) for wait in waits] == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_half_of_twenty_server_errors_trip_the_breaker(server, provider_at, clock):
    server.will(text(b"Bad Gateway", 502))
    provider, pool, seen = provider_at(server.url), a_pool(clock), []
    for _ in range(10):
        await call(provider, pool)
        seen.append(pool_after(pool))
    assert seen == [NOTHING] * 9 + [BREAKER]


@pytest.mark.parametrize(
    ("reply", "is_kept"),
    [(hang, True), (cut_in_mid_body, True), (drop, True), (text(b"", 500), False)],
    ids=["timeout", "cut", "dropped", "500"],
)
async def test_tokens_stay_charged_where_the_work_may_have_been_done(
    server, provider_at, clock, reply, is_kept
):
    server.will(reply)
    patience = {"timeout_seconds": 0.05} if reply is hang else {}
    provider = provider_at(server.url, "openai", **patience)
    pool = a_pool(clock, input_tokens_per_minute=60_000)
    before = level(pool, Bucket.INPUT_TOKENS)
    await call(provider, pool)
    charged = before - level(pool, Bucket.INPUT_TOKENS)
    need = provider.estimate(PROMPT).input_tokens
    assert charged == (need if is_kept else 0)


async def test_the_limit_that_a_refusal_names_is_kept_but_not_for_good(server, provider_at, clock):
    """Nobody would tell that Google has raised it."""
    violations, wait = quota("GenerateRequestsPerMinutePerProjectPerModel", "9s")
    violations["violations"][0]["quotaValue"] = "20"
    body = google(429, "RESOURCE_EXHAUSTED", "You exceeded your quota.", violations, wait)
    server.will(response(body, 429))
    provider, pool = provider_at(server.url, "gemini"), a_pool(clock)
    await call(provider, pool)
    (gauge,) = pool.reading().levels
    assert (gauge.bucket, gauge.limit) == (Bucket.REQUESTS, 20)
    clock.advance(11.5)
    assert pool.room() == 1
    assert isinstance(pool.acquire(provider.estimate(PROMPT)), Permit)
    clock.advance(2.5)
    assert (pool.room(), pool.reading().limited_by) == (0, LimitedBy.REQUESTS)
    clock.advance(0.6)
    assert pool.room() == 1, "20 a minute is one in three seconds"
    stored = PoolState.from_dict(pool.state().to_dict())
    assert a_pool(clock, state=stored).reading().levels[0].limit == 20
    clock.advance(2 * 3600)
    assert a_pool(clock, state=stored).reading().levels == ()


async def test_a_parking_by_the_day_ends_at_midnight_in_california(server, provider_at, clock):
    clock.advance(6 * 3600)
    body = google(429, "RESOURCE_EXHAUSTED", "Quota.", *quota("GenerateRequestsPerDay", "20s"))
    server.will(response(body, 429))
    pool = a_pool(clock)
    came = await call(provider_at(server.url, "gemini"), pool)
    failed = Failed(came.error, came.reason, passes=came.parked_until_ms is not None)
    assert decide(failed, Counters(), clock.now_ms(), Random(1)).stuck_on is None
    assert pool.reading().wait_seconds == pytest.approx(18 * 3600)
    clock.advance(18 * 3600 - 1)
    assert pool.room() == 0
    clock.advance(1)
    assert pool.room() > 0


async def test_the_same_strike_five_times_in_a_row_and_not_four_and_one(server, provider_at, clock):
    wrong, slow = openai(401, "Wrong key."), text(b"Bad Gateway", 502)
    good = response({"choices": [{"message": {"content": "{}"}}], "usage": {"prompt_tokens": 9}})
    server.will(*([wrong] * 4), good, *([wrong] * 4), slow, wrong)
    provider, pool = provider_at(server.url, "openai"), a_pool(clock)
    for _ in range(4):
        await call(provider, pool)
    await answered(provider, pool)
    for _ in range(5):
        await call(provider, pool)
    assert pool_after(pool) == NOTHING
    await call(provider, pool)
    assert pool_after(pool) == PARKED
