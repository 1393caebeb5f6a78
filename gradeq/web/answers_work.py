"""What the service answers about work. Times are wall milliseconds since 1970 UTC."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from gradeq.limiter.base import Bucket
from gradeq.model import BatchMode, BatchStatus, JobState
from gradeq.store.orders import QueuedAlready
from gradeq.store.rows import AttemptRow, Backlog, Badges, Totals
from gradeq.web.answers import SkippedAnswer


class GradeOrdered(Struct, frozen=True):
    """`task_ids` has one id per accepted paper, in order; `created` counts those that are new.

    The other accepted papers were queued before: `already_queued` tells with which batches, and
    who ordered those. Where all were, `batch_id` is the one that most of them are queued with; it
    is null where no paper is in the queue.
    """

    batch_id: int | None
    task_ids: tuple[int, ...]
    created: int
    skipped: list[SkippedAnswer]
    already_queued: tuple[QueuedAlready, ...]


class GradeSummary(Struct, frozen=True):
    version: int
    current: bool
    score: float
    max_score: float
    flags: tuple[str, ...]
    model: str | None


class Waiting(Struct, frozen=True):
    """Why a job waits. `position` counts the jobs before it; `eta_seconds` is None while the pace
    is unknown; `limited_by` is one of the limiter's words, or overnight, paused, run_at or
    no_grader.
    """

    position: int
    run_at: int
    eta_seconds: float | None
    limited_by: str
    text: str
    paused_by: str | None = None
    pause_reason: str | None = None
    parked_reason: str | None = None


class JobCounters(Struct, frozen=True):
    attempts: int
    snoozes: int
    interruptions: int
    unusable: int


class JobSummary(Struct, frozen=True):
    """A job in a list."""

    id: int
    batch_id: int
    grader: str
    submission_id: int | None
    external_id: str | None
    status: JobState
    counters: JobCounters
    error: str | None
    reason: str | None
    run_at: int
    created_at: int
    claimed_at: int | None
    finished_at: int | None
    updated_at: int


class JobAnswer(JobSummary, frozen=True):
    """A job with all its tries, and what they have cost together.

    `result` is a summary of the grade that it made, or what a job of another kind returned.
    """

    attempts: list[AttemptRow]
    cost: float
    result: Any
    waiting: Waiting | None


class JobsAnswer(Struct, frozen=True):
    jobs: list[JobSummary]
    next: int | None


class BatchAnswer(Struct, frozen=True):
    """`limited_by` and `text` say what holds an open batch up; None once it is over. `per_minute`
    is how many of its jobs ended lately, `eta_seconds` how long the rest takes at that pace; None
    while there is none.

    An overnight batch is live from `fallback_at` on; `posted` of its jobs are with the provider's
    batch API now, which says that it has answered `answered` of them.
    """

    id: int
    kind: str
    grader: str
    pool: str
    owner: str
    rubric_id: int | None
    interactive: bool
    priority: int
    deadline: int | None
    status: BatchStatus
    created_at: int
    started_at: int | None
    paused_at: int | None
    paused_by: str | None
    pause_reason: str | None
    cancelled_at: int | None
    finished_at: int | None
    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int
    requests: int
    rate_limited: int
    input_tokens: int
    output_tokens: int
    cost: float
    uncertain_cost: float
    reserved_cost: float
    cost_cap: float | None
    mode: BatchMode
    fallback_at: int | None
    posted: int
    answered: int
    per_minute: float | None = None
    eta_seconds: float | None = None
    limited_by: str | None = None
    text: str | None = None


class BatchesAnswer(Struct, frozen=True):
    """Newest first."""

    batches: list[BatchAnswer]
    next: int | None


class LevelReading(Struct, frozen=True):
    """What could be taken now, of how much per `per_seconds`."""

    bucket: Bucket
    level: float
    limit: float
    per_seconds: float


class MinuteAnswer(Struct, frozen=True):
    requests: int
    refused: int
    input_tokens: int
    output_tokens: int
    answered: int


class PoolAnswer(Struct, frozen=True):
    """One pool. `providers` are the names that it can be resumed by, too; `wait_seconds` is None
    while only a person can end the wait, `eta_seconds` while nobody knows when its open work is
    done. Totals count since the process started.
    """

    name: str
    providers: tuple[str, ...]
    limited_by: str
    text: str
    in_flight: int
    room: int
    concurrency: int
    is_auto: bool
    concurrency_needed: int | None
    wait_seconds: float | None
    eta_seconds: float | None
    parked_reason: str | None
    refused_last_hour: int
    refused_total: int
    requests_total: int
    levels: list[LevelReading]
    last_minute: MinuteAnswer
    backlog: Backlog


class DayAnswer(Struct, frozen=True):
    """What the calls of a local day have cost, may have cost and may still cost, and their cap.

    `currency` is that of every amount that the service tells.
    """

    day: str
    cost: float
    uncertain_cost: float
    reserved_cost: float
    currency: str = "USD"
    cost_cap: float | None = None


class PoolResumed(Struct, frozen=True):
    """`reason` is why it stood still, None where it did not; `batch_ids` are the batches that
    gradeq had paused for it and that go on. `moved_to` is the pool that the work goes through now,
    where the key file held another key. `gate_opened` where the provider had asked to wait longer.
    """

    pool: str
    reason: str | None
    batch_ids: tuple[int, ...]
    moved_to: str | None
    gate_opened: bool


class QueueAnswer(Struct, frozen=True):
    """`running` counts jobs in hand; `strays` is open work that no grader of this process does."""

    pools: list[PoolAnswer]
    running: int
    strays: list[Backlog]
    today: DayAnswer


class StatsAnswer(Struct, frozen=True):
    """`submissions` sums the badges of all `assignments`, `work` all batches there ever were."""

    courses: int
    assignments: int
    submissions: Badges
    work: Totals
    today: DayAnswer
    events: int


class Health(Struct, frozen=True):
    status: str
