"""What the service answers about papers. Times are wall milliseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from gradeq.model import (
    CriterionGrade,
    GradeSource,
    SubmissionStatus,
)
from gradeq.store.rows import AttemptRow, Badges, GradeRow

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
    reviewed_at: int | None
    reviewed_by: str | None
    created_at: int
    score: float
    max_score: float
    criteria: tuple[CriterionGrade, ...]
    feedback: str
    flags: tuple[str, ...]
    confidence: float | None
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
        reviewed_at=row.reviewed_at,
        reviewed_by=row.reviewed_by,
        created_at=row.created_at,
        score=grade.score,
        max_score=grade.max_score,
        criteria=grade.criteria,
        feedback=grade.feedback,
        flags=grade.flags,
        confidence=grade.confidence,
        model=grade.model,
    )


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
    """With its text, its last job, what its calls have cost so far, and why it has no grade where
    it has none.
    """

    cost: float
    job_id: int | None
    ungraded_reason: str | None


class HistoryAnswer(Struct, frozen=True):
    """All versions of a submission's grade, newest first; all tries, oldest first; what these
    have cost together.
    """

    grades: list[GradeAnswer]
    attempts: list[AttemptRow]
    cost: float


class Done(Struct, frozen=True):
    done: int
    skipped: list[SkippedAnswer]
