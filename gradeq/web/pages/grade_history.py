"""What happened to a grade: every version, review and release, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gradeq.model import CriterionGrade, GradeSource
from gradeq.store.rows import GradeRow, ReleaseRow


@dataclass(frozen=True, slots=True)
class Change:
    """A criterion that an edit changed: what it was, and what it is since."""

    before: CriterionGrade | None
    after: CriterionGrade


@dataclass(frozen=True, slots=True)
class Happening:
    """`what` is graded, edited, reviewed, released or taken_back; `by` a person or a grader."""

    at: int
    what: str
    by: str
    grade: GradeRow | None = None
    changes: tuple[Change, ...] = ()
    has_new_feedback: bool = False


def happenings(versions: Sequence[GradeRow], releases: Sequence[ReleaseRow]) -> list[Happening]:
    """Of one paper; `versions` as the store tells them, newest first."""
    oldest_first = list(reversed(versions))
    found = [one for pair in _with_former(oldest_first) for one in _of_version(*pair)]
    found += [one for release in releases for one in _of_release(release)]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _with_former(versions: Sequence[GradeRow]) -> Iterator[tuple[GradeRow, GradeRow | None]]:
    former: GradeRow | None = None
    for one in versions:
        yield one, former
        former = one


def _of_version(row: GradeRow, former: GradeRow | None) -> Iterator[Happening]:
    if row.source is GradeSource.PERSON:
        before = {one.id: one for one in former.grade.criteria} if former else {}
        changes = [Change(before.get(one.id), one) for one in row.grade.criteria]
        yield Happening(
            row.created_at,
            "edited",
            row.edited_by or "",
            row,
            tuple(one for one in changes if one.before != one.after),
            row.grade.feedback != (former.grade.feedback if former else ""),
        )
    else:
        yield Happening(row.created_at, "graded", row.grade.model or row.grader or "", row)
    if row.reviewed_at is not None and row.reviewed_by is not None:
        yield Happening(row.reviewed_at, "reviewed", row.reviewed_by)


def _of_release(row: ReleaseRow) -> Iterator[Happening]:
    yield Happening(row.released_at, "released", row.released_by)
    if row.taken_back_at is not None:
        yield Happening(row.taken_back_at, "taken_back", row.released_by)
