"""What follows from a failed try: the table row by row, and what is decided by it."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradeq.decision import Decision, Failed, decide
from gradeq.model import JobState
from gradeq.outcome import (
    CONSEQUENCES,
    MAX_ATTEMPTS,
    MAX_INTERRUPTIONS,
    MAX_REPEATED_ANSWERS,
    Consequence,
    Counter,
    ErrorClass,
    PoolEffect,
    Reject,
    Snooze,
    Wait,
)
from gradeq.store.claims import Counters

NOW = 1_800_000_000_000
MINUTE = 60_000
YES, NO = True, False

TABLE = {
    # signal: retried, what it costs the job, what it does to the pool, how long it waits
    "rate_limited": (YES, "snooze", "gate", "pool"),
    "slow_down": (YES, "snooze", "gate_and_halve", "pool"),
    "quota": (YES, "snooze", "park", "pool"),
    "bad_key": (YES, "snooze", "park", "pool"),
    "unknown_model": (YES, "snooze", "park", "pool"),
    "unusable_model": (YES, "snooze", "park", "pool"),
    "too_large": (NO, "none", "none", "never"),
    "bad_request": (NO, "none", "none", "never"),
    "overloaded": (YES, "overload", "breaker", "overload"),
    "loading": (YES, "overload", "gate", "poll"),
    "server_error": (YES, "attempt", "breaker_if_half", "jitter"),
    "timeout": (YES, "attempt", "none", "short"),
    "connection_lost": (YES, "attempt", "none", "short"),
    "unusable": (YES, "answer", "none", "at_once"),
    "refused": (YES, "answer", "none", "at_once"),
    "cut": (YES, "answer", "none", "at_once"),
    # What does not come from a provider.
    "rejected": (NO, "none", "none", "never"),
    "snoozed": (YES, "snooze", "none", "asked"),
    "crashed": (YES, "attempt", "none", "jitter"),
    "interrupted": (YES, "interruption", "none", "at_once"),
    "no_grader": (YES, "snooze", "none", "at_once"),
    "cost_cap": (YES, "snooze", "none", "at_once"),
}
UNMENDABLE = {"quota", "bad_key", "unknown_model", "unusable_model", "no_grader"}
BUDGETS = {"overloaded": 15 * 60, "loading": 10 * 60}
"""Seconds of wall time."""
LONGEST = {"pool": 0, "never": 0, "at_once": 0, "poll": 5, "jitter": 2, "short": 3, "overload": 2}
"""Seconds before the second try; "asked" is the grader's to say."""


def test_every_error_class_has_its_row():
    assert set(TABLE) == {error.value for error in ErrorClass}
    assert set(CONSEQUENCES) == set(ErrorClass)


@pytest.mark.parametrize("error", list(ErrorClass))
def test_the_row(error):
    retried, counter, pool, wait = TABLE[error]
    assert CONSEQUENCES[error] == Consequence(
        retried,
        Counter(counter),
        PoolEffect(pool),
        Wait(wait),
        mendable=error not in UNMENDABLE,
        budget_seconds=BUDGETS.get(error),
    )


def decided(
    error: ErrorClass,
    counters: Counters | None = None,
    *,
    seed: int = 1,
    asked: float | None = None,
) -> Decision:
    failed = Failed(error, f"it was {error}", asked)
    return decide(failed, counters or Counters(), NOW, Random(seed))


@pytest.mark.parametrize("error", list(ErrorClass))
def test_the_first_failure(error):
    retried, counter, _, wait = TABLE[error]
    decision = decided(error, asked=7)
    assert decision.reason == f"it was {error}"
    assert decision.counter == counter
    assert decision.state is (JobState.PENDING if retried else JobState.FAILED)
    assert decision.stuck_on == (error if error in UNMENDABLE else None)
    if wait == "asked":
        assert decision.delay == 7
    else:
        assert 0 <= decision.delay <= LONGEST[wait]
        assert (decision.delay > 0) is (LONGEST[wait] > 0)


def of_counter(counter: Counter) -> list[ErrorClass]:
    return [error for error in ErrorClass if CONSEQUENCES[error].counter is counter]


@pytest.mark.parametrize("error", of_counter(Counter.ATTEMPT))
def test_the_last_allowed_attempt_and_the_one_before(error):
    before = decided(error, Counters(attempts=MAX_ATTEMPTS - 2))
    last = decided(error, Counters(attempts=MAX_ATTEMPTS - 1))
    assert before.state is JobState.PENDING
    assert last.state is JobState.FAILED
    assert last.reason == f"it was {error} (given up after 5 attempts)"


@pytest.mark.parametrize("error", of_counter(Counter.ATTEMPT))
def test_a_jobs_own_limit_of_attempts_counts(error):
    only_once = decided(error, Counters(max_attempts=1))
    assert only_once.state is JobState.FAILED
    assert decided(error, Counters(attempts=8, max_attempts=10)).state is JobState.PENDING


@pytest.mark.parametrize("error", of_counter(Counter.ANSWER))
def test_an_answer_is_asked_for_again_twice(error):
    second = decided(error, Counters(unusable=MAX_REPEATED_ANSWERS - 1))
    third = decided(error, Counters(unusable=MAX_REPEATED_ANSWERS))
    assert second.state is JobState.PENDING
    assert third.state is JobState.FAILED
    assert third.reason == f"it was {error} (asked 3 times)"


def test_interruptions_are_capped():
    before = decided(ErrorClass.INTERRUPTED, Counters(interruptions=MAX_INTERRUPTIONS - 2))
    last = decided(ErrorClass.INTERRUPTED, Counters(interruptions=MAX_INTERRUPTIONS - 1))
    assert before.state is JobState.PENDING
    assert last.state is JobState.FAILED
    assert "interrupted 20 times" in last.reason


@pytest.mark.parametrize(
    "error", of_counter(Counter.SNOOZE) + of_counter(Counter.OVERLOAD), ids=str
)
def test_what_is_nobodys_fault_is_never_given_up_by_counting(error):
    many = Counters(attempts=4, snoozes=1_000_000, interruptions=19, unusable=2)
    assert decided(error, many).state is JobState.PENDING


@pytest.mark.parametrize(("error", "minutes"), [("overloaded", 15), ("loading", 10)])
def test_an_overload_has_a_budget_of_wall_time(error, minutes):
    within = Counters(snoozes=99, overloaded_since=NOW - minutes * MINUTE + 1)
    over = Counters(snoozes=1, overloaded_since=NOW - minutes * MINUTE)
    assert decided(ErrorClass(error), within).state is JobState.PENDING
    given_up = decided(ErrorClass(error), over)
    assert given_up.state is JobState.FAILED
    assert given_up.reason == f"it was {error} (given up after {minutes} minutes of it)"


def test_one_kind_of_failure_does_not_use_up_anothers_patience():
    tired = Counters(attempts=4, unusable=2, interruptions=19, overloaded_since=NOW - 60 * MINUTE)
    assert decided(ErrorClass.RATE_LIMITED, tired).state is JobState.PENDING
    fresh = Counters(attempts=0, unusable=2, interruptions=19)
    assert decided(ErrorClass.TIMEOUT, fresh).state is JobState.PENDING


# Delays -----------------------------------------------------------------------------------------

SEEDS = st.integers(0, 2**32)


@given(seed=SEEDS, snoozes=st.integers(0, 40))
def test_the_delay_after_an_overload_doubles_up_to_30_seconds(seed, snoozes):
    counters = Counters(snoozes=snoozes, overloaded_since=NOW - 1)
    longest = min(30, 2 ** (snoozes + 1))
    assert longest / 2 <= decided(ErrorClass.OVERLOADED, counters, seed=seed).delay <= longest


@given(seed=SEEDS)
def test_rate_limits_before_an_overload_do_not_lengthen_its_delay(seed):
    delay = decided(ErrorClass.OVERLOADED, Counters(snoozes=40), seed=seed).delay
    assert 1 <= delay <= 2


@given(seed=SEEDS, attempts=st.integers(0, 3))
def test_the_delay_after_a_server_error_is_jitter_within_1_to_30_seconds(seed, attempts):
    delay = decided(ErrorClass.SERVER_ERROR, Counters(attempts=attempts), seed=seed).delay
    assert 1 <= delay <= min(30, 2 ** (attempts + 1))


@given(seed=SEEDS, attempts=st.integers(0, 3))
def test_the_delay_after_a_lost_answer_is_1_to_10_seconds(seed, attempts):
    delay = decided(ErrorClass.TIMEOUT, Counters(attempts=attempts), seed=seed).delay
    assert 1 <= delay <= min(10, 3 + 2 * attempts)


@given(seed=SEEDS, snoozes=st.integers(0, 40))
def test_a_model_that_loads_is_asked_every_1_to_5_seconds(seed, snoozes):
    counters = Counters(snoozes=snoozes, overloaded_since=NOW - 1)
    assert 1 <= decided(ErrorClass.LOADING, counters, seed=seed).delay <= 5


@pytest.mark.parametrize("error", ["overloaded", "loading", "server_error", "timeout"])
def test_delays_are_spread_so_that_no_herd_returns_at_once(error):
    late = Counters(attempts=3, snoozes=9, overloaded_since=NOW - 1)
    delays = [decided(ErrorClass(error), late, seed=seed).delay for seed in range(200)]
    assert len(set(delays)) == 200
    row = {"overloaded": (15, 30), "loading": (1, 5), "server_error": (1, 16), "timeout": (1, 9)}
    low, high = row[error]
    assert min(delays) < low + (high - low) / 10
    assert max(delays) > high - (high - low) / 10


def test_the_same_randomness_gives_the_same_delay():
    one, other = (decided(ErrorClass.TIMEOUT, seed=5) for _ in range(2))
    assert one == other


# What graders raise -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "waited"), [(30, 30), (0, 0), (-5, 0), (float("inf"), 365 * 86_400)]
)
def test_a_snooze_waits_as_long_as_asked_up_to_a_year(seconds, waited):
    snooze = Snooze(seconds)
    assert snooze.seconds == waited
    assert decided(ErrorClass.SNOOZED, asked=snooze.seconds).delay == waited


def test_a_snooze_and_a_reject_say_why():
    assert str(Snooze(30)) == "asked to be called again in 30 s"
    assert str(Snooze(30, "the plagiarism check still runs")) == "the plagiarism check still runs"
    assert Reject("not a text").why == "not a text"


def test_a_quota_that_returns_by_itself_counts_towards_no_pause() -> None:
    """Not even where it hits all calls on their way at once."""
    for passes in (True, False):
        failed = Failed(ErrorClass.QUOTA, "until Monday", passes=passes)
        decision = decide(failed, Counters(), NOW, Random(1))
        assert (decision.state, decision.stuck_on is None) == (JobState.PENDING, passes)
