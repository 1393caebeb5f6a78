from __future__ import annotations

import json
import math

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Cost, Level, LimitedBy, Limits, Signals, Usage
from gradeq.limiter.reading import Hour, Minute, Reading, Tally

from .helpers import SILENT, USED, a_pool, start_all, started, told, warm_up


def test_an_idle_pool_is_limited_by_nothing(clock: ManualClock) -> None:
    reading = a_pool(clock).reading()
    assert reading.limited_by is LimitedBy.NOTHING
    assert reading.text == "nothing: 0 in flight, 5 more could start"


def test_full_slots_read_as_concurrency_and_name_what_the_rate_would_need(
    clock: ManualClock,
) -> None:
    """1000 requests a minute at 5 s a call keep about 84 calls in flight (Little's law)."""
    pool = a_pool(clock)
    warm_up(pool, clock, told(requests=(1000, 900)), seconds=5.0)
    clock.advance(1)
    start_all(pool)
    reading = pool.reading()
    assert reading.limited_by is LimitedBy.CONCURRENCY
    assert reading.concurrency_needed == 84
    assert reading.text == "concurrency: 5 of 5 in flight; the provider allows about 84"


def test_concurrency_that_suffices_is_not_called_too_low(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=2))
    warm_up(pool, clock, told(requests=(600, 500)), seconds=0.1)
    clock.advance(2)
    start_all(pool)
    assert pool.reading().text == "concurrency: 2 of 2 in flight"


def test_without_limits_nobody_knows_what_would_suffice(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock)
    start_all(pool)
    assert pool.reading().concurrency_needed is None
    assert pool.reading().text == "concurrency: 5 of 5 in flight"


def test_a_drained_bucket_is_named_with_what_was_used(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=200))
    signals = told(output_tokens=(8000, 8000))
    for _ in range(17):
        warm_up(pool, clock, signals, seconds=2.0)
    permit = started(pool)
    pool.answered(permit, Usage(1000, 1190), told(output_tokens=(8000, 0)))
    reading = pool.reading()
    assert reading.limited_by is LimitedBy.OUTPUT_TOKENS
    assert reading.text == "output tokens: 7,990 of 8,000/min used; 1 in flight would suffice"


def test_a_gate_tells_how_long_it_lasts(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=12.0))
    reading = pool.reading()
    assert reading.text == "rate limit: the provider asked to wait, 12 s left"
    assert 12.0 <= reading.wait_seconds <= 12.2


def test_an_overload_tells_when_the_next_try_is(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.overloaded(started(pool), Signals(retry_after=7.0))
    expected = "overload: the provider is overloaded or down, next try in 7 s"
    assert pool.reading().text == expected
    clock.advance(7)
    started(pool)
    expected = "overload: the provider is overloaded or down, 1 of 1 in flight"
    assert pool.reading().text == expected


def test_a_parking_tells_why_and_until_when(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("daily quota is spent", clock.now_ms() + 3_600_000)
    assert pool.reading().text == "parked: daily quota is spent (1 h 00 min left)"
    pool.park("stopped by the operator")
    reading = pool.reading()
    assert reading.text == "parked: stopped by the operator (until resumed)"
    assert math.isinf(reading.wait_seconds)


def test_a_limit_per_day_is_not_shown_as_one_per_minute(clock: ManualClock) -> None:
    pool = a_pool(clock)
    warm_up(pool, clock, Signals((Level(Bucket.REQUESTS, 14_400, 0, per_seconds=86_400),)))
    assert pool.reading().text.startswith("requests: 0 of 14,400 per 86400 s left")


def test_a_slow_down_without_limits_has_words_too(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=0.001), slow_down=True)
    clock.advance(0.5)
    start_all(pool)
    assert pool.reading().text == "requests: slowed down"


def test_the_last_minute_is_counted(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.answered(started(pool), USED, SILENT)
    pool.refused(started(pool), Signals(retry_after=1.0))
    last = pool.reading().last_minute
    assert (last.requests, last.refused) == (2, 1)
    assert (last.input_tokens, last.output_tokens) == (1000, 400)
    assert last.used(Bucket.TOKENS) == 1400
    clock.advance(61)
    last = pool.reading().last_minute
    assert (last.requests, last.refused, last.input_tokens) == (0, 0, 0)


def test_it_adds_up_how_long_each_cause_held_calls_back(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=1))
    permit = started(pool)
    pool.room()
    clock.advance(20)
    pool.answered(permit, USED, SILENT)
    pool.room()
    pool.refused(started(pool), Signals(retry_after=8.0))
    pool.room()
    clock.advance(6)
    limited = pool.reading().limited_for
    assert limited[LimitedBy.CONCURRENCY] == pytest.approx(20)
    assert limited[LimitedBy.RETRY_AFTER] == pytest.approx(6)


def test_refusals_of_the_last_hour_and_since_the_start(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for _ in range(3):
        pool.refused(started(pool), Signals(retry_after=1.0))
        clock.advance(1200)
    reading = pool.reading()
    assert (reading.refused_last_hour, reading.refused_total, reading.requests_total) == (2, 3, 3)
    clock.advance(3600)
    reading = pool.reading()
    assert (reading.refused_last_hour, reading.refused_total) == (0, 3)


def test_an_hour_slides_by_minutes() -> None:
    hour = Hour()
    for minute in range(120):
        hour.count(minute * 60.0)
    assert hour.read(119 * 60) == 60
    assert hour.read(149 * 60) == 30
    assert hour.read(1e6) == 0


def test_a_concurrency_that_is_found_says_so(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=5, auto=True))
    warm_up(pool, clock)
    start_all(pool)
    assert pool.reading().is_auto
    assert pool.reading().text == "concurrency: 5 of 5 (auto) in flight"
    assert not a_pool(clock).reading().is_auto


def test_the_open_work_is_done_at_the_pace_of_the_last_minute(clock: ManualClock) -> None:
    pool = a_pool(clock)
    assert pool.reading().eta_seconds(10) is None
    for _ in range(10):
        warm_up(pool, clock, seconds=2.0)
    assert pool.reading().eta_seconds(30) == pytest.approx(60, rel=0.1)
    for _ in range(20):
        pool.failed(started(pool), keep_tokens=False)
    assert pool.reading().eta_seconds(30) == pytest.approx(60, rel=0.1), "failures are no pace"
    pool.refused(started(pool), Signals(retry_after=100.0))
    assert pool.reading().eta_seconds(30) == pytest.approx(160, rel=0.1)
    pool.park("stopped by the operator")
    assert pool.reading().eta_seconds(30) is None


def test_a_burst_is_no_pace(clock: ManualClock) -> None:
    """20 calls at once from a full bucket; the others come as it is filled, 20 a minute."""
    pool = a_pool(clock, Limits(concurrency=20, output_tokens_per_minute=8000))
    clock.advance(60)
    for permit in start_all(pool):
        pool.answered(permit, USED, SILENT)
    clock.advance(1)
    answered = pool.reading().last_minute.answered
    assert answered > 15
    assert pool.reading().eta_seconds(40) == pytest.approx(120, rel=0.1)
    assert pool.reading().eta_seconds(0) == 0


def test_a_reading_is_the_same_after_json(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(concurrency=3, output_tokens_per_minute=8000))
    warm_up(pool, clock, told(requests=(1000, 900)))
    for park in (False, True):
        if park:
            pool.park("stopped by the operator")
        reading = pool.reading()
        stored = json.loads(json.dumps(reading.to_dict()))
        assert Reading.from_dict({**stored, "from_the_future": 1}) == reading
        assert Reading.from_dict(stored).text == reading.text


@pytest.mark.parametrize("spoilt", [{}, {"limited_by": "coffee"}, {"wait_seconds": "long"}])
def test_a_spoilt_reading_is_an_error(clock: ManualClock, spoilt: dict[str, object]) -> None:
    stored = {**a_pool(clock).reading().to_dict(), **spoilt} if spoilt else {}
    with pytest.raises(ValueError, match=r"."):
        Reading.from_dict(stored)


def test_a_stored_reading_grows_old(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.refused(started(pool), Signals(retry_after=100.0))
    reading = pool.reading()
    clock.advance(40)
    aged = reading.aged(clock.now_ms())
    assert aged.seconds_old(clock.now_ms()) == 40
    assert aged.text == "rate limit: the provider asked to wait, 60 s left"
    assert aged.last_minute == reading.last_minute
    clock.advance(1000)
    aged = reading.aged(clock.now_ms())
    assert (aged.wait_seconds, aged.last_minute.requests) == (0, 0)
    assert reading.aged(reading.at_ms - 5000) == reading, "a wall clock that was set back"


def test_a_minute_slides(clock: ManualClock) -> None:
    minute = Minute(0)
    for second in range(200):
        minute.count(second + 0.5, requests=1)
    assert minute.read(199.5).requests == 60
    assert minute.read(230.5).requests == 29
    assert minute.read(1000).requests == 0


def test_a_rate_over_the_first_seconds_is_not_diluted() -> None:
    minute = Minute(100.0)
    for tenth in range(50):
        minute.count(100 + tenth / 10, requests=1)
    assert minute.requests_per_second(105) == 10


def test_a_call_taken_back_later_than_it_was_counted_leaves_no_debt() -> None:
    minute = Minute(0)
    minute.count(0, requests=1)
    minute.count(50, requests=-1)
    assert minute.read(70).requests == 0
    assert minute.requests_per_second(70) == 1 / 60


def test_a_tally_counts_up_to_the_present() -> None:
    tally = Tally(0)
    tally.note(LimitedBy.REQUESTS, 2)
    assert tally.seconds(5) == {LimitedBy.NOTHING: 2, LimitedBy.REQUESTS: 3}


def test_little_s_law_takes_the_scarcest_bucket(clock: ManualClock) -> None:
    pool = a_pool(clock)
    permit = started(pool, Cost(1000, 400, 1024))
    clock.advance(6)
    pool.answered(permit, USED, told(requests=(1000, 999), output_tokens=(8000, 7600)))
    assert pool.reading().concurrency_needed == 2
