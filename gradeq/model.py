"""The rows, as frozen dataclasses. Times are wall milliseconds since 1970 UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

DEFAULT_COURSE = "default"
DEFAULT_ASSIGNMENT = "default"
DEFAULT_GRADER = "llm"
LEXICAL_GRADER = "lexical"
BLEND_GRADER = "blend"
DEFAULT_OWNER = "local"
GRADING = "grading"
"""The job kind that grades a submission; every other kind is the application's own."""


def is_blend(grader: str) -> bool:
    """True for "blend", the default provider's, and "blend:NAME", that of the provider NAME."""
    return grader.partition(":")[0] == BLEND_GRADER


class SubmissionStatus(StrEnum):
    IN_PROGRESS = "in_progress"
    SUBMITTED = "submitted"
    GRADED = "graded"
    RELEASED = "released"


class JobState(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Cancelled(StrEnum):
    """The reason on record of a job that was cancelled."""

    BY_PERSON = "cancelled"
    ARCHIVED = "archived"
    RELEASED = "released"
    REPLACED = "the paper was replaced"


class BatchStatus(StrEnum):
    """Derived from a batch's stored facts; see the view `batch_status` in schema.sql."""

    DRAFT = "draft"
    PENDING = "pending"
    PROCESSING = "processing"
    PAUSED = "paused"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ARCHIVED = "archived"


class BatchMode(StrEnum):
    """How a batch's jobs are done: call by call, or through the provider's batch API."""

    LIVE = "live"
    OVERNIGHT = "overnight"


class GradeSource(StrEnum):
    MODEL = "model"
    CODE = "code"
    PERSON = "person"


class Flag(StrEnum):
    """Why a person should look at a grade first."""

    CANNOT_ASSESS = "cannot_assess"
    UNVERIFIED_EVIDENCE = "unverified_evidence"
    PARROTED_RUBRIC = "parroted_rubric"
    HOSTILE_TEXT = "hostile_text"
    HIDDEN_TEXT = "hidden_text"
    CANARY = "canary"
    BLANK = "blank"
    WORD_LIST = "word_list"
    PROVISIONAL = "provisional"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class NewSubmission:
    """A paper on its way in. `external_id` is the user's own id, unique in its assignment."""

    external_id: str
    text: str
    student: str = ""
    course: str = DEFAULT_COURSE
    assignment: str = DEFAULT_ASSIGNMENT
    extra: Mapping[str, str] = field(default_factory=dict)
    status: SubmissionStatus = SubmissionStatus.SUBMITTED


@dataclass(frozen=True, slots=True)
class Submission:
    """A student's paper as stored. `version` counts the times its text was replaced."""

    id: int
    external_id: str
    course: str
    assignment: str
    student: str
    text: str
    text_sha256: str
    extra: Mapping[str, str]
    status: SubmissionStatus
    version: int
    archived_at: int | None
    released_at: int | None
    released_by: str | None
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Job:
    """One unit of work, as a grader sees it. `attempt` counts the tries so far, from 1."""

    id: int
    batch_id: int
    kind: str
    grader: str
    attempt: int
    submission: Submission | None = None
    rubric_id: int | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote and where it stands: character offsets into the submission's text, end exclusive.

    Offsets are None where the quote was not found; then `verified` is False.
    """

    quote: str
    start: int | None = None
    end: int | None = None
    verified: bool = False


@dataclass(frozen=True, slots=True)
class CriterionGrade:
    """One criterion's level; `points` is None where the model could not assess it."""

    id: str
    level: str
    points: float | None
    reason: str = ""
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Grade:
    """What a grader returns. `score` and `max_score` are points, added up by code.

    `confidence` is the grader's own, from 0 to 1; None where it tells none.
    """

    score: float
    max_score: float
    criteria: tuple[CriterionGrade, ...] = ()
    feedback: str = ""
    flags: tuple[str, ...] = ()
    model: str | None = None
    source: GradeSource = GradeSource.MODEL
    confidence: float | None = None
