"""What can come of one try, and what follows from it: the table that the worker decides by.

The rows follow the providers' own documentation of their answers (Anthropic "Errors" and "Rate
limits", OpenAI "Error codes", Google "Troubleshooting"); docs/explanation/failures.md shows the
same table with the reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

_A_YEAR = 365 * 86_400.0


class Snooze(Exception):
    """A grader raises this to be asked again after `seconds`; it costs no attempt.

    Less than nothing counts as 0, more than a year as a year.
    """

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(why or f"asked to be called again in {seconds:g} s")
        self.seconds = min(max(0.0, seconds), _A_YEAR)


class Reject(Exception):
    """A grader raises this when the work can never be graded; the job fails with this reason."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class ErrorClass(StrEnum):
    """Why a try did not end in a grade. Stored with every attempt; the names are stable."""

    RATE_LIMITED = "rate_limited"
    SLOW_DOWN = "slow_down"
    QUOTA = "quota"
    BAD_KEY = "bad_key"
    UNKNOWN_MODEL = "unknown_model"
    UNUSABLE_MODEL = "unusable_model"
    TOO_LARGE = "too_large"
    BAD_REQUEST = "bad_request"
    OVERLOADED = "overloaded"
    LOADING = "loading"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    UNUSABLE = "unusable"
    REFUSED = "refused"
    CUT = "cut"
    REJECTED = "rejected"
    SNOOZED = "snoozed"
    CRASHED = "crashed"
    INTERRUPTED = "interrupted"
    NO_GRADER = "no_grader"
    COST_CAP = "cost_cap"


class Counter(StrEnum):
    """Which of a job's counters a failed try moves."""

    NONE = "none"
    ATTEMPT = "attempt"
    """A real error: bounded by the job's `max_attempts`."""
    SNOOZE = "snooze"
    """Nobody's fault: unbounded."""
    OVERLOAD = "overload"
    """A snooze, but only for the class's `budget_seconds` of wall time since the first one."""
    ANSWER = "answer"
    """An answer that cannot be used: asked again at most twice."""
    INTERRUPTION = "interruption"
    """The process stopped under it: capped, so that a poison job cannot kill a daemon for ever."""


class PoolEffect(StrEnum):
    """What a failed try does to the pool it was made through."""

    NONE = "none"
    GATE = "gate"
    GATE_AND_HALVE = "gate_and_halve"
    BREAKER = "breaker"
    BREAKER_IF_HALF = "breaker_if_half"
    PARK = "park"


class Wait(StrEnum):
    """How long the job waits before its next try."""

    POOL = "pool"
    """Until the pool's gate opens: the pool keeps the time, the job is due at once."""
    OVERLOAD = "overload"
    """U(0.5, 1) * min(30, 2^n) seconds."""
    POLL = "poll"
    """1 to 5 seconds."""
    JITTER = "jitter"
    """Full jitter between 1 and 30 seconds."""
    SHORT = "short"
    """1 to 10 seconds."""
    AT_ONCE = "at_once"
    ASKED = "asked"
    """As long as the grader asked for."""
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Consequence:
    """One row of the table. `mendable` is False where no retry can help without a person."""

    retried: bool
    counter: Counter
    pool: PoolEffect
    wait: Wait
    mendable: bool = True
    budget_seconds: float | None = None


_FINAL = Consequence(False, Counter.NONE, PoolEffect.NONE, Wait.NEVER)
_PARKED = Consequence(True, Counter.SNOOZE, PoolEffect.PARK, Wait.POOL, mendable=False)
_ASKED_AGAIN = Consequence(True, Counter.ANSWER, PoolEffect.NONE, Wait.AT_ONCE)
_LOST = Consequence(True, Counter.ATTEMPT, PoolEffect.NONE, Wait.SHORT)

CONSEQUENCES: Mapping[ErrorClass, Consequence] = MappingProxyType(
    {
        ErrorClass.RATE_LIMITED: Consequence(True, Counter.SNOOZE, PoolEffect.GATE, Wait.POOL),
        ErrorClass.SLOW_DOWN: Consequence(
            True, Counter.SNOOZE, PoolEffect.GATE_AND_HALVE, Wait.POOL
        ),
        ErrorClass.QUOTA: _PARKED,
        ErrorClass.BAD_KEY: _PARKED,
        ErrorClass.UNKNOWN_MODEL: _PARKED,
        ErrorClass.UNUSABLE_MODEL: _PARKED,
        ErrorClass.TOO_LARGE: _FINAL,
        ErrorClass.BAD_REQUEST: _FINAL,
        ErrorClass.OVERLOADED: Consequence(
            True, Counter.OVERLOAD, PoolEffect.BREAKER, Wait.OVERLOAD, budget_seconds=15 * 60
        ),
        ErrorClass.LOADING: Consequence(
            True, Counter.OVERLOAD, PoolEffect.GATE, Wait.POLL, budget_seconds=10 * 60
        ),
        ErrorClass.SERVER_ERROR: Consequence(
            True, Counter.ATTEMPT, PoolEffect.BREAKER_IF_HALF, Wait.JITTER
        ),
        ErrorClass.TIMEOUT: _LOST,
        ErrorClass.CONNECTION_LOST: _LOST,
        ErrorClass.UNUSABLE: _ASKED_AGAIN,
        ErrorClass.REFUSED: _ASKED_AGAIN,
        ErrorClass.CUT: _ASKED_AGAIN,
        ErrorClass.REJECTED: _FINAL,
        ErrorClass.SNOOZED: Consequence(True, Counter.SNOOZE, PoolEffect.NONE, Wait.ASKED),
        ErrorClass.CRASHED: Consequence(True, Counter.ATTEMPT, PoolEffect.NONE, Wait.JITTER),
        ErrorClass.INTERRUPTED: Consequence(
            True, Counter.INTERRUPTION, PoolEffect.NONE, Wait.AT_ONCE
        ),
        ErrorClass.NO_GRADER: Consequence(
            True, Counter.SNOOZE, PoolEffect.NONE, Wait.AT_ONCE, mendable=False
        ),
        ErrorClass.COST_CAP: Consequence(True, Counter.SNOOZE, PoolEffect.NONE, Wait.AT_ONCE),
    }
)

MAX_ATTEMPTS = 5
MAX_REPEATED_ANSWERS = 2
MAX_INTERRUPTIONS = 20
