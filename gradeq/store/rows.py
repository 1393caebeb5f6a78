"""What is stored, as people see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gradeq.model import (
    BatchMode,
    BatchStatus,
    CriterionGrade,
    Grade,
    GradeSource,
    JobState,
    Submission,
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """A pool's open jobs by what they wait for; `paused` are pending in paused batches.

    `overnight` counts those of the other three that wait for a provider's batch API.
    """

    pool: str
    ready: int = 0
    waiting: int = 0
    processing: int = 0
    paused: int = 0
    overnight: int = 0

    @property
    def moving(self) -> int:
        """What would be done without a person."""
        return self.ready + self.waiting + self.processing

    @property
    def is_idle(self) -> bool:
        """Nothing would ever move without a person."""
        return self.moving == 0


@dataclass(frozen=True, slots=True)
class Badges:
    in_progress: int = 0
    submitted: int = 0
    graded: int = 0
    released: int = 0
    grading: int = 0


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job as people see it."""

    id: int
    batch_id: int
    grader: str
    submission_id: int | None
    external_id: str | None
    state: JobState
    attempts: int
    snoozes: int
    interruptions: int
    unusable: int
    run_at: int
    error: str | None
    reason: str | None
    result: Any
    created_at: int
    claimed_at: int | None
    finished_at: int | None
    updated_at: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as people see it; `pending` counts ready and waiting jobs.

    `uncertain_cost` is what calls that ended without an answer may have cost, `reserved_cost` what
    is kept back for calls on their way; both count against `cost_cap`.
    `posted` counts the jobs that the provider's batch API has now, `answered` how many of these
    it says it has done. An overnight batch is live from `fallback_at` on.
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
    pause_cause: str | None
    """The `gradeq.outcome.ErrorClass` for which gradeq itself paused it, if it did."""
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
    is_short: bool
    """Its next call waits for money that calls in hand may free."""
    mode: BatchMode
    fallback_at: int | None
    posted: int
    answered: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A paper's text, and the levels that a person gave it or found right."""

    text: str
    criteria: tuple[CriterionGrade, ...]


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One version of a submission's grade; at most one of them is `current`."""

    id: int
    submission_id: int
    version: int
    paper_version: int
    current: bool
    source: GradeSource
    grader: str | None
    job_id: int | None
    rubric_id: int | None
    request_key: str | None
    edited_by: str | None
    reviewed_at: int | None
    reviewed_by: str | None
    created_at: int
    grade: Grade

    @property
    def is_reviewed(self) -> bool:
        """A person made it, or found it right."""
        return self.source is GradeSource.PERSON or self.reviewed_by is not None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a person had before them: versions of the text and of the current grade (0: none)."""

    paper_version: int
    grade_version: int


TAKE_BACK_SECONDS = 60
"""For so long whoever released a paper may take the release back."""


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release, also one that was taken back. Times are wall milliseconds."""

    released_at: int
    released_by: str
    taken_back_at: int | None


@dataclass(frozen=True, slots=True)
class AttemptRow:
    id: int
    job_id: int
    error: str | None
    reason: str | None
    answer_use: str
    model: str | None
    request_id: str | None
    http_status: int | None
    input_tokens: int
    output_tokens: int
    cost: float
    uncertain_cost: float
    started_at: int
    finished_at: int


@dataclass(frozen=True, slots=True)
class RubricRow:
    id: int
    name: str
    version: int
    sha256: str
    source: str
    created_at: int


@dataclass(frozen=True, slots=True)
class RubricVersion:
    """A rubric that an assignment was given: its `number`-th, from 1.

    `assigned_at` is when that was last. `graded` counts the jobs that it graded here, again and
    again where papers were; `open_batches` are those that still work with it.
    """

    rubric: RubricRow
    number: int
    assigned_at: int
    is_assigned: bool
    graded: int
    open_batches: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, in the order of the commits. `seq` never repeats."""

    seq: int
    at: int
    kind: str
    course: str | None = None
    assignment: str | None = None
    batch_id: int | None = None
    job_id: int | None = None
    submission_id: int | None = None
    data: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all batches there ever were."""

    batches: int = 0
    jobs: int = 0
    pending: int = 0
    processing: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    requests: int = 0
    rate_limited: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    uncertain_cost: float = 0.0
    reserved_cost: float = 0.0


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One submission with its current grade and its last job: what is exported."""

    submission: Submission
    grade: GradeRow | None
    job: JobRow | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: float
    pause_reason: str | None
    mode: BatchMode = BatchMode.LIVE
    pause_cause: str | None = None


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Where a pending job stands: the ready jobs to be claimed before it, its batch's pause."""

    ahead: int
    run_at: int
    waiting: bool
    paused_by: str | None
    pause_reason: str | None
    pool: str


class PaperOrder(StrEnum):
    """By what a tab's papers are ordered; those alike by their ids."""

    TIME = "time"
    STUDENT = "student"
    SCORE = "score"
