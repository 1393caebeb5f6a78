"""Grades: a new version each time, one current, a person's never overwritten by a machine's."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from gradeq.errors import ChangedError, ConflictError, NotFoundError
from gradeq.model import Grade, GradeSource
from gradeq.store.claims import Settlement
from gradeq.store.rows import GradeRow, Judged, Seen
from gradeq.store.sqlite.rows import from_grade, to_criteria, to_grade_row
from gradeq.store.sqlite.tx import Tx, ids_json, tell

_PERSON = GradeSource.PERSON


def apply(tx: Tx, settlements: Sequence[Settlement]) -> None:
    """The grades of settled jobs become current, except beside a person's."""
    if not settlements:
        return
    job_ids = ids_json([one.job_id for one in settlements])
    about = {row[0]: row for row in tx.all("jobs_about", ids=job_ids)}
    papers = [about[one.job_id]["submission_id"] for one in settlements]
    if None in papers:
        raise ValueError("a job without a submission cannot end in a grade")
    latest = {row[0]: row for row in tx.all("grades_latest", ids=ids_json(papers))}
    kept = {paper for paper in papers if paper in latest and latest[paper]["by_person"]}
    replaced = [paper for paper in papers if paper in latest and paper not in kept]
    if replaced:
        tx.run("grades_retire", ids=ids_json(replaced))
    version = {paper: latest[paper]["version"] if paper in latest else 0 for paper in papers}
    # Two graders may end with one paper at once: both grades are kept, the last one is current.
    last = {paper: one.job_id for one, paper in zip(settlements, papers, strict=True)}
    rows = []
    for one, paper in zip(settlements, papers, strict=True):
        version[paper] += 1
        is_current = paper not in kept and one.job_id == last[paper]
        rows.append(_row(tx.now, one, about[one.job_id], version[paper], is_current=is_current))
    tx.many("grade_insert", rows)
    tx.run("submissions_graded", ids=ids_json(papers), now=tx.now)


def _row(
    now: int, one: Settlement, job: sqlite3.Row, version: int, *, is_current: bool
) -> tuple[Any, ...]:
    assert one.grade is not None
    return (
        version,
        is_current,
        one.grade.source,
        job["grader"],
        one.job_id,
        one.attempt_id,
        job["rubric_id"],
        one.request_key,
        *from_grade(one.grade),
        None,
        now,
        job["submission_id"],
    )


def edit(tx: Tx, submission_id: int, grade: Grade, by: str, seen: Seen | None = None) -> GradeRow:
    """A person's grade. Raises NotFoundError, ChangedError, or ConflictError while the student
    still writes.
    """
    paper = _paper(tx, submission_id)
    if seen is not None:
        _refuse_changed(tx, paper, seen)
    if paper["status"] in ("in_progress", "released"):
        raise ConflictError(
            f"submission {submission_id} is {paper['status']}; its grade was not changed"
        )
    latest = tx.all("grades_latest", ids=ids_json([submission_id]))
    version = latest[0]["version"] + 1 if latest else 1
    tx.run("grades_retire", ids=ids_json([submission_id]))
    machine = [None] * 5
    told = from_grade(grade)
    tx.many("grade_insert", [(version, True, _PERSON, *machine, *told, by, tx.now, submission_id)])
    tx.run("submissions_graded", ids=ids_json([submission_id]), now=tx.now)
    tell(tx, "grade.edited", assignment_id=paper["assignment_id"], submission_id=submission_id)
    return to_grade_row(tx.all("grades_of", submission_id=submission_id)[0])


def review(tx: Tx, submission_id: int, by: str, seen: Seen) -> None:
    """A person finds the grade right. Raises NotFoundError, ChangedError or ConflictError."""
    paper = _paper(tx, submission_id)
    current = _refuse_changed(tx, paper, seen)
    if current is None:
        raise ConflictError(f"submission {submission_id} has no grade to review")
    if current["reviewed_by"] is not None:
        return
    tx.run("grade_review", id=current["id"], by=by, now=tx.now)
    tell(tx, "grade.reviewed", assignment_id=paper["assignment_id"], submission_id=submission_id)


def judged(tx: Tx, rubric_id: int, limit: int) -> list[Judged]:
    found = tx.all("grades_by_people", rubric_id=rubric_id, limit=limit)
    return [Judged(row["text"], to_criteria(row["criteria"])) for row in found]


def _paper(tx: Tx, submission_id: int) -> sqlite3.Row:
    paper = tx.one("submission_get", id=submission_id)
    if paper is None:
        raise NotFoundError(f"there is no submission {submission_id}")
    return paper


def _refuse_changed(tx: Tx, paper: sqlite3.Row, seen: Seen) -> sqlite3.Row | None:
    """The current grade, where it and the text are those that were seen."""
    current = tx.one("grade_current", submission_id=paper["id"])
    if paper["version"] != seen.paper_version:
        raise ChangedError(
            "the student handed in a new text meanwhile; nothing was changed. Look at the new text",
            by="",
        )
    if (current["version"] if current else 0) != seen.grade_version:
        who = (current["edited_by"] if current else None) or "gradeq"
        raise ChangedError(
            f"{who} changed this grade meanwhile; nothing was overwritten. Look at it as it is now",
            by=who,
        )
    return current
