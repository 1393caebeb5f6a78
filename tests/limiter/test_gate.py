"""429 and what follows from it."""

from __future__ import annotations

import math

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, LimitedBy, Limits, Signals
from gradeq.limiter.gate import Epoch, Gate

from .helpers import (
    SILENT,
    USED,
    a_known_pool,
    a_pool,
    denied,
    level,
    start_all,
    started,
    told,
    wait,
    warm_up,
)


def test_nothing_starts_for_as_long_as_the_provider_asks(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=7.0))
    assert pool.room() == 0
    assert denied(pool).reason is LimitedBy.RETRY_AFTER
    assert 7.0 <= wait(pool, clock) <= 7.2
    clock.advance(wait(pool, clock))
    assert started(pool)


def test_two_pools_do_not_wait_exactly_as_long(clock: ManualClock) -> None:
    from random import Random

    waits = set()
    for seed in range(5):
        pool = a_pool(clock, rng=Random(seed))
        pool.refused(started(pool), Signals(retry_after=7.0))
        waits.add(wait(pool, clock))
    assert len(waits) == 5


def test_calls_in_flight_go_on_and_free_no_room_before_the_gate_opens(clock: ManualClock) -> None:
    pool = a_pool(clock)
    refused, running = started(pool), started(pool)
    pool.refused(refused, Signals(retry_after=7.0))
    assert pool.in_flight == 1
    pool.answered(running, USED, SILENT)
    assert pool.room() == 0


def test_an_answer_after_the_cut_does_not_open_the_gate(clock: ManualClock) -> None:
    pool = a_pool(clock)
    running, refused = started(pool), started(pool)
    pool.refused(refused, Signals(retry_after=30.0))
    pool.answered(running, USED, told(requests=(60, 59)))
    assert wait(pool, clock) >= 30


def test_one_cut_for_all_that_was_sent_before_it(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=60))
    permits = []
    for _ in range(4):
        permits.append(started(pool))
        clock.advance(1.01)
    pool.refused(permits[3], Signals(retry_after=5.0))
    after_first = level(pool, Bucket.REQUESTS), pool.ready_at()
    for late in permits[:3]:
        pool.refused(late, Signals(retry_after=4.0))
    assert (level(pool, Bucket.REQUESTS), pool.ready_at()) == after_first
    assert pool.refused_total == 4


def test_a_longer_wait_in_a_late_refusal_is_heeded(clock: ManualClock) -> None:
    pool = a_pool(clock)
    first, late = started(pool), started(pool)
    pool.refused(first, Signals(retry_after=2.0))
    pool.refused(late, Signals(retry_after=60.0))
    assert wait(pool, clock) == 60


def test_a_refusal_of_a_call_sent_after_the_cut_cuts_again(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=2.0))
    clock.advance(wait(pool, clock))
    pool.refused(started(pool), Signals(retry_after=9.0))
    assert wait(pool, clock) >= 9


def test_after_the_wait_one_call_fits_and_then_the_rate(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=100, requests_per_minute=600))
    warm_up(pool, clock)
    clock.advance(60)
    pool.refused(started(pool), Signals(retry_after=2.0))
    assert level(pool, Bucket.REQUESTS) == pytest.approx(1 - 10 * 2.0)
    clock.advance(wait(pool, clock))
    assert pool.room() <= 2


def test_the_refused_call_s_tokens_come_back_its_request_does_not(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(requests=(6000, 5000), input_tokens=(600_000, 300_000)))
    permit = started(pool)
    pool.refused(permit, told(requests=(6000, 4999), input_tokens=(600_000, 300_000)))
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(300_000)
    assert level(pool, Bucket.REQUESTS) == pytest.approx(4999)


def test_without_a_wait_from_the_provider_the_deficit_sets_it(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(input_tokens=(60_000, 30_000)))
    pool.refused(started(pool), told(input_tokens=(60_000, 0)))
    assert 1.25 <= wait(pool, clock) <= 1.75


def test_when_nobody_knows_the_wait_doubles_until_an_answer(clock: ManualClock) -> None:
    pool = a_pool(clock)
    waits = []
    for _ in range(8):
        pool.refused(started(pool), SILENT)
        waits.append(math.floor(wait(pool, clock)))
        clock.advance(wait(pool, clock))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    pool.answered(started(pool), USED, SILENT)
    clock.advance(wait(pool, clock))
    pool.refused(started(pool), SILENT)
    assert wait(pool, clock) < 2


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -5.0, 0.0])
def test_a_wait_that_is_none_counts_as_none(clock: ManualClock, nonsense: float) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=nonsense))
    assert 1.0 <= wait(pool, clock) <= 1.2


def test_a_bucket_that_the_refusal_shows_full_is_not_cut(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=100))
    warm_up(pool, clock, told(requests=(6000, 5000), input_tokens=(60_000, 30_000)))
    told_now = told(requests=(6000, 4900), input_tokens=(60_000, 0))
    pool.refused(started(pool), Signals(told_now.levels, retry_after=10.0))
    assert level(pool, Bucket.REQUESTS) == pytest.approx(4900)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(1000 - 10 * 1000)


def test_a_model_that_loads_is_asked_again_after_one_to_five_seconds(clock: ManualClock) -> None:
    for asked in (None, 0.1, 3.0, 600.0):
        pool = a_pool(clock)
        pool.loading(started(pool), Signals(retry_after=asked))
        assert 1.0 <= wait(pool, clock) <= 5.0
        assert denied(pool).reason is LimitedBy.LOADING


def test_an_epoch_knows_what_was_sent_before_it() -> None:
    epoch = Epoch()
    assert epoch.is_news(0)
    epoch.begin(newest_seq=3)
    assert [epoch.is_news(seq) for seq in (2, 3, 4)] == [False, False, True]


def test_closing_never_shortens_a_wait() -> None:
    gate = Gate()
    gate.close(10, LimitedBy.OVERLOAD)
    gate.close(5, LimitedBy.RETRY_AFTER)
    assert (gate.until, gate.reason) == (10, LimitedBy.OVERLOAD)


def test_a_larger_head_waits_longer_than_the_typical_call(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(input_tokens=(60_000, 5_000)))
    ready_at = denied(pool, Cost(20_000, 400)).ready_at
    assert ready_at is not None
    assert ready_at - clock.monotonic() == pytest.approx(15.25)
    assert pool.room() > 0


def test_a_second_s_wait_finds_a_bucket_empty_and_not_in_debt(clock: ManualClock) -> None:
    """A wait in whole seconds says "at most one": all that comes in meanwhile is there then."""
    pool = a_known_pool(clock, Limits(1000, 1200))
    clock.advance(5)
    pool.refused(start_all(pool)[-1], Signals(retry_after=1.0))
    assert level(pool, Bucket.REQUESTS) == 0
    clock.advance(1)
    assert level(pool, Bucket.REQUESTS) == pytest.approx(20 * 0.92, abs=2)


def test_a_longer_wait_is_believed_to_the_second(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(1000, 1200))
    clock.advance(5)
    pool.refused(start_all(pool)[-1], Signals(retry_after=3.0))
    assert level(pool, Bucket.REQUESTS) == pytest.approx(1 - 3 * 20, abs=1)


def test_a_person_may_try_before_a_long_wait_is_over(clock: ManualClock) -> None:
    """The debt that the wait made of the bucket goes with it, here and in what is stored."""
    limits = Limits(requests_per_minute=60)
    pool = a_known_pool(clock, limits)
    warm_up(pool, clock)
    assert not pool.open_gate()
    clock.advance(30)
    pool.refused(started(pool), Signals(retry_after=86_400.0))
    stored = pool.state().opened_gate(clock.now_ms())
    assert wait(pool, clock) > 86_000
    assert pool.open_gate()
    for opened in (pool, a_pool(clock, limits, state=stored)):
        assert wait(opened, clock) <= 2
