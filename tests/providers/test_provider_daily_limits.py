"""Groq's header of requests tells the day, not the minute: it must not pace a run of minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pool_kit import a_pool, answered, level
from scripted_server import response

from gradeq.limiter.base import Bucket, LimitedBy
from gradeq.limiter.pool import Pool

DAY = 86_400.0


def groq(limit: int, remaining: int, reset: str, status: int = 200) -> bytes:
    body = {
        "choices": [{"message": {"content": '{"level":"good"}'}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    }
    headers = {
        "x-ratelimit-limit-requests": str(limit),
        "x-ratelimit-remaining-requests": str(remaining),
        "x-ratelimit-reset-requests": reset,
        "x-ratelimit-limit-tokens": "6000000",
        "x-ratelimit-remaining-tokens": "5999000",
        "x-ratelimit-reset-tokens": "10ms",
    }
    return response(body, status, headers)


@pytest.fixture
def groq_at(server, provider_at, clock) -> Callable[..., Any]:
    def at(*steps: bytes, **limits: Any) -> tuple[Any, Pool]:
        server.will(*steps)
        provider = provider_at(f"{server.url}/openai/v1", "openai")
        return provider, a_pool(clock, **limits)

    return at


async def test_a_nearly_empty_day_does_not_pace_a_run_of_minutes(groq_at, clock):
    """60 of 14,400 left: at the day's rate 40 papers would take four minutes."""
    left = [groq(14_400, 60 - n, "23h54m0s") for n in range(41)]
    provider, pool = groq_at(*left, concurrency=5)
    await answered(provider, pool)
    clock.advance(1)
    assert pool.room() == 5
    for _ in range(40):
        await answered(provider, pool)
    reading = pool.reading()
    assert reading.limited_by is LimitedBy.NOTHING
    assert reading.limited_for.get(LimitedBy.REQUESTS, 0.0) == 0.0
    assert level(pool, Bucket.REQUESTS, DAY) == 20


async def test_a_day_that_is_used_up_makes_the_pool_wait_and_say_why(groq_at, clock):
    provider, pool = groq_at(groq(1000, 1, "23h58m33.6s"), groq(1000, 0, "24h0m0s"))
    await answered(provider, pool)
    clock.advance(1)
    await answered(provider, pool)
    reading = pool.reading()
    assert (pool.room(), reading.limited_by) == (0, LimitedBy.REQUESTS)
    assert reading.text.startswith("requests: 0 of 1,000 per 86400 s left")
    assert pool.ready_at() - clock.monotonic() == pytest.approx(86.4, abs=1)
    clock.advance(87)
    assert pool.room() == 1


async def test_the_day_says_nothing_of_how_many_calls_would_keep_a_rate_busy(groq_at, clock):
    provider, pool = groq_at(groq(14_400, 14_000, "40m0s"), concurrency=2)
    await answered(provider, pool, clock, seconds=4)
    assert pool.reading().concurrency_needed > 100, "as many as the minute's tokens allow"


async def test_early_in_the_day_its_limit_is_taken_for_a_generous_minute(groq_at, clock):
    provider, pool = groq_at(groq(14_400, 14_399, "6s"), groq(14_400, 14_370, "2m59.56s"))
    await answered(provider, pool)
    clock.advance(1)
    await answered(provider, pool)
    assert level(pool, Bucket.REQUESTS, DAY) == 14_370
    clock.advance(1)
    assert pool.room() == 5, "neither holds the concurrency back"
