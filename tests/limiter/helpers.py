"""Short ways to say what most tests here say."""

from __future__ import annotations

from random import Random
from typing import Any

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, Level, Limits, Signals, Usage
from gradeq.limiter.opening import OVER, Opening
from gradeq.limiter.permit import Denied, Permit
from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import Gauge
from gradeq.limiter.state import PoolState

CALL = Cost(input_tokens=1000, output_tokens=400, max_output_tokens=1024)
USED = Usage(input_tokens=1000, output_tokens=400)
SILENT = Signals()


def a_pool(clock: ManualClock, limits: Limits | None = None, **options: Any) -> Pool:
    """One that lets everything start at once unless `opening` says otherwise."""
    options.setdefault("rng", Random(1))
    options.setdefault("opening", Opening(OVER))
    return Pool("anthropic:claude", limits or Limits(), clock=clock, **options)


def a_known_pool(clock: ManualClock, limits: Limits) -> Pool:
    """One that an earlier process left with nothing in its buckets."""
    return a_pool(clock, limits, state=PoolState(clock.now_ms()))


def told(**levels: tuple[float, float]) -> Signals:
    """A response that tells `bucket=(limit, remaining)`, per minute and exactly."""
    return Signals(tuple(Level(Bucket(name), *level) for name, level in levels.items()))


def started(pool: Pool, cost: Cost = CALL) -> Permit:
    got = pool.acquire(cost)
    assert isinstance(got, Permit), got
    return got


def denied(pool: Pool, cost: Cost = CALL) -> Denied:
    got = pool.acquire(cost)
    assert isinstance(got, Denied), got
    return got


def start_all(pool: Pool, cost: Cost = CALL) -> list[Permit]:
    """As many calls as there is room for."""
    permits = []
    while pool.room() and isinstance(got := pool.acquire(cost), Permit):
        permits.append(got)
    return permits


def warm_up(
    pool: Pool, clock: ManualClock, signals: Signals = SILENT, seconds: float = 1.0
) -> None:
    """One call, answered, so that the pool knows what a call is like."""
    permit = started(pool)
    clock.advance(seconds)
    pool.answered(permit, USED, signals)


def gauge(pool: Pool, bucket: Bucket, per_seconds: float = 60.0) -> Gauge:
    (found,) = (
        each
        for each in pool.reading().levels
        if (each.bucket, each.per_seconds) == (bucket, per_seconds)
    )
    return found


def level(pool: Pool, bucket: Bucket) -> float:
    return gauge(pool, bucket).level


def wait(pool: Pool, clock: ManualClock) -> float:
    """Seconds until the next typical call could start."""
    ready_at = pool.ready_at()
    assert ready_at is not None
    return ready_at - clock.monotonic()
