"""A pool on a clock that stands still, and calls made through it as the worker makes them."""

from __future__ import annotations

from random import Random
from typing import Any

from scripted_server import PROMPT

from gradeq.clock import ManualClock
from gradeq.handlers.model import tell_pool
from gradeq.limiter.base import Bucket, Limits
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState
from gradeq.providers.base import Answer, Failure


def a_pool(clock: ManualClock, *, state: PoolState | None = None, **limits: Any) -> Pool:
    return Pool("somewhere", Limits(**limits), clock=clock, rng=Random(1), state=state)


async def call(provider: Any, pool: Pool) -> Failure:
    """One call as the worker makes it."""
    permit = pool.acquire(provider.estimate(PROMPT))
    assert isinstance(permit, Permit), permit
    came = await provider.complete(PROMPT)
    assert isinstance(came, Failure), came
    tell_pool(pool, permit, came)
    return came


async def answered(
    provider: Any, pool: Pool, clock: ManualClock | None = None, seconds: float = 0.0
) -> None:
    permit = pool.acquire(provider.estimate(PROMPT))
    assert isinstance(permit, Permit), permit
    answer = await provider.complete(PROMPT)
    assert isinstance(answer, Answer), answer
    if clock is not None:
        clock.advance(seconds)
    pool.answered(permit, answer.usage, answer.signals)


def level(pool: Pool, bucket: Bucket, per_seconds: float = 60.0) -> float:
    return next(
        each.level
        for each in pool.reading().levels
        if (each.bucket, each.per_seconds) == (bucket, per_seconds)
    )
