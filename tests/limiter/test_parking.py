from __future__ import annotations

import pytest

from gradeq.clock import ManualClock
from gradeq.limiter.base import LimitedBy

from .helpers import SILENT, USED, a_pool, denied, started

BAD_KEY = "the API key was refused; check ANTHROPIC_API_KEY"


class JumpingClock(ManualClock):
    """A wall clock that somebody sets."""

    jump_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.jump_ms


def test_nothing_starts_until_somebody_resumes(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("stopped by the operator")
    clock.advance(1e6)
    assert (pool.room(), pool.ready_at()) == (0, None)
    assert denied(pool).reason is LimitedBy.PARKED
    pool.resume()
    assert pool.room() == 5


def test_it_ends_at_its_wall_time(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("daily quota is spent", clock.now_ms() + 3_600_000)
    assert pool.ready_at() == pytest.approx(3600)
    clock.advance(3599)
    assert pool.room() == 0
    clock.advance(1)
    assert pool.room() == 5
    assert pool.reading().parked_reason is None


def test_it_ends_when_a_laptop_wakes_up_after_it() -> None:
    clock = JumpingClock()
    pool = a_pool(clock)
    pool.park("daily quota is spent", clock.now_ms() + 3_600_000)
    clock.jump_ms = 8 * 3_600_000
    assert pool.room() == 5


def test_it_ends_although_the_wall_clock_was_set_back() -> None:
    clock = JumpingClock()
    pool = a_pool(clock)
    pool.park("daily quota is spent", clock.now_ms() + 3_600_000)
    clock.jump_ms = -24 * 3_600_000
    clock.advance(3600)
    assert pool.room() == 5


def test_a_quota_s_date_does_not_lift_a_person_s_stop(clock: ManualClock) -> None:
    pool = a_pool(clock)
    permit = started(pool)
    pool.park("stopped by the operator")
    pool.unmendable(permit, "daily quota is spent", clock.now_ms() + 1000)
    clock.advance(2)
    assert pool.room() == 0
    assert pool.reading().parked_reason == "stopped by the operator"


def test_a_later_date_replaces_an_earlier_one(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.park("requests per day", clock.now_ms() + 1000)
    pool.park("tokens per day", clock.now_ms() + 9000)
    assert pool.ready_at() == 9
    assert pool.reading().parked_reason == "tokens per day"


def test_a_spent_quota_with_a_date_parks_at_once(clock: ManualClock) -> None:
    pool = a_pool(clock)
    pool.unmendable(started(pool), "daily quota is spent", clock.now_ms() + 60_000)
    assert pool.ready_at() == 60


def test_five_in_a_row_of_one_cause_park(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for _ in range(4):
        pool.unmendable(started(pool), BAD_KEY)
    assert pool.room() == 5
    pool.unmendable(started(pool), BAD_KEY)
    assert pool.room() == 0
    assert pool.reading().parked_reason == BAD_KEY


def test_how_many_is_the_caller_s_choice(clock: ManualClock) -> None:
    pool = a_pool(clock, park_after=1)
    pool.unmendable(started(pool), BAD_KEY)
    assert pool.room() == 0


def test_an_answer_in_between_starts_the_count_anew(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for _ in range(4):
        pool.unmendable(started(pool), BAD_KEY)
    pool.answered(started(pool), USED, SILENT)
    for _ in range(4):
        pool.unmendable(started(pool), BAD_KEY)
    assert pool.room() == 5


def test_so_does_another_cause(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for reason in [BAD_KEY] * 4 + ["no such model"] + [BAD_KEY] * 4:
        pool.unmendable(started(pool), reason)
    assert pool.room() == 5


def test_reasons_that_name_the_call_can_share_a_cause(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for number in range(5):
        pool.unmendable(started(pool), f"key refused (request {number})", cause="bad_key")
    assert pool.room() == 0


def test_after_resuming_the_count_starts_anew(clock: ManualClock) -> None:
    pool = a_pool(clock)
    for _ in range(5):
        pool.unmendable(started(pool), BAD_KEY)
    pool.resume()
    pool.unmendable(started(pool), BAD_KEY)
    assert pool.room() == 5
