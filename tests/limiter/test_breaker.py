from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy, Limits, Signals
from gradeq.limiter.pool import Pool

from .helpers import SILENT, USED, a_pool, denied, start_all, started, wait

EIGHT = Limits(concurrency=8)


def an_outage(clock: ManualClock, limits: Limits = EIGHT) -> Pool:
    """A pool all of whose calls in flight met an overload."""
    pool = a_pool(clock, limits)
    for permit in start_all(pool):
        pool.overloaded(permit, SILENT)
    return pool


def test_an_overload_halves_the_concurrency_once(clock: ManualClock) -> None:
    pool = an_outage(clock)
    assert pool.reading().concurrency == 4
    assert pool.state().breaker_trips == 1


def test_it_waits_one_to_two_seconds_first(clock: ManualClock) -> None:
    pool = an_outage(clock)
    assert 1.0 <= wait(pool, clock) <= 2.0
    assert denied(pool).reason is LimitedBy.OVERLOAD


def test_a_wait_that_the_provider_asks_for_counts_if_it_is_longer(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.overloaded(started(pool), Signals(retry_after=45.0))
    assert wait(pool, clock) == 45.0


def test_then_one_probe_goes_alone(clock: ManualClock) -> None:
    pool = an_outage(clock)
    clock.advance(wait(pool, clock))
    assert pool.room() == 1
    started(pool)
    assert pool.room() == 0
    assert pool.ready_at() is None
    assert pool.reading().limited_by is LimitedBy.OVERLOAD


def test_the_wait_doubles_up_to_half_a_minute(clock: ManualClock) -> None:
    pool = an_outage(clock)
    longest = []
    for _ in range(7):
        longest.append(wait(pool, clock))
        clock.advance(wait(pool, clock))
        pool.overloaded(started(pool), SILENT)
    for seconds, ceiling in zip(longest, (2, 4, 8, 16, 30, 30, 30), strict=True):
        assert ceiling / 2 <= seconds <= ceiling
    assert pool.reading().concurrency == 4


def test_a_probe_that_is_answered_ends_it_and_each_answer_adds_one(clock: ManualClock) -> None:
    pool = an_outage(clock)
    clock.advance(wait(pool, clock))
    pool.answered(started(pool), USED, SILENT)
    allowed = []
    for _ in range(6):
        allowed.append(pool.room())
        pool.answered(started(pool), USED, SILENT)
    assert allowed == [4, 5, 6, 7, 8, 8]
    assert pool.state().breaker_cap is None


def test_answers_to_calls_from_before_the_outage_end_nothing(clock: ManualClock) -> None:
    pool = a_pool(clock, EIGHT)
    first, *rest = start_all(pool)
    pool.overloaded(first, SILENT)
    for permit in rest:
        pool.answered(permit, USED, SILENT)
    assert pool.state().breaker_trips == 1
    assert pool.room() == 0


def test_another_overload_after_the_recovery_halves_again(clock: ManualClock) -> None:
    pool = an_outage(clock)
    clock.advance(wait(pool, clock))
    pool.answered(started(pool), USED, SILENT)
    for permit in start_all(pool):
        pool.overloaded(permit, SILENT)
    assert pool.reading().concurrency == 2


def test_the_concurrency_never_falls_below_one(clock: ManualClock) -> None:
    assert an_outage(clock, Limits(concurrency=1)).reading().concurrency == 1


def test_what_was_in_flight_is_halved_not_what_was_allowed(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=1000))
    permits = [started(pool) for _ in range(6)]
    pool.overloaded(permits[0], SILENT)
    assert pool.reading().concurrency == 3


@pytest.mark.parametrize("ending", ["refused", "failed", "release", "loading", "unmendable"])
def test_a_probe_without_a_verdict_makes_way_for_another(clock: ManualClock, ending: str) -> None:
    pool = an_outage(clock)
    clock.advance(wait(pool, clock))
    probe = started(pool)
    match ending:
        case "refused":
            pool.refused(probe, SILENT)
        case "failed":
            pool.failed(probe, keep_tokens=True)
        case "release":
            pool.release(probe)
        case "loading":
            pool.loading(probe, SILENT)
        case "unmendable":
            pool.unmendable(probe, "the key was refused")
    clock.advance(wait(pool, clock))
    assert pool.room() == 1


def test_a_probe_that_meets_a_server_error_fails(clock: ManualClock) -> None:
    pool = an_outage(clock)
    clock.advance(wait(pool, clock))
    pool.failed(started(pool), keep_tokens=False, server_error=True)
    assert pool.state().breaker_trips == 2
    assert wait(pool, clock) >= 2


def test_single_server_errors_do_not_trip_it(clock: ManualClock) -> None:
    pool = a_pool(clock, EIGHT)
    for number in range(100):
        permit = started(pool)
        if number % 3 == 0:
            pool.failed(permit, keep_tokens=False, server_error=True)
        else:
            pool.answered(permit, USED, SILENT)
    assert pool.room() == 8


def test_it_trips_when_half_of_the_last_twenty_calls_met_server_errors(clock: ManualClock) -> None:
    pool = a_pool(clock, EIGHT)
    for _ in range(10):
        pool.answered(started(pool), USED, SILENT)
    for _ in range(9):
        pool.failed(started(pool), keep_tokens=False, server_error=True)
    assert pool.room() == 8
    pool.failed(started(pool), keep_tokens=False, server_error=True)
    assert pool.room() == 0
    assert pool.reading().limited_by is LimitedBy.OVERLOAD


def test_timeouts_are_no_server_errors(clock: ManualClock) -> None:
    pool = a_pool(clock, EIGHT)
    for _ in range(40):
        pool.failed(started(pool), keep_tokens=True)
    assert pool.room() == 8


def test_server_errors_from_before_a_trip_do_not_trip_it_again(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=40))
    permits = start_all(pool)
    for permit in permits:
        pool.failed(permit, keep_tokens=False, server_error=True)
    clock.advance(wait(pool, clock))
    pool.answered(started(pool), USED, SILENT)
    pool.failed(started(pool), keep_tokens=False, server_error=True)
    assert pool.room() > 1
