"""The pure part of the worker: what follows from a try."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from gradeq.backoff import delay
from gradeq.model import JobState
from gradeq.outcome import (
    CONSEQUENCES,
    MAX_INTERRUPTIONS,
    MAX_REPEATED_ANSWERS,
    Consequence,
    Counter,
    ErrorClass,
)
from gradeq.store.claims import Counters


@dataclass(frozen=True, slots=True)
class Failed:
    """A try that did not end in a grade. `asked` is the wait in seconds that a grader asked for.

    `passes` where the provider names the date at which it ends: the pool waits for that, and no
    batch needs a person.
    """

    error: ErrorClass
    reason: str
    asked: float | None = None
    passes: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """How a job goes on: pending again after `delay` seconds, or failed for good."""

    state: JobState
    counter: Counter
    reason: str
    delay: float = 0.0
    stuck_on: ErrorClass | None = None


def decide(failed: Failed, counters: Counters, now: int, rng: Random) -> Decision:
    """Look the failure up in the table and apply its row to the job's counters."""
    row = CONSEQUENCES[failed.error]
    over = _why_over(row, failed, counters, now)
    if over is not None:
        return Decision(JobState.FAILED, row.counter, over)
    tries = 1 + _count(row.counter, counters)
    return Decision(
        JobState.PENDING,
        row.counter,
        failed.reason,
        delay(row.wait, tries, rng, failed.asked),
        stuck_on=None if row.mendable or failed.passes else failed.error,
    )


def _count(counter: Counter, counters: Counters) -> int:
    return {
        Counter.NONE: 0,
        Counter.ATTEMPT: counters.attempts,
        Counter.SNOOZE: counters.snoozes,
        # Snoozes before this row of overloads were rate limits and say nothing of it.
        Counter.OVERLOAD: 0 if counters.overloaded_since is None else counters.snoozes,
        Counter.ANSWER: counters.unusable,
        Counter.INTERRUPTION: counters.interruptions,
    }[counter]


def _why_over(row: Consequence, failed: Failed, counters: Counters, now: int) -> str | None:
    """The reason for which a job is given up, or None where it is tried again."""
    if not row.retried:
        return failed.reason
    tried = 1 + _count(row.counter, counters)
    match row.counter:
        case Counter.ATTEMPT if tried >= counters.max_attempts:
            return f"{failed.reason} (given up after {tried} attempt{'s' if tried > 1 else ''})"
        case Counter.ANSWER if tried > MAX_REPEATED_ANSWERS:
            return f"{failed.reason} (asked {tried} times)"
        case Counter.INTERRUPTION if tried >= MAX_INTERRUPTIONS:
            return f"{failed.reason} (interrupted {tried} times)"
        case Counter.OVERLOAD if _budget_spent(row, counters, now):
            return f"{failed.reason} (given up after {_minutes(row)} minutes of it)"
    return None


def _budget_spent(row: Consequence, counters: Counters, now: int) -> bool:
    if counters.overloaded_since is None or row.budget_seconds is None:
        return False
    return now - counters.overloaded_since >= row.budget_seconds * 1000


def _minutes(row: Consequence) -> str:
    return f"{(row.budget_seconds or 0) / 60:g}"
