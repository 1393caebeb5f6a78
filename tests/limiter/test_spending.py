from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.limiter.spending import Spending

RATE = 2.0


def test_nothing_charged_is_nothing_ahead() -> None:
    assert Spending(0).ahead_since(0, RATE, 10) == 0


def test_a_burst_shrinks_as_the_bucket_refills() -> None:
    spending = Spending(0)
    for mark in (1, 2, 3):
        spending.charge(10, mark, RATE, 0)
    assert [spending.ahead_since(0, RATE, now) for now in (0, 5, 20)] == [30, 20, 0]


def test_only_charges_after_the_mark_count() -> None:
    spending = Spending(0)
    for mark in (1, 2, 3):
        spending.charge(10, mark, RATE, 0)
    assert [spending.ahead_since(mark, RATE, 0) for mark in (1, 2, 3)] == [20, 10, 0]


def test_a_burst_after_a_lull_is_not_paid_by_the_lull() -> None:
    spending = Spending(0)
    spending.charge(1, 1, RATE, 0)
    spending.charge(30, 2, RATE, 100)
    assert spending.ahead_since(0, RATE, 100) == 30


@given(
    charges=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 30)), min_size=1, max_size=40),
    since=st.integers(0, 40),
    rest=st.floats(0, 5),
)
def test_it_is_the_worst_of_all_spans(
    charges: list[tuple[float, int]], since: int, rest: float
) -> None:
    spending = Spending(0)
    now = 0.0
    made: list[tuple[float, int]] = []
    for mark, (gap, amount) in enumerate(charges, start=1):
        now += gap
        spending.charge(amount, mark, RATE, now)
        made.append((now, amount))
    now += rest
    spans = (made[first:] for first in range(since, len(made)))
    worst = max((sum(a for _, a in span) - RATE * (now - span[0][0]) for span in spans), default=0)
    assert spending.ahead_since(since, RATE, now) == pytest.approx(max(0.0, worst), abs=1e-6)


def test_it_forgets_the_oldest_when_there_is_no_refill() -> None:
    spending = Spending(0)
    for mark in range(1, 5001):
        spending.charge(1, mark, 0.0, 0)
    assert spending.ahead_since(4990, 0.0, 0) == 10
    assert len(spending._marks) <= 1024
