"""What refusals teach: how much of the limits is ours, how much to spare, how many at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.clock import ManualClock
from gradeq.limiter.base import Bucket, Limits, Signals
from gradeq.limiter.learned import AtOnce, Headroom, RateFactor, Trickle
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState

from .helpers import SILENT, USED, a_known_pool, a_pool, gauge, level, start_all, started, told

NOW = 100.0


def test_nothing_is_learned_before_a_refusal() -> None:
    assert RateFactor().value(NOW) == 1.0


def test_a_cut_takes_eight_percent() -> None:
    factor = RateFactor()
    factor.cut(NOW, None, 0)
    assert factor.value(NOW) == pytest.approx(0.92)


def test_it_comes_back_fast_to_just_below_where_it_failed_and_slowly_from_there() -> None:
    factor = RateFactor()
    factor.cut(NOW, None, 0)
    assert factor.value(NOW + 5) == pytest.approx(0.92 * 1.02)
    assert factor.value(NOW + 15) == pytest.approx(0.97, abs=0.001)
    assert factor.value(NOW + 75) == pytest.approx(0.97 * 1.02, abs=0.002)
    assert factor.value(NOW + 3600) == 1.0


def test_many_calls_between_two_refusals_tell_the_rate() -> None:
    factor = RateFactor()
    factor.cut(NOW, used=0.5, calls=3000)
    assert factor.value(NOW) == pytest.approx(0.5, abs=0.01)


def test_a_few_calls_tell_it_only_roughly() -> None:
    factor = RateFactor()
    factor.cut(NOW, used=0.5, calls=3000)
    factor.cut(NOW, used=0.1, calls=3)
    assert 0.4 < factor.value(NOW) <= 0.46


def test_but_what_was_only_believed_rests_on_fewer_still() -> None:
    factor = RateFactor()
    factor.cut(NOW, used=0.5, calls=9)
    assert 0.5 < factor.value(NOW) < 0.65


def test_failing_twice_at_the_same_place_makes_patient() -> None:
    eager, patient = RateFactor(), RateFactor()
    for factor in (eager, patient):
        factor.cut(NOW, None, 0)
    patient.cut(NOW + 500, None, 0)
    assert patient.patience == 2.0
    after = 75.0
    assert patient.value(NOW + 500 + after) < eager.value(NOW + after)


def test_a_guess_grows_until_something_fails_above_it() -> None:
    factor = RateFactor(ceiling=16.0)
    factor.resume_at(1.0, None, NOW)
    assert factor.value(NOW + 20) == pytest.approx(2.0)
    assert factor.value(NOW + 3600) == 16.0
    factor.cut(NOW + 20, used=1.2, calls=1000)
    assert factor.value(NOW + 20) == pytest.approx(1.2, abs=0.05)
    assert factor.value(NOW + 80) < 1.3


def test_other_limits_make_it_forget() -> None:
    factor = RateFactor()
    factor.cut(NOW, None, 0)
    factor.forget()
    assert factor.value(NOW) == 1.0


@given(
    cuts=st.lists(
        st.tuples(st.floats(0, 600), st.none() | st.floats(0, 3), st.integers(0, 5000)), max_size=20
    ),
    later=st.floats(0, 1e6),
)
def test_it_stays_between_nothing_and_its_ceiling(
    cuts: list[tuple[float, float | None, int]], later: float
) -> None:
    factor, now = RateFactor(), 0.0
    for seconds, used, calls in cuts:
        now += seconds
        before = factor.value(now)
        factor.cut(now, used, calls)
        assert 0 < factor.value(now) <= max(before * 0.93, 1 / 64)
    assert factor.value(now) <= factor.value(now + later) <= 1.0


def test_headroom_doubles_and_is_forgotten() -> None:
    headroom = Headroom()
    assert headroom.seconds(NOW) == 0.25
    for _ in range(9):
        headroom.double(NOW)
    assert headroom.seconds(NOW) == 4.0
    assert headroom.seconds(NOW + 900) == pytest.approx(2.0)
    assert headroom.seconds(NOW + 90_000) == 0.25


def test_calls_at_once_are_tried_out_less_and_less_often() -> None:
    at_once = AtOnce()
    assert at_once.limit(100, NOW) == 100
    at_once.refused(20, NOW)
    assert at_once.limit(100, NOW) == 20
    assert at_once.limit(100, NOW + 120) == 21
    assert at_once.limit(5, NOW) == 5
    at_once.refused(20, NOW + 120)
    assert at_once.limit(100, NOW + 241) == 20
    assert at_once.limit(100, NOW + 360) == 21


def test_the_longer_no_call_at_once_is_refused_the_more_are_tried() -> None:
    at_once = AtOnce()
    at_once.refused(1, NOW)
    seen = [at_once.limit(100, NOW + 120 * tries) for tries in range(8)]
    assert seen == [1, 2, 4, 8, 16, 32, 64, 100]


def test_a_call_that_is_refused_alone_tells_nothing_of_calls_at_once() -> None:
    at_once = AtOnce()
    at_once.refused(0, NOW)
    assert at_once.most is None


def test_calls_sent_together_tell_how_many_were_taken() -> None:
    at_once = AtOnce()
    at_once.refused(11, NOW)
    for late in (0.05, 0.1, 0.4):
        at_once.also_refused(NOW + late)
    assert at_once.limit(100, NOW + 0.5) == 8
    at_once.also_refused(NOW + 5)
    assert at_once.limit(100, NOW + 5) == 8


# In a pool ------------------------------------------------------------------------------------


def answer_all(pool: Pool, clock: ManualClock, seconds: float) -> int:
    """Start whatever may start, ten times a second, and answer it; how many."""
    count = 0
    for _ in range(round(seconds * 10)):
        for permit in start_all(pool):
            pool.answered(permit, USED, SILENT)
            count += 1
        clock.advance(0.1)
    return count


def test_where_nothing_tells_a_level_an_answer_shows_that_there_is_some(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(100, 600, 60_000, 24_000))
    pool.answered(started(pool), USED, SILENT)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(59_000)
    assert level(pool, Bucket.OUTPUT_TOKENS) == pytest.approx(23_600)
    assert level(pool, Bucket.REQUESTS) == pytest.approx(599)


def test_a_pool_that_knows_its_levels_assumes_none(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(100, 600, 60_000))
    clock.advance(2)
    pool.answered(started(pool), USED, SILENT)
    assert level(pool, Bucket.INPUT_TOKENS) == pytest.approx(1000)


def test_the_first_refusal_tells_a_level_the_second_a_rate(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(100, 600))
    answer_all(pool, clock, 30)
    pool.refused(started(pool), Signals(retry_after=1.0))
    assert pool.state().learned_factor == 1.0
    clock.advance(2)
    answer_all(pool, clock, 30)
    pool.refused(started(pool), Signals(retry_after=1.0))
    assert pool.state().learned_factor == pytest.approx(0.92, abs=0.02)


def test_without_any_limit_refusals_show_one(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(1000))
    for _ in range(300):
        pool.answered(started(pool), USED, SILENT)
        clock.advance(0.1)
    pool.refused(started(pool), Signals(retry_after=1.0))
    assert gauge(pool, Bucket.REQUESTS).limit == pytest.approx(600, rel=0.05)
    again = a_pool(clock, Limits(1000), state=PoolState.from_dict(pool.state().to_dict()))
    assert again.state().is_guessed


def test_a_limit_that_is_told_replaces_the_guess(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(1000))
    for _ in range(300):
        pool.answered(started(pool), USED, SILENT)
        clock.advance(0.1)
    pool.refused(started(pool), Signals(retry_after=1.0))
    clock.advance(5)
    pool.answered(started(pool), USED, told(requests=(1000, 900)))
    assert gauge(pool, Bucket.REQUESTS).limit == 1000
    assert not pool.state().is_guessed


def test_calls_at_once_are_learned_where_the_refusal_shows_full_buckets(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(100, 600))
    pool.answered(started(pool), USED, told(requests=(600, 599)))
    for _ in range(2):
        clock.advance(3)
        permits = start_all(pool)
        pool.refused(permits[-1], Signals(told(requests=(600, 580)).levels, retry_after=1.0))
    state = pool.state()
    assert state.short_window
    assert state.most_at_once == pool.in_flight
    again = a_pool(clock, Limits(100, 600), state=PoolState.from_dict(state.to_dict()))
    assert again.reading().concurrency == state.most_at_once


def test_what_was_learned_survives_a_restart(clock: ManualClock) -> None:
    pool = a_known_pool(clock, Limits(100, 600))
    for _ in range(4):
        answer_all(pool, clock, 30)
        pool.refused(started(pool), Signals(retry_after=1.0))
        clock.advance(3)
    stored = PoolState.from_dict(pool.state().to_dict())
    again = a_pool(clock, Limits(100, 600), state=stored)
    assert stored.learned_factor < 0.95
    assert again.state().learned_factor == pytest.approx(stored.learned_factor)
    assert again.state().headroom_seconds == pytest.approx(stored.headroom_seconds)
    assert stored.headroom_seconds > 0.5


def test_headroom_is_no_answer_to_a_limit_that_is_not_known_yet(clock: ManualClock) -> None:
    """The first refusals tell the rate; what comes in spite of it is other people's bursts."""
    pool = a_known_pool(clock, Limits(100, 600))
    seen = []
    for _ in range(4):
        answer_all(pool, clock, 30)
        pool.refused(started(pool), Signals(retry_after=1.0))
        seen.append(pool.state().headroom_seconds)
        clock.advance(3)
    assert seen[0] == 0.25
    assert seen[-1] > 0.4


def test_what_trickles_through_between_two_refusals_is_the_rate() -> None:
    trickle = Trickle()
    trickle.answered(0)
    assert trickle.rate(NOW) is None
    trickle.refused(newest_seq=4, now=NOW)
    trickle.refused(newest_seq=5, now=NOW + 10)
    for seq in (3, 4, 5, 6):
        trickle.answered(seq)
    assert trickle.rate(NOW + 20) is None
    trickle.answered(7)
    assert trickle.rate(NOW + 30) == pytest.approx(0.1)
