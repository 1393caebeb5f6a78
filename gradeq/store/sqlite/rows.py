"""Rows of the database as the dataclasses that leave the store, and back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from gradeq.days import day_of
from gradeq.limiter.base import Usage
from gradeq.model import (
    BatchMode,
    BatchStatus,
    CriterionGrade,
    Evidence,
    Grade,
    GradeSource,
    Job,
    JobState,
    Submission,
    SubmissionStatus,
)
from gradeq.store.claims import Attempt, Claimed, Counters, PaidAnswer
from gradeq.store.costs import DayRow
from gradeq.store.rows import (
    AttemptRow,
    Backlog,
    Badges,
    BatchRow,
    Event,
    GradeRow,
    JobRow,
    ReleaseRow,
    RubricRow,
    RubricVersion,
)
from gradeq.store.sqlite.tx import as_json, from_json

NO_DEADLINE = 2**63 - 1


def to_submission(row: sqlite3.Row) -> Submission:
    return Submission(
        id=row["id"],
        external_id=row["external_id"],
        course=row["course"],
        assignment=row["assignment"],
        student=row["student"],
        text=row["text"],
        text_sha256=row["text_sha256"],
        extra=from_json(row["extra"]),
        status=SubmissionStatus(row["status"]),
        version=row["version"],
        archived_at=row["archived_at"],
        released_at=row["released_at"],
        released_by=row["released_by"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def to_paper(row: sqlite3.Row) -> tuple[Submission, bool]:
    """A row of claim_papers, by position: claims are the hot path, and names cost a search each."""
    (id_, external_id, course, name, student, text, sha256, extra, status, *rest, unapplied) = row
    submission = Submission(
        id_,
        external_id,
        course,
        name,
        student,
        text,
        sha256,
        from_json(extra),
        SubmissionStatus(status),
        *rest,
    )
    return submission, bool(unapplied)


def to_claimed(
    row: Iterable[Any], batch: sqlite3.Row, lease: str, paper: tuple[Submission, bool] | None
) -> Claimed:
    """A row of claim_take, by position, with its batch and its paper."""
    (id_, grader, payload, _, *counted) = row
    counters = Counters(*counted)
    submission, unapplied = paper or (None, False)
    job = Job(
        id_,
        batch[0],
        batch[1],
        grader,
        counters.attempts + 1,
        submission,
        batch[2],
        from_json(payload) if payload else {},
    )
    return Claimed(job, lease, counters, unapplied, is_capped=batch[3] is not None)


def to_job(row: sqlite3.Row) -> JobRow:
    return JobRow(
        id=row["id"],
        batch_id=row["batch_id"],
        grader=row["grader"],
        submission_id=row["submission_id"],
        external_id=row["external_id"],
        state=JobState(row["state"]),
        attempts=row["attempts"],
        snoozes=row["snoozes"],
        interruptions=row["interruptions"],
        unusable=row["unusable"],
        run_at=row["run_at"],
        error=row["error"],
        reason=row["reason"],
        result=from_json(row["result"]) if row["result"] else None,
        created_at=row["created_at"],
        claimed_at=row["claimed_at"],
        finished_at=row["finished_at"],
        updated_at=row["updated_at"],
    )


def to_batch(row: sqlite3.Row) -> BatchRow:
    return BatchRow(
        id=row["id"],
        kind=row["kind"],
        grader=row["grader"],
        pool=row["pool"],
        owner=row["owner"],
        rubric_id=row["rubric_id"],
        interactive=bool(row["interactive"]),
        priority=row["priority"],
        deadline=None if row["deadline"] == NO_DEADLINE else row["deadline"],
        status=BatchStatus(row["status"]),
        created_at=row["created_at"],
        started_at=row["started_at"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        pause_reason=row["pause_reason"],
        pause_cause=row["pause_cause"],
        cancelled_at=row["cancelled_at"],
        finished_at=row["finished_at"],
        total=row["total"],
        pending=row["ready"] + row["waiting"],
        processing=row["processing"],
        completed=row["completed"],
        failed=row["failed"],
        cancelled=row["cancelled"],
        requests=row["requests"],
        rate_limited=row["rate_limited"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost=row["cost"],
        uncertain_cost=row["uncertain_cost"],
        reserved_cost=row["reserved_cost"],
        cost_cap=row["cost_cap"],
        is_short=bool(row["is_short"]),
        mode=BatchMode(row["mode"]),
        fallback_at=row["fallback_at"],
        posted=row["posted"],
        answered=row["answered"],
    )


def to_day(row: sqlite3.Row) -> DayRow:
    return DayRow(row["day"], row["cost"], row["uncertain_cost"], row["reserved_cost"])


def to_grade_row(row: sqlite3.Row) -> GradeRow:
    return GradeRow(
        id=row["id"],
        submission_id=row["submission_id"],
        version=row["version"],
        paper_version=row["paper_version"],
        current=bool(row["current"]),
        source=GradeSource(row["source"]),
        grader=row["grader"],
        job_id=row["job_id"],
        rubric_id=row["rubric_id"],
        request_key=row["request_key"],
        edited_by=row["edited_by"],
        reviewed_at=row["reviewed_at"],
        reviewed_by=row["reviewed_by"],
        created_at=row["created_at"],
        grade=Grade(
            score=row["score"],
            max_score=row["max_score"],
            criteria=to_criteria(row["criteria"]),
            feedback=row["feedback"],
            flags=tuple(from_json(row["flags"])),
            model=row["model"],
            source=GradeSource(row["source"]),
            confidence=row["confidence"],
        ),
    )


def to_criteria(told: str) -> tuple[CriterionGrade, ...]:
    return tuple(map(_criterion, from_json(told)))


def _criterion(told: Mapping[str, Any]) -> CriterionGrade:
    return CriterionGrade(
        id=told["id"],
        level=told["level"],
        points=told["points"],
        reason=told["reason"],
        evidence=tuple(Evidence(**quote) for quote in told["evidence"]),
    )


def from_grade(grade: Grade) -> tuple[Any, ...]:
    """The columns model to confidence of grade_insert."""
    return (
        grade.model,
        grade.score,
        grade.max_score,
        as_json(grade.criteria),
        grade.feedback,
        as_json(grade.flags),
        grade.confidence,
    )


def from_attempt(job_id: int, attempt: Attempt, answer_use: str) -> tuple[Any, ...]:
    """The parameters of attempt_insert."""
    usage = attempt.usage
    return (
        answer_use,
        attempt.error,
        attempt.reason,
        attempt.request_key,
        attempt.model,
        attempt.request_id,
        attempt.http_status,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_tokens,
        attempt.cost,
        attempt.uncertain_cost,
        attempt.lease,
        day_of(attempt.started_at),
        attempt.started_at,
        attempt.finished_at,
        job_id,
    )


def to_attempt(row: sqlite3.Row) -> AttemptRow:
    names = AttemptRow.__dataclass_fields__
    return AttemptRow(**{name: row[name] for name in names})


def to_paid_answer(row: sqlite3.Row) -> PaidAnswer:
    return PaidAnswer(
        request_key=row["request_key"],
        prefix=row["prefix"],
        sent=row["sent"],
        text=row["text"],
        stop=row["stop"],
        raw=row["raw"],
        model=row["model"] or "",
        usage=Usage(row["input_tokens"], row["output_tokens"], row["cache_read_tokens"]),
        attempt_id=row["id"],
    )


def to_release(row: sqlite3.Row) -> ReleaseRow:
    return ReleaseRow(**dict(row))


def to_rubric(row: sqlite3.Row) -> RubricRow:
    return RubricRow(**dict(row))


def to_rubric_version(row: sqlite3.Row) -> RubricVersion:
    names = RubricRow.__dataclass_fields__
    return RubricVersion(
        rubric=RubricRow(**{name: row[name] for name in names}),
        number=row["number"],
        assigned_at=row["assigned_at"],
        is_assigned=bool(row["is_assigned"]),
        graded=row["graded"],
        open_batches=tuple(from_json(row["open_batches"])),
    )


def to_badges(row: sqlite3.Row) -> Badges:
    return Badges(**{name: row[name] for name in Badges.__dataclass_fields__})


def to_backlog(row: sqlite3.Row) -> Backlog:
    return Backlog(*row)


def to_event(row: sqlite3.Row) -> Event:
    return Event(
        seq=row["seq"],
        at=row["at"],
        kind=row["kind"],
        course=row["course"],
        assignment=row["assignment"],
        batch_id=row["batch_id"],
        job_id=row["job_id"],
        submission_id=row["submission_id"],
        data=from_json(row["data"]) if row["data"] else None,
    )
