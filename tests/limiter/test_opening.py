"""The first calls of a pool of which little is known."""

from __future__ import annotations

import json

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy, Limits, Signals
from gradeq.limiter.buckets import TOLERANCE_SECONDS
from gradeq.limiter.opening import OVER, Opening
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState

from .helpers import SILENT, USED, a_pool, denied, start_all, started, told

MANY = Limits(concurrency=1000)


def a_new_pool(clock: ManualClock, limits: Limits = MANY) -> Pool:
    return a_pool(clock, limits, opening=Opening())


def sent_by(pool: Pool, clock: ManualClock, seconds: float) -> int:
    """How many calls start within so many seconds, none of which ends."""
    end = clock.monotonic() + seconds
    count = 0
    while clock.monotonic() < end:
        count += len(start_all(pool))
        ready_at = pool.ready_at()
        assert ready_at is not None
        clock.advance(min(end, ready_at) - clock.monotonic())
    return count


def test_five_go_at_once_and_then_they_double_twice_a_second(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    assert len(start_all(pool)) == 5
    assert denied(pool).reason is LimitedBy.REQUESTS
    assert 5 + sent_by(pool, clock, 0.5) == pytest.approx(10, abs=1)
    assert 10 + sent_by(pool, clock, 1.0) == pytest.approx(40, abs=3)


def test_the_default_concurrency_never_meets_it(clock: ManualClock) -> None:
    pool = a_new_pool(clock, Limits())
    permits = start_all(pool)
    assert denied(pool).reason is LimitedBy.CONCURRENCY
    clock.advance(4)
    for permit in permits:
        pool.answered(permit, USED, SILENT)
        assert started(pool)
        clock.advance(0.2)


def test_time_in_which_nobody_starts_opens_nothing(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    start_all(pool)
    clock.advance(60)
    assert len(start_all(pool)) == 1


def test_five_may_always_be_in_flight(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    for _ in range(3):
        for permit in start_all(pool)[:5]:
            pool.answered(permit, USED, SILENT)
        assert pool.room() == 5


def test_after_five_hundred_calls_it_is_over(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    for _ in range(OVER):
        clock.advance(1)
        pool.answered(started(pool), USED, SILENT)
    assert pool.room() == 1000


def test_a_refusal_halves_how_far_it_has_come(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    for _ in range(100):
        clock.advance(1)
        pool.answered(started(pool), USED, SILENT)
    clock.advance(1)
    pool.refused(started(pool), Signals(retry_after=1.0))
    assert pool.state().opened == 50


def test_a_refusal_whose_reason_is_told_does_not(clock: ManualClock) -> None:
    """The headers say what is left: the buckets know how long to wait."""
    pool = a_new_pool(clock)
    for left in range(100, 0, -1):
        clock.advance(1)
        pool.answered(started(pool), USED, told(requests=(6000, left)))
    clock.advance(1)
    pool.refused(started(pool), Signals(told(requests=(6000, 0)).levels, retry_after=1.0))
    assert pool.state().opened == 101


def test_it_goes_on_where_another_process_was(clock: ManualClock) -> None:
    pool = a_new_pool(clock)
    start_all(pool)
    state = PoolState.from_dict(json.loads(json.dumps(pool.state().to_dict())))
    again = a_pool(clock, MANY, state=state, opening=None)
    assert again.state().opened == 5
    assert len(start_all(again)) == 5
    assert denied(again).reason is LimitedBy.REQUESTS


def test_whoever_waited_until_ready_finds_room(clock: ManualClock) -> None:
    """Even where sums of floats miss the moment: a "now" without room is asked for without end."""
    pool = a_new_pool(clock)
    start_all(pool)
    ready_at = pool.ready_at()
    assert ready_at is not None
    clock.advance(ready_at - TOLERANCE_SECONDS / 2 - clock.monotonic())
    assert pool.ready_at() == clock.monotonic()
    assert pool.room() == 1


def test_after_a_refusal_that_nothing_explains_calls_go_one_by_one(clock: ManualClock) -> None:
    """Where one is refused again, the others were not sent."""
    pool = a_new_pool(clock, Limits())
    for permit in start_all(pool):
        pool.refused(permit, Signals(retry_after=1.0))
    clock.advance(2)
    assert len(start_all(pool)) == 1
    assert denied(pool).reason is LimitedBy.REQUESTS
    clock.advance(0.5)
    assert len(start_all(pool)) == 1
