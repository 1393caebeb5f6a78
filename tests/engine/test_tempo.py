"""How fast each batch gets on."""

from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.tempo import WINDOW_SECONDS, Tempo


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def ended(tempo: Tempo, clock: ManualClock, batch_id: int, times: int, took: float = 2.0) -> None:
    for _ in range(times):
        tempo.note(batch_id, clock.monotonic() - took)


def test_batches_are_counted_each_by_itself(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    clock.advance(10)
    ended(tempo, clock, 1, 30, took=10)
    ended(tempo, clock, 2, 5, took=10)
    assert [tempo.per_second(one) for one in (1, 2, 3)] == [3.0, 0.5, None]


def test_the_pace_is_that_since_the_first_was_begun(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    for _ in range(20):
        clock.advance(2)
        ended(tempo, clock, 1, 4)
    assert tempo.per_second(1) == pytest.approx(80 / 40)


def test_what_ended_long_ago_does_not_count(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    ended(tempo, clock, 1, 500)
    clock.advance(WINDOW_SECONDS)
    ended(tempo, clock, 1, 9)
    clock.advance(1)
    assert tempo.per_second(1) == pytest.approx(9 / 3)
    clock.advance(WINDOW_SECONDS)
    assert tempo.per_second(1) is None


def test_a_pause_is_no_part_of_the_pace(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    ended(tempo, clock, 1, 10)
    clock.advance(100)
    tempo.restart(1)
    assert tempo.per_second(1) is None
    clock.advance(2)
    ended(tempo, clock, 1, 4)
    assert tempo.per_second(1) == 2.0


def test_one_long_call_counts_as_slow(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    clock.advance(500)
    ended(tempo, clock, 1, 1, took=100)
    assert tempo.per_second(1) == 0.01
    ended(tempo, clock, 2, 1, took=400)
    assert tempo.per_second(2) == 1 / WINDOW_SECONDS


def test_many_batches_are_forgotten(clock: ManualClock) -> None:
    tempo = Tempo(clock)
    for batch_id in range(1000):
        clock.advance(1)
        ended(tempo, clock, batch_id, 1)
    assert len(tempo._slots) <= WINDOW_SECONDS + 2
