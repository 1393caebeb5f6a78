"""What responses tell of the provider's buckets, through a pool."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, Level, LimitedBy, Limits, Signals, Usage
from gradeq.limiter.permit import NeverFits, Permit

from .helpers import (
    CALL,
    SILENT,
    USED,
    a_pool,
    denied,
    gauge,
    level,
    start_all,
    started,
    told,
    warm_up,
)

PLENTY = told(requests=(6000, 5000), input_tokens=(600_000, 500_000))


def test_a_limit_that_nobody_configured_is_learned(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(requests=(50, 40)))
    assert gauge(pool, Bucket.REQUESTS).limit == 50
    assert level(pool, Bucket.REQUESTS) == 40


def test_a_told_limit_replaces_a_higher_configured_one(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=1000))
    warm_up(pool, clock, told(requests=(50, 40)))
    assert gauge(pool, Bucket.REQUESTS).limit == 50


def test_a_lower_configured_limit_stays_and_is_not_refilled_by_responses(
    clock: ManualClock,
) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=60))
    warm_up(pool, clock, told(requests=(1000, 990)))
    assert gauge(pool, Bucket.REQUESTS).limit == 60
    assert level(pool, Bucket.REQUESTS) < 2


def test_a_lower_configured_limit_still_hears_that_the_provider_has_less(
    clock: ManualClock,
) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=60))
    warm_up(pool, clock, told(requests=(1000, 990)))
    clock.advance(30)
    warm_up(pool, clock, told(requests=(1000, 3)))
    assert level(pool, Bucket.REQUESTS) == 3


@pytest.mark.parametrize(
    "nonsense",
    [
        Level(Bucket.REQUESTS, -1, -1),
        Level(Bucket.REQUESTS, 0, 0),
        Level(Bucket.REQUESTS, 0, 10),
        Level(Bucket.REQUESTS, 1e-9, 10),
        Level(Bucket.REQUESTS, None, 10),
        Level(Bucket.REQUESTS, None, None),
    ],
)
def test_a_limit_of_nothing_is_no_limit(clock: ManualClock, nonsense: Level) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, Signals((nonsense,)))
    assert pool.reading().levels == ()
    assert pool.room() == 5


def test_a_negative_remainder_is_ignored_but_its_limit_is_not(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(requests=(60, 50)))
    warm_up(pool, clock, told(requests=(120, -1)))
    assert gauge(pool, Bucket.REQUESTS).limit == 120
    assert 49 <= level(pool, Bucket.REQUESTS) <= 52


def test_an_empty_bucket_is_believed(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(requests=(60, 50)))
    warm_up(pool, clock, told(requests=(60, 0)))
    assert level(pool, Bucket.REQUESTS) == 0


def test_rounded_remainders_count_for_the_least_they_can_mean(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(
        pool,
        clock,
        Signals((Level(Bucket.INPUT_TOKENS, 30_000, 12_000, rounding=1000),)),
    )
    assert level(pool, Bucket.INPUT_TOKENS) == 11_500


def test_a_response_older_than_the_last_is_ignored(clock: ManualClock) -> None:
    pool = a_pool(clock)
    older, newer = started(pool), started(pool)
    pool.answered(newer, USED, told(requests=(60, 20)))
    pool.answered(older, USED, told(requests=(60, 59)))
    assert level(pool, Bucket.REQUESTS) == 20


def test_calls_sent_after_the_response_s_own_may_not_be_in_its_figure(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=20))
    asked = started(pool)
    for _ in range(10):
        started(pool)
    pool.answered(asked, USED, told(requests=(60, 59), input_tokens=(100_000, 90_000)))
    assert level(pool, Bucket.REQUESTS) == 49
    assert level(pool, Bucket.INPUT_TOKENS) == 80_000


def test_what_refilled_since_makes_up_for_them(clock: ManualClock) -> None:
    """Calls as fast as the bucket refills leave the figure as it is, but for the last one."""
    pool = a_pool(clock, Limits(concurrency=50))
    warm_up(pool, clock, told(requests=(60, 30)))
    clock.advance(1)
    asked = started(pool)
    for _ in range(20):
        clock.advance(1)
        started(pool)
    pool.answered(asked, USED, told(requests=(60, 30)))
    assert level(pool, Bucket.REQUESTS) == pytest.approx(29, abs=0.01)


def test_output_in_flight_is_in_no_figure(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=20))
    warm_up(pool, clock, told(output_tokens=(8000, 8000)))
    earlier = [started(pool) for _ in range(4)]
    clock.advance(10)
    asked = started(pool)
    clock.advance(10)
    pool.answered(asked, USED, told(output_tokens=(8000, 7000)))
    assert level(pool, Bucket.OUTPUT_TOKENS) == pytest.approx(7000 - 4 * 400)
    before = level(pool, Bucket.OUTPUT_TOKENS)
    pool.answered(earlier[0], Usage(1000, 100), SILENT)
    assert level(pool, Bucket.OUTPUT_TOKENS) == pytest.approx(before + 300)


def test_output_that_ended_since_may_not_be_in_it_either(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=20))
    warm_up(pool, clock, told(output_tokens=(6000, 6000)))
    asked = started(pool)
    for _ in range(5):
        warm_up(pool, clock)
    pool.answered(asked, USED, told(output_tokens=(6000, 5000)))
    ended, refilled = 6 * 400, 5 * 100
    assert level(pool, Bucket.OUTPUT_TOKENS) == pytest.approx(5000 - (ended - refilled))


def test_an_input_surprise_that_a_response_has_shown_is_not_charged_again(
    clock: ManualClock,
) -> None:
    pool = a_pool(clock)
    earlier, later = started(pool), started(pool)
    pool.answered(later, USED, told(input_tokens=(100_000, 50_000)))
    pool.answered(earlier, Usage(1900, 400), SILENT)
    assert level(pool, Bucket.INPUT_TOKENS) == 50_000


def test_without_figures_a_call_settles_at_what_it_used(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(input_tokens=(100_000, 50_000)))
    permit = started(pool)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(49_000)
    pool.answered(permit, Usage(1900, 400), SILENT)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(48_100)


def test_a_call_without_counted_usage_keeps_its_reservation(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, told(input_tokens=(100_000, 50_000)))
    pool.answered(started(pool), Usage(), SILENT)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(49_000)


def test_a_daily_limit_neither_paces_nor_is_cut_by_a_short_refusal(clock: ManualClock) -> None:
    daily = Level(Bucket.REQUESTS, 14_400, 14_000, per_seconds=86_400)
    pool = a_pool(clock, Limits(concurrency=100))
    warm_up(pool, clock, Signals((daily,)))
    permits = start_all(pool)
    assert len(permits) == 100
    pool.refused(permits.pop(), Signals(retry_after=2.0))
    clock.advance(3)
    assert pool.room() == 1
    assert gauge(pool, Bucket.REQUESTS, 86_400).level == pytest.approx(13_900, abs=1)


def test_a_spent_daily_limit_holds_back(clock: ManualClock) -> None:
    pool = a_pool(clock)
    daily = Level(Bucket.REQUESTS, 14_400, 0, per_seconds=86_400)
    warm_up(pool, clock, Signals((daily,)))
    assert denied(pool).reason is LimitedBy.REQUESTS


def test_the_combined_bucket_of_openai_holds_back(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=50, reserves_output=True))
    warm_up(pool, clock, told(tokens=(20_000, 9000)))
    assert len(start_all(pool)) == 4
    assert denied(pool).reason is LimitedBy.TOKENS


def test_what_can_never_fit_is_refused_at_once_with_the_numbers(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(input_tokens_per_minute=10_000))
    with pytest.raises(NeverFits, match=r"12,000 input tokens.*10,000") as raised:
        pool.acquire(Cost(12_000, 100))
    assert raised.value.bucket is Bucket.INPUT_TOKENS
    assert pool.in_flight == 0


def test_what_fits_exactly_waits_for_a_full_bucket_and_is_sent(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(input_tokens_per_minute=10_000))
    warm_up(pool, clock)
    largest = Cost(10_000, 100)
    ready_at = denied(pool, largest).ready_at
    assert ready_at is not None
    clock.advance(ready_at - clock.monotonic())
    assert isinstance(pool.acquire(largest), Permit)


def test_a_learned_scale_decides_what_fits(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(input_tokens_per_minute=10_000))
    permit = started(pool, Cost(3000, 400))
    pool.answered(permit, Usage(6000, 400), SILENT)
    with pytest.raises(NeverFits):
        pool.acquire(Cost(6000, 400))


def test_a_raised_limit_takes_effect(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=500))
    warm_up(pool, clock, told(requests=(60, 2)))
    start_all(pool)
    clock.advance(5)
    warm_up(pool, clock, told(requests=(6000, 5900)))
    clock.advance(1)
    assert pool.room() == 100


def test_everything_that_a_response_tells_is_one_call_s_cost_away(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=9))
    warm_up(pool, clock, PLENTY)
    clock.advance(2)
    assert pool.room() == 9
    assert pool.acquire(CALL)
    assert pool.room() == 8


def test_a_limit_that_the_answer_itself_disproves_is_not_believed(clock: ManualClock) -> None:
    """Else a header that means something else would fail every paper as one that never fits."""
    pool = a_pool(clock, Limits())
    pool.answered(started(pool), USED, told(tokens=(5, 5), requests=(60, 50)))
    assert [each.bucket for each in pool.reading().levels] == [Bucket.REQUESTS]
    pool.refused(started(pool), told(tokens=(900, 800)))
    with pytest.raises(NeverFits):
        pool.acquire(CALL)
