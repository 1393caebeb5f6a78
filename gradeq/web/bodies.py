"""What requests may hold: path and query values, and bodies. Checked before anything is done."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from gradeq.model import (
    DEFAULT_ASSIGNMENT,
    DEFAULT_COURSE,
    DEFAULT_GRADER,
    DEFAULT_OWNER,
    JobState,
    SubmissionStatus,
)
from gradeq.store.people import Role

_LARGEST = 2**63 - 1
_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
_NO_NUL = r"^[^\x00]*$"

Id = Annotated[int, Meta(ge=1, le=_LARGEST, description="an id that gradeq gave")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=_ONE_LINE)]
_PathName = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^(?!\.{1,2}$)[^\x00-\x1f\x7f]+$",
        description="one line of 1 to 200 characters, not a dot alone",
    ),
]
Person = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
        description="the name of the person who does this",
    ),
]
ExternalId = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=_ONE_LINE, description="your own id")
]
Milliseconds = Annotated[int, Meta(ge=0, le=_LARGEST, description="since 1970 UTC")]
Points = Annotated[float, Meta(ge=-1e9, le=1e9)]
Cost = Annotated[float, Meta(gt=0, le=1e12, description="in the currency of the prices")]
LongText = Annotated[str, Meta(max_length=100_000, pattern=_NO_NUL)]

_After = Annotated[int, Meta(ge=0, le=_LARGEST, description="the last page's `next`")]
_Limit = Annotated[int, Meta(ge=1, le=1000)]


class _Closed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Unknown fields are refused: a misspelt one would be ignored in silence."""


class Page(_Closed, frozen=True, kw_only=True):
    after: _After = 0
    limit: _Limit = 100


class CoursePage(_Closed, frozen=True, kw_only=True):
    after: Name | None = None
    limit: _Limit = 100


class JobPage(Page, frozen=True, kw_only=True):
    status: JobState | None = None


class SubmissionPage(Page, frozen=True, kw_only=True):
    course: Name = DEFAULT_COURSE
    assignment: Name = DEFAULT_ASSIGNMENT
    status: SubmissionStatus | None = None
    archived: bool = False
    text: bool = False


class Watch(_Closed, frozen=True, kw_only=True):
    """Which events to send; `after` replays those after a sequence number."""

    course: Name | None = None
    assignment: Name | None = None
    batch_id: Id | None = None
    after: Annotated[int, Meta(ge=0, le=_LARGEST)] | None = None


class NewPlace(_Closed, frozen=True, kw_only=True):
    """An assignment that a person names. A dot alone would lead elsewhere in an address."""

    course: _PathName
    assignment: _PathName


class Nothing(_Closed, frozen=True, kw_only=True):
    """No values."""


class RubricSource(_Closed, frozen=True, kw_only=True):
    """A rubric's TOML text."""

    source: str


class GradeOrder(_Closed, frozen=True, kw_only=True):
    """Which papers to grade, and how. Numbers are ids of gradeq, texts your own ids, which are
    looked up in `course` and `assignment` where these are given. Without `submission_ids`: all
    submitted papers of the assignment. `priority` 1 goes first, 10 last. `when` is "overnight"
    for the provider's batch API: half the price, done within a day.
    """

    submission_ids: list[Id | ExternalId] | None = None
    course: Name | None = None
    assignment: Name | None = None
    grader: Name = DEFAULT_GRADER
    rubric_id: Id | None = None
    priority: Annotated[int, Meta(ge=1, le=10)] = 5
    owner: Name = DEFAULT_OWNER
    deadline: Milliseconds | None = None
    idempotency_key: Name | None = None
    max_cost: Cost | None = None
    when: Literal["now", "overnight"] = "now"


class Paper(Struct, frozen=True, kw_only=True):
    """A student's paper. `external_id` may be called `id`; other keys are kept as `extra`."""

    text: Annotated[str, Meta(pattern=_NO_NUL)]
    id: ExternalId | int | None = None
    external_id: ExternalId | int | None = None
    student: str | None = None
    course: Name = DEFAULT_COURSE
    assignment: Name = DEFAULT_ASSIGNMENT
    status: Literal["in_progress", "submitted"] = "submitted"


class Named(_Closed, frozen=True, kw_only=True):
    """Done in a person's name. The name of whoever has signed in counts more than `by`; where
    nobody has, `by` is needed.
    """

    by: Person = ""


class Papers(Named, frozen=True, kw_only=True):
    """Which papers."""

    submission_ids: Annotated[list[Id | ExternalId], Meta(min_length=1)]
    course: Name | None = None
    assignment: Name | None = None


class Release(Papers, frozen=True, kw_only=True):
    """Which papers, and in whose name. There is no release without a person."""


class Archive(Papers, frozen=True, kw_only=True):
    by: Person = "api"


class Pause(Named, frozen=True, kw_only=True):
    by: Person = "api"
    reason: Annotated[str, Meta(min_length=1, max_length=1000, pattern=_NO_NUL)] | None = None


class BatchChange(_Closed, frozen=True, kw_only=True):
    """What is to be changed. `max_cost`: what its calls may cost together; null takes it away."""

    max_cost: Cost | UnsetType | None = UNSET


class By(Named, frozen=True, kw_only=True):
    by: Person = "api"


class CriterionEdit(_Closed, frozen=True, kw_only=True):
    id: Name
    points: Points
    level: Name | None = None
    reason: LongText | None = None


class GradeEdit(Named, frozen=True, kw_only=True):
    """A person's changes to the current grade; whatever is left out stays as it is.

    With `criteria`, the score is their sum. `max_score` is needed only for a paper that has
    neither a grade nor a rubric.
    """

    score: Points | None = None
    max_score: Annotated[float, Meta(gt=0, le=1e9)] | None = None
    criteria: list[CriterionEdit] | None = None
    feedback: LongText | None = None


class NewToken(_Closed, frozen=True, kw_only=True):
    """A token for `name`, who is put on the list if nobody there is called so. `role` and `courses`
    replace what she had; left out, they stay, and who is new is a teacher.
    """

    name: Person
    role: Role | None = None
    courses: list[Name] | None = None
    label: Annotated[str, Meta(max_length=200, pattern=_ONE_LINE)] = ""
    days: Annotated[float, Meta(gt=0, le=36_500, description="until it ends")] | None = None


class NewLink(_Closed, frozen=True, kw_only=True):
    """Whom the link signs in."""

    name: Person
