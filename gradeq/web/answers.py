"""What the service answers. Times are wall milliseconds since 1970 UTC, waits are seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gradeq.limiter.base import Bucket
from gradeq.model import (
    BatchStatus,
    CriterionGrade,
    GradeSource,
    JobState,
    SubmissionStatus,
)
from gradeq.store.base import AttemptRow, Backlog, Badges, GradeRow, Totals

T = TypeVar("T")


def told(kind: type[T], row: object) -> T:
    """`row` as an answer: the fields that both have."""
    return msgspec.convert(row, kind, from_attributes=True)


class AssignmentAnswer(Struct, frozen=True):
    assignment: str
    badges: Badges


class CourseAnswer(Struct, frozen=True):
    course: str
    assignments: list[AssignmentAnswer]


class CoursesAnswer(Struct, frozen=True):
    """Each course with all its assignments; `next` is the `after` of the next page."""

    courses: list[CourseAnswer]
    next: str | None


class LevelAnswer(Struct, frozen=True):
    name: str
    points: float
    description: str


class CriterionAnswer(Struct, frozen=True):
    id: str
    description: str
    levels: list[LevelAnswer]


class RubricAnswer(Struct, frozen=True):
    rubric_id: int
    name: str
    version: int
    title: str
    max_score: float
    criteria: list[CriterionAnswer]
    source: str
    created_at: int


class SkippedAnswer(Struct, frozen=True):
    """A submission that was not touched, by the id it was asked for with."""

    submission_id: int | str
    code: str
    reason: str


class GradeOrdered(Struct, frozen=True):
    """`task_ids` has one id per accepted paper, in order; `created` counts those that are new."""

    batch_id: int
    task_ids: tuple[int, ...]
    created: int
    skipped: list[SkippedAnswer]


class GradeAnswer(Struct, frozen=True):
    submission_id: int
    version: int
    paper_version: int
    current: bool
    source: GradeSource
    grader: str | None
    job_id: int | None
    rubric_id: int | None
    edited_by: str | None
    created_at: int
    score: float
    max_score: float
    criteria: tuple[CriterionGrade, ...]
    feedback: str
    flags: tuple[str, ...]
    model: str | None


def grade_answer(row: GradeRow) -> GradeAnswer:
    grade = row.grade
    return GradeAnswer(
        submission_id=row.submission_id,
        version=row.version,
        paper_version=row.paper_version,
        current=row.current,
        source=row.source,
        grader=row.grader,
        job_id=row.job_id,
        rubric_id=row.rubric_id,
        edited_by=row.edited_by,
        created_at=row.created_at,
        score=grade.score,
        max_score=grade.max_score,
        criteria=grade.criteria,
        feedback=grade.feedback,
        flags=grade.flags,
        model=grade.model,
    )


class GradeSummary(Struct, frozen=True):
    version: int
    current: bool
    score: float
    max_score: float
    flags: tuple[str, ...]
    model: str | None


class Waiting(Struct, frozen=True):
    """Why a job waits. `position` counts the jobs before it; `eta_seconds` is None while the pace
    is unknown; `limited_by` is one of the limiter's words, or paused, run_at or no_grader.
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
    """A job with all its tries.

    `result` is a summary of the grade that it made, or what a job of another kind returned.
    """

    attempts: list[AttemptRow]
    result: Any
    waiting: Waiting | None


class JobsAnswer(Struct, frozen=True):
    jobs: list[JobSummary]
    next: int | None


class AddedAnswer(Struct, frozen=True, omit_defaults=True):
    """`change` is created, unchanged, replaced or refused, and then `reason` says why."""

    id: int
    external_id: str
    change: str
    reason: str = ""


class ImportAnswer(Struct, frozen=True):
    submissions: list[AddedAnswer]


class SubmissionAnswer(Struct, frozen=True):
    id: int
    external_id: str
    course: str
    assignment: str
    student: str
    status: SubmissionStatus
    version: int
    archived_at: int | None
    released_at: int | None
    released_by: str | None
    created_at: int
    updated_at: int
    extra: Mapping[str, str]
    text: str | UnsetType = UNSET


class SubmissionsAnswer(Struct, frozen=True):
    submissions: list[SubmissionAnswer]
    next: int | None


class OneSubmission(SubmissionAnswer, frozen=True, kw_only=True):
    """With its text, its last job, and why it has no grade where it has none."""

    job_id: int | None
    ungraded_reason: str | None


class HistoryAnswer(Struct, frozen=True):
    """All versions of a submission's grade, newest first, and all tries, oldest first."""

    grades: list[GradeAnswer]
    attempts: list[AttemptRow]


class Done(Struct, frozen=True):
    done: int
    skipped: list[SkippedAnswer]


class BatchAnswer(Struct, frozen=True):
    """`limited_by` and `text` say what holds an open batch up; None once it is over."""

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


class PoolAnswer(Struct, frozen=True):
    """One pool. `wait_seconds` is None while only a person can end the wait."""

    name: str
    limited_by: str
    text: str
    in_flight: int
    room: int
    concurrency: int
    concurrency_needed: int | None
    wait_seconds: float | None
    parked_reason: str | None
    levels: list[LevelReading]
    last_minute: MinuteAnswer
    backlog: Backlog


class QueueAnswer(Struct, frozen=True):
    """`running` counts jobs in hand; `strays` is open work that no grader of this process does."""

    pools: list[PoolAnswer]
    running: int
    strays: list[Backlog]


class StatsAnswer(Struct, frozen=True):
    """`submissions` sums the badges of all `assignments`, `work` all batches there ever were."""

    courses: int
    assignments: int
    submissions: Badges
    work: Totals
    events: int


class Health(Struct, frozen=True):
    status: str
