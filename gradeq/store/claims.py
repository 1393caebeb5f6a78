"""A job in hand: from its claim to its outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from gradeq.limiter.base import Usage
from gradeq.model import Grade, Job, JobState
from gradeq.outcome import MAX_ATTEMPTS, Counter, ErrorClass


@dataclass(frozen=True, slots=True)
class Counters:
    """How often a job was tried, by reason.

    `overloaded_since`: when the first overload of the present row of them was, or None.
    """

    attempts: int = 0
    snoozes: int = 0
    interruptions: int = 0
    unusable: int = 0
    overloaded_since: int | None = None
    max_attempts: int = MAX_ATTEMPTS


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job in hand. `lease` is the random token that every write of its outcome must carry.

    `is_capped`: its batch has a cost cap, so that money must be reserved before a call.
    """

    job: Job
    lease: str
    counters: Counters
    has_unapplied_answer: bool = False
    is_capped: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try, for the record. `error` is None where an answer came; `cost` in configured money.

    `uncertain_cost` is the most that it may have cost, where nobody can tell if it was charged;
    `lease` is the claim's, where its answer may still come.
    """

    started_at: int
    finished_at: int
    error: ErrorClass | None = None
    reason: str | None = None
    model: str | None = None
    request_id: str | None = None
    http_status: int | None = None
    usage: Usage = field(default_factory=Usage)
    cost: float = 0.0
    request_key: str | None = None
    uncertain_cost: float = 0.0
    lease: str | None = None


@dataclass(frozen=True, slots=True)
class PaidAnswer:
    """What was sent and what came back. `attempt_id` is known once it is stored."""

    request_key: str
    prefix: str
    sent: str
    text: str
    stop: str
    raw: str
    model: str
    usage: Usage = field(default_factory=Usage)
    attempt_id: int | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a claimed job goes on: completed, failed, or pending again (a retry, snooze or return).

    `attempt` is a try that is not on record yet; `attempt_id` one whose answer was stored before.
    `stuck_on` names a cause that no retry can mend: enough of them in a row pause the batch.
    """

    job_id: int
    lease: str
    state: JobState
    grade: Grade | None = None
    result: Any = None
    counter: Counter = Counter.NONE
    run_at: int | None = None
    error: ErrorClass | None = None
    reason: str | None = None
    attempt: Attempt | None = None
    attempt_id: int | None = None
    request_key: str | None = None
    stuck_on: ErrorClass | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What an opening store found and mended: jobs an older process left in hand."""

    returned: int = 0
    failed: int = 0
