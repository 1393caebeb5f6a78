from __future__ import annotations

from random import Random

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy, Limits, Signals
from gradeq.limiter.pace import SlowDown
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool

from .helpers import (
    SILENT,
    USED,
    a_known_pool,
    a_pool,
    denied,
    start_all,
    started,
    told,
    wait,
    warm_up,
)

MANY = Limits(concurrency=1000)


def sent_in(pool: Pool, clock: ManualClock, seconds: float) -> int:
    """How many calls start when somebody starts each as soon as it can."""
    end = clock.monotonic() + seconds
    count = 0
    while True:
        count += len(start_all(pool))
        ready_at = pool.ready_at()
        if ready_at is None or ready_at > end:
            clock.advance(end - clock.monotonic())
            return count
        clock.advance(ready_at - clock.monotonic())


def test_sixty_a_minute_without_headers_are_one_a_second(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=1000, requests_per_minute=60))
    assert sent_in(pool, clock, 9.5) == 10


def test_a_second_s_worth_may_go_at_once_after_a_lull(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(concurrency=1000, requests_per_minute=600))
    warm_up(pool, clock)
    clock.advance(60)
    assert pool.room() == 10
    assert sent_in(pool, clock, 3) == pytest.approx(40, abs=1)


def test_three_times_the_pace_while_the_provider_shows_plenty(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 590)))
    start_all(pool)
    assert sent_in(pool, clock, 4) == pytest.approx(120, abs=2)


def test_little_that_is_left_is_used_up_and_then_the_limit_kept(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 20)))
    start_all(pool)
    assert sent_in(pool, clock, 10) == pytest.approx(100 + 20 - 4, abs=2)
    assert sent_in(pool, clock, 10) == pytest.approx(100, abs=1)


def test_the_less_is_left_the_less_haste(clock: ManualClock) -> None:
    def sent_with(left: int) -> int:
        pool = a_pool(clock, MANY)
        warm_up(pool, clock, told(requests=(6000, left)))
        start_all(pool)
        return sent_in(pool, clock, 0.25)

    assert sent_with(3000) == pytest.approx(75, abs=1)
    assert sent_with(150) == pytest.approx(50, abs=4)
    assert sent_with(80) < 40


def an_eager_second(pool: Pool, clock: ManualClock) -> Permit:
    """As many calls as one second allows while there is plenty; the last one."""
    start_all(pool)
    sent_in(pool, clock, 1.0)
    return started(pool)


def test_a_refusal_in_spite_of_plenty_shows_a_short_window(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 500)))
    last = an_eager_second(pool, clock)
    pool.refused(last, Signals(told(requests=(600, 480)).levels, retry_after=1.0))
    assert pool.state().short_window
    clock.advance(3)
    start_all(pool)
    assert sent_in(pool, clock, 6) == pytest.approx(60, abs=1)


def test_a_refusal_by_an_empty_bucket_shows_nothing_new(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 500)))
    pool.refused(started(pool), Signals(told(requests=(600, 0)).levels, retry_after=1.0))
    assert not pool.state().short_window


def test_a_refusal_of_one_of_few_shows_no_short_window(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 500)))
    clock.advance(1)
    _, last = started(pool), started(pool)
    pool.refused(last, Signals(told(requests=(600, 500)).levels, retry_after=1.0))
    assert not pool.state().short_window
    assert pool.state().most_at_once == 1


def refused_in_spite_of_plenty(pool: Pool, clock: ManualClock) -> None:
    clock.advance(5)
    start_all(pool)
    clock.advance(1.7)
    *_, last = start_all(pool)
    pool.refused(last, Signals(told(requests=(60, 59)).levels, retry_after=1.0))
    clock.advance(3)


def test_one_call_a_second_leaves_the_wire_some_time(clock: ManualClock) -> None:
    """The second call of two that are a second apart may arrive a moment early."""
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(60, 59)))
    refused_in_spite_of_plenty(pool, clock)
    start_all(pool)
    assert sent_in(pool, clock, 104.5) == 100
    again = a_pool(clock, MANY, state=pool.state())
    assert again.state().margin_seconds == pool.state().margin_seconds > 0


def test_a_slow_pace_gets_slower_before_calls_at_once_are_suspected(clock: ManualClock) -> None:
    """Of one call a second each starts within a second of another: that alone tells nothing."""
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(60, 59)))
    for _ in range(5):
        refused_in_spite_of_plenty(pool, clock)
        assert pool.state().most_at_once is None
    assert pool.state().margin_seconds > 0.5
    refused_in_spite_of_plenty(pool, clock)
    assert pool.state().most_at_once is not None
    assert pool.state().margin_seconds < 0.05


def test_the_short_window_is_remembered(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    warm_up(pool, clock, told(requests=(600, 500)))
    last = an_eager_second(pool, clock)
    pool.refused(last, Signals(told(requests=(600, 490)).levels, retry_after=1.0))
    assert a_pool(clock, MANY, state=pool.state()).state().short_window


def test_asked_to_slow_down_a_pool_halves_its_rate_and_regains_it(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(concurrency=1000, requests_per_minute=600))
    warm_up(pool, clock)
    assert sent_in(pool, clock, 60) == pytest.approx(600, abs=15)
    pool.refused(started(pool), Signals(retry_after=2.0), slow_down=True)
    clock.advance(wait(pool, clock))
    assert sent_in(pool, clock, 10) == pytest.approx(50, rel=0.15)
    clock.advance(130)
    start_all(pool)
    assert sent_in(pool, clock, 10) == pytest.approx(100, abs=3)


def test_a_pool_without_limits_slows_down_from_the_rate_it_had(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    for _ in range(600):
        pool.answered(started(pool), USED, SILENT)
        clock.advance(0.1)
    assert pool.room() == 1000
    pool.refused(started(pool), Signals(retry_after=1.0), slow_down=True)
    clock.advance(wait(pool, clock))
    assert sent_in(pool, clock, 10) == pytest.approx(50, rel=0.2)
    clock.advance(130)
    assert pool.room() > 100


def test_a_slow_down_after_a_long_call_alone_still_leaves_a_rate(clock: ManualClock) -> None:
    pool = a_pool(clock, MANY)
    only = started(pool)
    clock.advance(300)
    pool.refused(only, Signals(retry_after=1.0), slow_down=True)
    clock.advance(wait(pool, clock))
    assert started(pool)


def test_a_pause_at_the_pace_reads_as_the_request_limit(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=60))
    started(pool)
    assert denied(pool).reason is LimitedBy.REQUESTS


def test_halving_again_starts_from_what_was_left() -> None:
    slow = SlowDown()
    slow.halve(8.0, until=0, now=0)
    slow.halve(99.0, until=0, now=0)
    assert slow.rate(0) == 2.0
    assert slow.rate(120) == 6.0
    assert slow.rate(180) is None


def test_halving_has_a_floor_and_starts_anew_once_regained() -> None:
    slow, rng = SlowDown(), Random(1)
    for _ in range(rng.randint(20, 30)):
        slow.halve(64.0, until=0, now=0)
    assert slow.rate(0) == 1.0
    slow.halve(10.0, until=1000, now=1000)
    assert slow.rate(1000) == 5.0
