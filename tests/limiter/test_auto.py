"""`concurrency = "auto"`: Little's law where a rate is known, the knee where none is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.clock import ManualClock
from gradeq.limiter.auto import Knee, Wanted, needed_for
from gradeq.limiter.base import Limits
from gradeq.limiter.state import PoolState

from .helpers import SILENT, USED, a_pool, start_all, started, told


def work_off(knee: Knee, slots: int, answers: int, seconds: float = 4.0, now: float = 0.0) -> float:
    """A server with so many slots; what the knee's level gives it, answer by answer."""
    for _ in range(answers):
        now += seconds / min(knee.level, slots)
        knee.answered(100.0, knee.level, now)
    return now


def test_little_s_law_with_headroom() -> None:
    assert needed_for(1000 / 60, 5.0) == 1 + 105
    assert needed_for(0.001, 1.0) == 2


@pytest.mark.parametrize(
    ("slots", "least", "most"), [(1, 1, 2), (4, 4, 7), (16, 16, 25), (60, 60, 99)]
)
def test_it_finds_where_more_in_flight_stops_helping(slots: int, least: int, most: int) -> None:
    knee = Knee(5, 256, 0.0)
    work_off(knee, slots, 3000)
    assert least <= knee.level <= most


def test_it_follows_a_server_that_gets_slower_or_faster() -> None:
    knee = Knee(5, 256, 0.0)
    now = work_off(knee, 16, 3000)
    now = work_off(knee, 4, 6000, now=now)
    assert 4 <= knee.level <= 8
    work_off(knee, 32, 20_000, now=now)
    assert 29 <= knee.level <= 52


def test_answers_while_there_is_too_little_work_tell_nothing() -> None:
    knee = Knee(5, 256, 0.0)
    for n in range(500):
        knee.answered(100.0, 2, n * 3.0)
    assert knee.level == 5


@given(
    start=st.integers(1, 300),
    most=st.integers(1, 300),
    answers=st.lists(
        st.tuples(st.floats(0, 1e4), st.integers(0, 300), st.floats(0, 100)), max_size=400
    ),
)
def test_it_stays_between_one_and_the_cap(
    start: int, most: int, answers: list[tuple[float, int, float]]
) -> None:
    knee, now = Knee(start, most, 0.0), 0.0
    for work, in_flight, seconds in answers:
        now += seconds
        knee.answered(work, in_flight, now)
        assert 1 <= knee.level <= most


def test_a_number_that_was_set_stays() -> None:
    wanted = Wanted(5, auto=False, most=256, now=0.0)
    assert wanted.calls(None) == wanted.calls(100) == 5


def test_never_above_the_cap() -> None:
    wanted = Wanted(5, auto=True, most=20, now=0.0)
    assert wanted.calls(100) == 20


def test_a_pool_grows_to_what_its_rate_needs_and_shrinks_again(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(5, 600, auto=True))
    permit = started(pool)
    clock.advance(5)
    pool.answered(permit, USED, told(requests=(600, 0)))
    assert pool.reading().concurrency == 1 + 63
    for _ in range(60):
        permits = start_all(pool)
        clock.advance(1)
        for each in permits:
            pool.answered(each, USED, told(requests=(600, 0)))
    assert pool.reading().concurrency <= 1 + 16


def test_a_found_level_survives_a_restart(clock: ManualClock) -> None:
    pool = a_pool(clock, Limits(5, auto=True))
    waiting = start_all(pool)
    for _ in range(200):
        clock.advance(4.0)
        pool.answered(waiting.pop(0), USED, SILENT)
        waiting += start_all(pool)
    found = pool.reading().concurrency
    assert found <= 2
    again = a_pool(clock, Limits(5, auto=True), state=PoolState.from_dict(pool.state().to_dict()))
    assert again.reading().concurrency == found
