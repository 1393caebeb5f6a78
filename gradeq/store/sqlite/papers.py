"""Submissions: import, archive, release."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gradeq.errors import ConflictError
from gradeq.model import Cancelled, NewSubmission, SubmissionStatus
from gradeq.store.orders import Added, Kept, Skipped
from gradeq.store.rows import TAKE_BACK_SECONDS
from gradeq.store.sqlite.tx import Tx, as_json, ids_json, tell

_HANDED_IN = frozenset({SubmissionStatus.IN_PROGRESS, SubmissionStatus.SUBMITTED})

_FILLERS = "\u115f\u1160\u3164\uffa0"
"""Hangul letters that are drawn as nothing (Unicode: Default_Ignorable_Code_Point)."""


def add(tx: Tx, papers: Sequence[NewSubmission]) -> list[Added]:
    """Insert new papers; replace the text of known ones where nobody's decision stands on it."""
    assignments: dict[tuple[str, str], int] = {}
    added = []
    for handed_in in papers:
        _refuse_decided(handed_in)
        # A cell of blanks is no name: nobody could see whose paper that is.
        paper = replace(handed_in, student=handed_in.student.strip())
        where = (paper.course, paper.assignment)
        if where not in assignments:
            assignments[where] = ensure_assignment(tx, *where)
        added.append(_add_one(tx, assignments[where], paper))
    if any(one.change in ("created", "replaced") for one in added):
        _tell_import(tx, assignments.values())
    return added


def _refuse_decided(paper: NewSubmission) -> None:
    if paper.status not in _HANDED_IN:
        raise ConflictError(
            f"the paper {paper.external_id!r} cannot come in as {paper.status}: grades and "
            "releases are made here; nothing was stored"
        )


def ensure_assignment(tx: Tx, course: str, name: str) -> int:
    tx.run("assignment_ensure", course=course, name=name)
    return int(tx.value("assignment_id", course=course, name=name))


def _tell_import(tx: Tx, assignment_ids: Iterable[int]) -> None:
    for assignment_id in assignment_ids:
        tell(tx, "submissions.imported", assignment_id=assignment_id)


def _add_one(tx: Tx, assignment_id: int, paper: NewSubmission) -> Added:
    known = tx.one("submission_known", assignment_id=assignment_id, external_id=paper.external_id)
    if known is None:
        return _create(tx, assignment_id, paper)
    if known["sha256"] == _sha256(paper.text):
        return _keep_text(tx, known, paper)
    return _replace_text(tx, known, paper)


def _create(tx: Tx, assignment_id: int, paper: NewSubmission) -> Added:
    cursor = tx.run(
        "submission_insert",
        assignment_id=assignment_id,
        external_id=paper.external_id,
        student=paper.student,
        extra=as_json(dict(paper.extra)),
        status=paper.status,
        characters=len(paper.text),
        has_words=has_words(paper.text),
        now=tx.now,
    )
    submission_id = cursor.lastrowid or 0
    _write_text(tx, submission_id, 1, paper.text)
    return Added(submission_id, paper.external_id, "created")


def has_words(text: str) -> bool:
    """Whether a person who opens `text` surely reads something. False is no proof that it is blank.

    Markup and what cannot be seen begin with no letter; but for four, which fill the place of one.
    """
    first = text[:100].lstrip()[:1]
    return first.isalnum() and first not in _FILLERS


def _write_text(tx: Tx, submission_id: int, version: int, text: str) -> None:
    tx.run(
        "paper_insert",
        submission_id=submission_id,
        version=version,
        text=text,
        sha256=_sha256(text),
        now=tx.now,
    )


def _keep_text(tx: Tx, known: sqlite3.Row, paper: NewSubmission) -> Added:
    handed_in = known["status"] == "in_progress" and paper.status != "in_progress"
    status = paper.status if handed_in else known["status"]
    same = (known["student"], json.loads(known["extra"])) == (paper.student, dict(paper.extra))
    if same and status == known["status"]:
        return Added(known["id"], paper.external_id, "unchanged")
    tx.run(
        "submission_touch",
        id=known["id"],
        student=paper.student,
        extra=as_json(dict(paper.extra)),
        status=status,
        now=tx.now,
    )
    return Added(known["id"], paper.external_id, "unchanged")


def _replace_text(tx: Tx, known: sqlite3.Row, paper: NewSubmission) -> Added:
    refused = _why_not_replaced(known)
    if refused:
        return Added(known["id"], paper.external_id, "refused", refused)
    _cancel_job(tx, known["id"], Cancelled.REPLACED)
    tx.run("grades_retire", ids=ids_json([known["id"]]))
    _write_text(tx, known["id"], known["version"] + 1, paper.text)
    tx.run(
        "submission_replace",
        id=known["id"],
        student=paper.student,
        extra=as_json(dict(paper.extra)),
        status=paper.status,
        characters=len(paper.text),
        has_words=has_words(paper.text),
        now=tx.now,
    )
    return Added(known["id"], paper.external_id, "replaced")


def _why_not_replaced(known: sqlite3.Row) -> Kept | None:
    if known["archived_at"] is not None:
        return Kept.ARCHIVED
    if known["status"] == "released":
        return Kept.RELEASED
    return Kept.BY_PERSON if known["by_person"] else None


def _cancel_job(tx: Tx, submission_id: int, why: Cancelled) -> None:
    told = {"submission_id": submission_id, "reason": why}
    tx.run("job_cancel_of_submission", now=tx.now, **told)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def archive(tx: Tx, ids: Sequence[int]) -> list[Skipped]:
    skipped = []
    for row in tx.all("submission_states", ids=ids_json(ids)):
        if row["id"] is None:
            skipped.append(not_found(row["wanted"]))
        elif row["archived_at"] is None:
            tx.run("submission_archive", id=row["id"], now=tx.now)
            _cancel_job(tx, row["id"], Cancelled.ARCHIVED)
    return skipped


def unarchive(tx: Tx, ids: Sequence[int]) -> list[Skipped]:
    skipped = []
    for row in tx.all("submission_states", ids=ids_json(ids)):
        if row["id"] is None:
            skipped.append(not_found(row["wanted"]))
        else:
            tx.run("submission_unarchive", id=row["id"], now=tx.now)
    return skipped


def release(tx: Tx, ids: Sequence[int], by: str) -> list[Skipped]:
    skipped = []
    for row in tx.all("submission_states", ids=ids_json(ids)):
        if row["id"] is None:
            skipped.append(not_found(row["wanted"]))
        elif row["archived_at"] is not None:
            skipped.append(archived(row["id"]))
        elif row["status"] == SubmissionStatus.GRADED:
            tx.run("submission_release", id=row["id"], by=by, now=tx.now)
            _cancel_job(tx, row["id"], Cancelled.RELEASED)
        elif row["status"] != SubmissionStatus.RELEASED:
            skipped.append(Skipped(row["id"], "not_graded", f"it is {row['status']}, not graded"))
    return skipped


def take_back(tx: Tx, ids: Sequence[int], by: str) -> list[Skipped]:
    skipped = []
    for row in tx.all("submission_releases", ids=ids_json(ids)):
        if row["id"] is None:
            skipped.append(not_found(row["wanted"]))
        elif refused := _why_not_taken_back(row, by, tx.now):
            skipped.append(refused)
        else:
            tx.run("submission_unrelease", id=row["id"], now=tx.now)
    return skipped


def _why_not_taken_back(row: sqlite3.Row, by: str, now: int) -> Skipped | None:
    if row["archived_at"] is not None:
        return archived(row["id"])
    if row["status"] != SubmissionStatus.RELEASED:
        return Skipped(row["id"], "not_released", f"it is {row['status']}, not released")
    if row["released_by"] != by:
        return Skipped(
            row["id"], "not_yours", f"{row['released_by']} released it and may take it back"
        )
    if now - row["released_at"] > TAKE_BACK_SECONDS * 1000:
        return Skipped(
            row["id"], "too_late", f"it was released more than {TAKE_BACK_SECONDS} seconds ago"
        )
    return None


def not_found(submission_id: int) -> Skipped:
    return Skipped(submission_id, "not_found", f"there is no submission {submission_id}")


def archived(submission_id: int) -> Skipped:
    return Skipped(submission_id, "archived", "it is archived; unarchive it first")
