from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.errors import ConfigError
from gradeq.limiter.base import Bucket, LimitedBy, Limits
from gradeq.limiter.pool import Pool

from .helpers import (
    CALL,
    SILENT,
    USED,
    a_known_pool,
    a_pool,
    denied,
    level,
    start_all,
    started,
    told,
    warm_up,
)

CONFIGURED = Limits(
    concurrency=100,
    requests_per_minute=600,
    input_tokens_per_minute=60_000,
    output_tokens_per_minute=24_000,
)
CLAUDE = told(requests=(600, 600), input_tokens=(60_000, 60_000), output_tokens=(24_000, 24_000))


def test_without_any_limit_only_the_concurrency_binds(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=7))
    assert pool.room() == 7
    assert len(start_all(pool)) == 7
    assert denied(pool).reason is LimitedBy.CONCURRENCY
    assert pool.ready_at() is None


def test_an_ended_call_frees_its_slot(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=1))
    permit = started(pool)
    assert pool.room() == 0
    pool.answered(permit, USED, SILENT)
    assert (pool.room(), pool.in_flight) == (1, 0)


def test_a_new_pool_sends_one_call_to_see(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    assert pool.room() == 1
    started(pool)
    assert pool.room() == 0


def test_and_goes_at_full_speed_once_a_response_tells_the_levels(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    warm_up(pool, clock, CLAUDE, seconds=0.5)
    clock.advance(1)
    assert pool.room() == 10


def test_without_headers_its_buckets_fill_at_their_rate(clock: ManualClock) -> None:
    pool = a_known_pool(clock, CONFIGURED)
    clock.advance(2)
    warm_up(pool, clock, seconds=1.0)
    clock.advance(10)
    assert pool.room() == 10


def test_room_is_what_can_start_one_after_the_other(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    warm_up(pool, clock, CLAUDE)
    for seconds in (0.3, 1.0, 0.0, 20.0):
        clock.advance(seconds)
        room = pool.room()
        assert len(start_all(pool)) == room
        assert pool.room() == 0


def test_a_released_permit_leaves_no_trace(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    warm_up(pool, clock, CLAUDE)
    clock.advance(0.5)
    before = pool.state(), pool.room(), pool.requests_total
    pool.release(started(pool))
    assert (pool.state(), pool.room(), pool.requests_total) == before


def test_a_first_call_that_was_never_made_leaves_the_next_one_first(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    pool.release(started(pool))
    assert pool.room() == 1
    assert started(pool).is_first


def test_a_first_call_given_back_late_does_not_make_the_pool_new_again(
    clock: ManualClock,
) -> None:
    pool = a_pool(clock, CONFIGURED)
    first = started(pool)
    clock.advance(10)
    pool.answered(started(pool), USED, CLAUDE)
    pool.release(first)
    clock.advance(1)
    assert pool.room() == 10


def test_after_a_timeout_the_tokens_stay_charged(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    warm_up(pool, clock, CLAUDE)
    before = level(pool, Bucket.INPUT_TOKENS), level(pool, Bucket.OUTPUT_TOKENS)
    pool.failed(started(pool), keep_tokens=True)
    after = level(pool, Bucket.INPUT_TOKENS), level(pool, Bucket.OUTPUT_TOKENS)
    assert after == pytest.approx((before[0] - 1000, before[1] - 400))


def test_after_a_server_error_only_the_request_does(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    warm_up(pool, clock, CLAUDE)
    before = level(pool, Bucket.INPUT_TOKENS), level(pool, Bucket.REQUESTS)
    pool.failed(started(pool), keep_tokens=False, server_error=True)
    after = level(pool, Bucket.INPUT_TOKENS), level(pool, Bucket.REQUESTS)
    assert after == pytest.approx((before[0], before[1] - 1))


def test_a_permit_ends_once(clock: ManualClock) -> None:
    pool = a_pool(clock)
    permit = started(pool)
    pool.answered(permit, USED, SILENT)
    with pytest.raises(ValueError, match="already ended"):
        pool.release(permit)
    assert pool.in_flight == 0


def test_it_counts_what_it_sent_and_what_was_refused(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.answered(started(pool), USED, SILENT)
    pool.refused(started(pool), SILENT)
    assert (pool.requests_total, pool.refused_total) == (2, 1)


def test_every_change_is_told(clock: ManualClock) -> None:
    told_of: list[Pool] = []
    pool = a_pool(clock, Limits(concurrency=20), on_change=told_of.append)
    permits = [started(pool) for _ in range(8)]
    assert len(told_of) == 8
    pool.release(permits[0])
    pool.answered(permits[1], USED, SILENT)
    pool.failed(permits[2], keep_tokens=True)
    pool.loading(permits[3], SILENT)
    pool.refused(permits[4], SILENT)
    pool.overloaded(permits[5], SILENT)
    pool.unmendable(permits[6], "no such model")
    pool.park("stopped")
    pool.resume()
    assert len(told_of) == 17
    assert set(told_of) == {pool}


def test_looking_changes_nothing(clock: ManualClock) -> None:
    told_of: list[Pool] = []
    pool = a_pool(clock, CONFIGURED, on_change=told_of.append)
    state = pool.state()
    pool.room(), pool.ready_at(), pool.reading()
    assert pool.state() == state
    assert told_of == []


def test_a_denied_call_reserves_nothing(clock: ManualClock) -> None:
    pool = a_pool(clock, CONFIGURED)
    started(pool)
    state = pool.state()
    denied(pool)
    assert pool.state() == state
    assert pool.in_flight == 1


def test_a_lower_output_estimate_is_learned_and_makes_room(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=100))
    signals = told(output_tokens=(24_000, 4_000))
    warm_up(pool, clock, signals)
    before = pool.room()
    for _ in range(30):
        permit = started(pool)
        pool.answered(permit, type(USED)(1000, 100), signals)
    assert pool.room() >= 3 * before


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        (Limits(concurrency=0), "concurrency is 0"),
        (Limits(requests_per_minute=0), "requests_per_minute"),
        (Limits(output_tokens_per_minute=-1), "output_tokens_per_minute"),
        (Limits(tokens_per_minute=float("nan")), "tokens_per_minute"),
    ],
)
def test_limits_that_allow_nothing_are_refused(
    clock: ManualClock, limits: Limits, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        a_pool(clock, limits)


def test_two_pools_share_nothing(clock: ManualClock) -> None:
    one, other = a_pool(clock), a_pool(clock)
    one.park("stopped")
    start_all(other, CALL)
    assert (one.room(), one.in_flight, other.in_flight) == (0, 0, 5)
