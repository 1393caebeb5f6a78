from __future__ import annotations

import itertools
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.limiter.buckets import Meter

amounts = st.integers(1, 50)
gaps = st.floats(0, 10)


def a_meter(level: float = 60.0, headroom: float = 0.0) -> Meter:
    return Meter(rate=1.0, capacity=60.0, level=level, now=0.0, headroom=headroom)


def test_it_refills_up_to_its_capacity() -> None:
    meter = a_meter(level=0)
    assert [meter.level(at) for at in (0, 10, 60, 1000)] == [0, 10, 60, 60]


def test_it_tells_when_there_will_be_enough() -> None:
    meter = a_meter(level=5)
    assert meter.ready_at(20) == 15
    assert meter.times(20, 14.9) == 0
    assert meter.times(20, 15) == 1


def test_a_debt_is_paid_off_first() -> None:
    meter = a_meter(level=10)
    meter.take(40, 0)
    assert meter.level(0) == -30
    assert meter.ready_at(1) == 31


def test_headroom_is_left_over() -> None:
    meter = a_meter(level=10, headroom=0.25)
    assert meter.times(10, 0) == 0
    assert meter.ready_at(10) == 0.25
    assert meter.times(3, 0) == 3


def test_a_call_as_large_as_the_bucket_waits_for_a_full_one() -> None:
    meter = a_meter(level=0, headroom=0.25)
    assert meter.ready_at(60) == 60
    assert meter.times(60, 60) == 1


def test_what_needs_nothing_is_not_counted() -> None:
    assert a_meter().times(0, 0) == sys.maxsize


def test_retuning_keeps_what_there_is_as_far_as_it_fits() -> None:
    meter = a_meter(level=30)
    meter.retune(2.0, 120.0, 0)
    assert meter.level(0) == 30
    meter.retune(0.5, 20.0, 0)
    assert meter.level(0) == 20


@given(level=st.floats(-100, 60), amount=amounts, gap=gaps)
def test_giving_back_restores(level: float, amount: int, gap: float) -> None:
    meter = a_meter(level)
    untouched = a_meter(level)
    meter.take(amount, 0)
    meter.give(amount)
    assert meter.level(gap) == pytest.approx(untouched.level(gap), abs=1e-9)


@given(level=st.floats(-100, 60), need=st.integers(1, 60), headroom=st.floats(0, 2))
def test_at_the_time_it_tells_there_is_enough(level: float, need: int, headroom: float) -> None:
    meter = a_meter(level, headroom)
    ready_at = max(0.0, meter.ready_at(need))
    assert meter.times(need, ready_at) >= 1
    assert meter.level(ready_at) >= need - 1e-6


@given(asks=st.lists(st.tuples(gaps, amounts), max_size=40))
def test_no_span_of_time_gets_more_than_capacity_and_refill(asks: list[tuple[float, int]]) -> None:
    meter = a_meter()
    now = 0.0
    taken: list[tuple[float, int]] = []
    for gap, amount in asks:
        now += gap
        if meter.times(amount, now):
            meter.take(amount, now)
            taken.append((now, amount))
    for first, last in itertools.combinations(range(len(taken) + 1), 2):
        span = taken[last - 1][0] - taken[first][0]
        assert sum(amount for _, amount in taken[first:last]) <= 60 + span + 1e-4
