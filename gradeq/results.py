"""What became of a submission, as scripts and exports read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gradeq.model import BatchMode, Grade, JobState, SubmissionStatus
from gradeq.store.rows import JobRow, ResultRow

GRADED = "graded"
UNGRADED = "ungraded"


@dataclass(frozen=True, slots=True)
class Result:
    """One submission's result, or one job's where it has no submission.

    `status` is graded or ungraded; `reason` says why it is ungraded. `result` is what a job of
    another kind returned. Tokens and cost are those of all calls made for it so far.
    """

    id: str
    status: str
    grade: Grade | None = None
    reason: str | None = None
    submission_id: int | None = None
    job_id: int | None = None
    result: Any = None
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    def row(self) -> dict[str, Any]:
        """The documented fields, ready for JSON."""
        grade = self.grade
        return {
            "id": self.id,
            "status": self.status,
            "score": grade.score if grade else None,
            "max_score": grade.max_score if grade else None,
            "criteria": criteria_rows(grade) if grade else [],
            "feedback": grade.feedback if grade else None,
            "flags": list(grade.flags) if grade else [],
            "confidence": grade.confidence if grade else None,
            "model": grade.model if grade else None,
            "attempts": self.attempts,
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cost": self.cost,
            "reason": self.reason,
        }


def criteria_rows(grade: Grade) -> list[dict[str, Any]]:
    """A grade's criteria, ready for JSON."""
    return [
        {
            "id": one.id,
            "level": one.level,
            "points": one.points,
            "reason": one.reason,
            "evidence": [
                {"quote": e.quote, "start": e.start, "end": e.end, "verified": e.verified}
                for e in one.evidence
            ],
        }
        for one in grade.criteria
    ]


def of_submission(row: ResultRow) -> Result:
    """Graded where a current grade stands; else ungraded, with the best reason on record."""
    return Result(
        id=row.submission.external_id,
        status=UNGRADED if row.grade is None else GRADED,
        grade=None if row.grade is None else row.grade.grade,
        reason=None if row.grade is not None else why_ungraded(row),
        submission_id=row.submission.id,
        job_id=None if row.job is None else row.job.id,
        attempts=row.attempts,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cost=row.cost,
    )


def of_job(job: JobRow) -> Result:
    """For a job without a submission."""
    done = job.state is JobState.COMPLETED
    return Result(
        id=str(job.id),
        status=GRADED if done else UNGRADED,
        reason=None if done else job.reason,
        job_id=job.id,
        result=job.result,
        attempts=job.attempts,
    )


def why_ungraded(row: ResultRow) -> str:
    """For people: why this paper has no grade (yet)."""
    if row.submission.archived_at is not None:
        return "archived"
    if row.submission.status is SubmissionStatus.IN_PROGRESS:
        return "the student is still writing it"
    if row.job is None:
        return "not queued for grading"
    if row.job.state in (JobState.FAILED, JobState.CANCELLED):
        return row.job.reason or row.job.state.value
    return _why_waiting(row, row.job)


def _why_waiting(row: ResultRow, job: JobRow) -> str:
    if row.pause_reason is not None:
        return f"waiting: its batch is paused: {row.pause_reason}"
    if row.mode is BatchMode.OVERNIGHT:
        return "waiting for the provider's batch API, overnight"
    if job.reason is not None:
        return f"waiting to be graded; last: {job.reason}"
    return "waiting to be graded"
