"""What outlives a process."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, LimitedBy, Limits, Signals
from gradeq.limiter.permit import Permit
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import BucketState, PoolState, Setup, outdated

from .helpers import SILENT, USED, a_pool, gauge, level, start_all, started, told, wait, warm_up

WIDE = Limits(concurrency=100)
HOUR_MS = 3_600_000


def restarted(pool: Pool, clock: ManualClock, limits: Limits = WIDE) -> Pool:
    """Another process reads what this one has stored."""
    stored = json.loads(json.dumps(pool.state().to_dict()))
    return a_pool(clock, limits, state=PoolState.from_dict(stored))


def a_busy_pool(clock: ManualClock) -> Pool:
    pool = a_pool(clock, WIDE)
    warm_up(pool, clock, told(requests=(600, 100), input_tokens=(60_000, 20_000)))
    return pool


def test_it_is_the_same_after_json(clock: ManualClock) -> None:
    pool = a_busy_pool(clock)
    pool.refused(started(pool), Signals(retry_after=5.0), slow_down=True)
    pool.overloaded(started_soon(pool, clock), SILENT)
    pool.park("daily quota is spent", clock.now_ms() + HOUR_MS)
    state = pool.state()
    assert PoolState.from_dict(json.loads(json.dumps(state.to_dict()))) == state


def started_soon(pool: Pool, clock: ManualClock) -> Permit:
    clock.advance(wait(pool, clock))
    return started(pool)


def test_levels_and_learned_limits_come_back(clock: ManualClock) -> None:
    pool = a_busy_pool(clock)
    again = restarted(pool, clock)
    assert gauge(again, Bucket.REQUESTS).limit == 600
    for bucket in (Bucket.REQUESTS, Bucket.INPUT_TOKENS):
        assert level(again, bucket) == pytest.approx(level(pool, bucket), rel=1e-3)
        assert level(again, bucket) <= level(pool, bucket)


def test_what_was_in_flight_counts_as_spent(clock: ManualClock) -> None:
    pool = a_busy_pool(clock)
    clock.advance(1)
    calls = len(start_all(pool))
    assert calls == 10
    again = restarted(pool, clock)
    assert again.in_flight == 0
    assert level(again, Bucket.INPUT_TOKENS) == pytest.approx(21_000 - 10_000, abs=2)


def test_the_time_in_between_refills(clock: ManualClock) -> None:
    stored = a_busy_pool(clock).state()
    clock.advance(10)
    again = a_pool(clock, WIDE, state=stored)
    assert level(again, Bucket.REQUESTS) == pytest.approx(200, abs=0.1)
    clock.advance(1000)
    assert level(a_pool(clock, WIDE, state=stored), Bucket.REQUESTS) == 600


def test_a_restart_does_not_burst(clock: ManualClock) -> None:
    again = restarted(a_busy_pool(clock), clock)
    assert again.room() == 1
    assert len(start_all(again)) == 1


def test_a_clock_set_back_neither_bursts_nor_locks(clock: ManualClock) -> None:
    pool = a_busy_pool(clock)
    pool.refused(started(pool), Signals(retry_after=5.0))
    stored = pool.state()
    earlier = ManualClock(start_ms=stored.at_ms - 24 * HOUR_MS)
    again = a_pool(earlier, WIDE, state=stored)
    assert level(again, Bucket.REQUESTS) <= level(pool, Bucket.REQUESTS)
    assert 5.0 <= wait(again, earlier) <= 6.0
    earlier.advance(wait(again, earlier))
    assert started(again)


def test_a_gate_stays_closed_for_the_rest_of_its_time(clock: ManualClock) -> None:
    pool = a_pool(clock, WIDE)
    pool.refused(started(pool), Signals(retry_after=60.0))
    stored = pool.state()
    clock.advance(20)
    again = a_pool(clock, WIDE, state=stored)
    assert 40 <= wait(again, clock) <= 40.3
    assert again.reading().limited_by is LimitedBy.RETRY_AFTER


def test_an_outage_goes_on_with_a_probe(clock: ManualClock) -> None:
    pool = a_pool(clock, WIDE)
    for permit in start_all(pool):
        pool.overloaded(permit, SILENT)
    again = restarted(pool, clock)
    assert 1 <= wait(again, clock) <= 2.1
    clock.advance(wait(again, clock))
    assert again.room() == 1
    again.answered(started(again), USED, SILENT)
    assert again.room() == 50


def test_a_slow_down_goes_on_where_it_was(clock: ManualClock) -> None:
    pool = a_pool(clock, WIDE)
    for _ in range(60):
        pool.answered(started(pool), USED, SILENT)
        clock.advance(1)
    pool.refused(started(pool), SILENT, slow_down=True)
    again = restarted(pool, clock)
    assert again.state().rate_factor == pytest.approx(0.5)
    assert again.state().full_rate == pool.state().full_rate
    clock.advance(60)
    assert again.state().rate_factor == pytest.approx(0.75)


def test_a_parking_stays(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("stopped by the operator")
    again = restarted(pool, clock)
    assert (again.room(), again.ready_at()) == (0, None)
    assert again.reading().parked_reason == "stopped by the operator"


def test_a_parking_until_a_date_ends_at_that_date(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("daily quota is spent", clock.now_ms() + HOUR_MS)
    stored = pool.state()
    clock.advance(1800)
    assert wait(a_pool(clock, state=stored), clock) == pytest.approx(1800)
    clock.advance(1801)
    assert a_pool(clock, state=stored).room() == 5


def test_a_parking_knows_what_it_is_the_fault_of(clock: ManualClock) -> None:
    pool = a_pool(clock, park_after=1, setup=Setup(("claude",), "as-it-was"))
    pool.unmendable(started(pool), "the key was refused", cause="bad_key")
    again = restarted(pool, clock)
    state = again.state()
    assert (state.parked_cause, again.reading().parked_cause) == ("bad_key", "bad_key")
    assert (state.parked_for, state.is_parked(clock.now_ms())) == ("as-it-was", True)
    assert pool.state().providers == ("claude",)
    assert (state.unparked().parked_for, state.unparked().parked_cause) == (None, None)
    assert not state.unparked().is_parked(clock.now_ms())


def parked(*providers: str, setup: str | None = "as-it-was") -> PoolState:
    return PoolState(1, parked_reason="why", parked_for=setup, providers=providers)


@pytest.mark.parametrize(
    ("state", "setups", "is_outdated"),
    [
        (parked("claude"), {"pool": Setup(("claude",), "as-it-was")}, False),
        (parked("claude"), {"pool": Setup(("claude",), "changed")}, True),
        (parked("claude"), {"another": Setup(("claude",), "changed")}, True),
        (parked("claude"), {"another": Setup(("school",), "as-it-was")}, False),
        (parked("claude"), {}, False),
        (parked("claude", setup=None), {"pool": Setup(("claude",), "changed")}, False),
        (parked(), {"another": Setup(("claude",), "x")}, False),
    ],
    ids=[
        "same setup",
        "another setup of the same pool",
        "the provider has another key",
        "another provider is used today",
        "no provider is used today",
        "a person's stop",
        "nobody's",
    ],
)
def test_a_parking_ends_with_the_setup_that_it_is_the_fault_of(
    state: PoolState, setups: dict[str, Setup], is_outdated: bool
) -> None:
    assert outdated({"pool": state}, setups) == (["pool"] if is_outdated else [])


# Sleep: the wall clock and the monotonic one go apart ------------------------------------------


class TwoClocks(ManualClock):
    """A wall clock that can be moved by itself, as by a sleeping laptop or by a person."""

    jump_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jump_ms


def a_pool_in_trouble(clock: ManualClock, retry_after: float) -> Pool:
    """Gate closed, bucket drained, an outage, calls on their way."""
    pool = a_busy_pool(clock)
    clock.advance(1)
    first, second, *_ = start_all(pool)
    pool.overloaded(first, SILENT)
    pool.refused(second, Signals(retry_after=retry_after))
    return pool


JUMPS = st.integers(-30 * 24 * HOUR_MS, 30 * 24 * HOUR_MS)


@given(jump_ms=JUMPS, retry_after=st.floats(1, 7200))
def test_a_process_that_slept_neither_bursts_nor_forgets(jump_ms: int, retry_after: float) -> None:
    clock = TwoClocks()
    pool = a_pool_in_trouble(clock, retry_after)
    before = pool.reading()
    clock.jump_ms = jump_ms
    after = pool.reading()
    assert (after.limited_by, after.room) == (before.limited_by, 0)
    assert after.wait_seconds == pytest.approx(before.wait_seconds)
    assert [one.level for one in after.levels] == [one.level for one in before.levels]


@given(jump_ms=JUMPS, retry_after=st.floats(1, 7200), later=st.floats(0, 7200))
def test_what_a_process_stores_after_a_sleep_says_the_same(
    jump_ms: int, retry_after: float, later: float
) -> None:
    """Killed `later` seconds after it woke up, and started again at once."""
    clock = TwoClocks()
    pool = a_pool_in_trouble(clock, retry_after)
    clock.jump_ms = jump_ms
    clock.advance(later)
    again = restarted(pool, clock)
    left = pool.reading().wait_seconds
    assert left <= again.reading().wait_seconds <= left + 0.002
    for bucket in (Bucket.REQUESTS, Bucket.INPUT_TOKENS):
        assert level(again, bucket) <= level(pool, bucket)
        assert level(again, bucket) == pytest.approx(level(pool, bucket), rel=1e-3, abs=2)
    assert again.state().breaker_cap == pool.state().breaker_cap


@given(asleep=st.floats(0, 30 * 86_400), retry_after=st.floats(1, 7200))
def test_a_start_after_a_sleep_takes_the_sleep_as_time_that_passed(
    asleep: float, retry_after: float
) -> None:
    """The monotonic clock stood still, or began anew with the machine."""
    clock = TwoClocks()
    pool = a_pool_in_trouble(clock, retry_after)
    left = pool.reading().wait_seconds
    stored = pool.state()
    clock.jump_ms = round(asleep * 1000)
    again = a_pool(clock, WIDE, state=stored)
    wait = again.reading().wait_seconds
    assert wait == pytest.approx(max(0.0, left - asleep), abs=0.002)
    full = gauge(again, Bucket.INPUT_TOKENS)
    assert full.level <= full.limit


@given(back_ms=st.integers(0, 30 * 24 * HOUR_MS), retry_after=st.floats(1, 7200))
def test_a_start_with_a_clock_set_back_waits_no_longer_than_the_whole_wait(
    back_ms: int, retry_after: float
) -> None:
    clock = TwoClocks()
    pool = a_pool_in_trouble(clock, retry_after)
    left = pool.reading().wait_seconds
    stored = pool.state()
    clock.jump_ms = -back_ms
    again = a_pool(clock, WIDE, state=stored)
    assert left <= again.reading().wait_seconds <= left + 0.002
    clock.advance(again.reading().wait_seconds)
    assert again.reading().wait_seconds == 0


def test_a_limit_lowered_in_the_configuration_holds_at_once(clock: ManualClock) -> None:
    stored = a_busy_pool(clock).state()
    lower = a_pool(clock, Limits(concurrency=100, requests_per_minute=30), state=stored)
    assert gauge(lower, Bucket.REQUESTS).limit == 30
    assert level(lower, Bucket.REQUESTS) == 30


def test_a_limit_no_longer_configured_is_gone_unless_it_was_learned(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(requests_per_minute=60))
    assert a_pool(clock, state=pool.state()).reading().levels == ()
    warm_up(pool, clock, told(requests=(1000, 900)))
    assert gauge(a_pool(clock, state=pool.state()), Bucket.REQUESTS).limit == 1000


def test_a_daily_limit_comes_back_as_one(clock: ManualClock) -> None:
    daily = BucketState(Bucket.REQUESTS, 14_400, clock.now_ms(), 86_400, 14_400)
    pool = a_pool(clock, state=PoolState(clock.now_ms(), buckets=(daily,)))
    assert gauge(pool, Bucket.REQUESTS, 86_400).level == 14_400
    assert pool.room() == 5


def test_a_state_of_an_older_version_is_read(clock: ManualClock) -> None:
    state = PoolState.from_dict({"at_ms": clock.now_ms(), "from_the_future": 1})
    assert state == PoolState(clock.now_ms())
    assert a_pool(clock, state=state).room() == 5


@pytest.mark.parametrize(
    "spoilt",
    [
        {},
        {"at_ms": "yesterday"},
        {"at_ms": 1, "rate_factor": 0.0},
        {"at_ms": 1, "breaker_cap": 0},
        {"at_ms": 1, "buckets": [{"bucket": "coffee", "limit": 1, "full_at_ms": 1}]},
        {"at_ms": 1, "buckets": [{"bucket": "requests", "limit": -1, "full_at_ms": 1}]},
    ],
)
def test_a_spoilt_state_is_an_error(spoilt: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        PoolState.from_dict(spoilt)
