"""Short reads, each fetched whole."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from gradeq.model import BatchMode, JobState, Submission, SubmissionStatus
from gradeq.store.rows import JobRow, PaperOrder, ResultRow
from gradeq.store.sqlite import rows
from gradeq.store.sqlite.tx import Tx, as_json, ids_json

T = TypeVar("T")
_ORDERED = MappingProxyType(
    {PaperOrder.TIME: "", PaperOrder.STUDENT: "_by_student", PaperOrder.SCORE: "_by_score"}
)


def first(tx: Tx, query: str, convert: Callable[[sqlite3.Row], T], **values: Any) -> T | None:
    row = tx.one(query, **values)
    return None if row is None else convert(row)


def every(tx: Tx, query: str, convert: Callable[[sqlite3.Row], T], **values: Any) -> list[T]:
    return [convert(row) for row in tx.all(query, **values)]


def submissions(
    tx: Tx,
    course: str,
    assignment: str,
    status: SubmissionStatus | None,
    *,
    archived: bool,
    after: int,
    limit: int,
) -> list[Submission]:
    where = {"course": course, "name": assignment, "after": after, "limit": limit}
    if archived:
        return every(tx, "submissions_list_archived", rows.to_submission, **where)
    wanted = list(SubmissionStatus) if status is None else [status]
    found = [
        submission
        for one in wanted
        for submission in every(tx, "submissions_list", rows.to_submission, status=one, **where)
    ]
    return sorted(found, key=lambda submission: submission.id)[:limit]


def tab(
    tx: Tx,
    course: str,
    assignment: str,
    status: SubmissionStatus | None,
    *,
    find: str,
    order: PaperOrder,
) -> list[int]:
    where = {"course": course, "name": assignment, "status": status}
    suffix = "" if status is not None else "_archived"
    query = f"submissions_ids{suffix or _ORDERED[order]}"
    ids = tx.ids(query, order=order, **where)
    if not find:
        return ids
    found = _named(tx, f"submissions_named{suffix}", find.casefold(), where)
    return [one for one in ids if one in found]


def _named(tx: Tx, query: str, wanted: str, where: Mapping[str, Any]) -> set[int]:
    """Papers in whose student's name or own id the case-folded text occurs."""
    like = "%" + re.sub(r"([%_\\])", r"\\\1", wanted) + "%"
    rows_ = tx.all(query, like=like, **where)
    return {id_ for id_, *names in rows_ if any(wanted in name.casefold() for name in names)}


def walk(
    tx: Tx, course: str, assignment: str, status: SubmissionStatus, *, doubtful_first: bool
) -> list[int]:
    where = {"course": course, "name": assignment, "status": status}
    everyone = tx.ids("submissions_ids_by_student", **where)
    if not doubtful_first:
        return everyone
    doubtful = tx.ids("submissions_ids_doubtful", **where)
    unsure = tx.ids("submissions_ids_unsure", **where)
    return list(dict.fromkeys([*doubtful, *unsure, *everyone]))


def find_submissions(
    tx: Tx, external_ids: Sequence[str], course: str | None, assignment: str | None
) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    wanted = as_json(list(external_ids))
    for row in tx.all("submissions_find", external_ids=wanted, course=course, name=assignment):
        found.setdefault(row["external_id"], []).append(row["id"])
    return found


def jobs(tx: Tx, batch_id: int, state: JobState | None, *, after: int, limit: int) -> list[JobRow]:
    return every(
        tx,
        "jobs_list",
        rows.to_job,
        batch_id=batch_id,
        state=state,
        after=after,
        limit=limit,
    )


def results(tx: Tx, ids: Sequence[int]) -> list[ResultRow]:
    """One row per submission, in the order asked for; unknown ids are left out."""
    wanted = ids_json(ids)
    papers = {row["id"]: row for row in tx.all("result_submissions", ids=wanted)}
    grades = {row["submission_id"]: row for row in tx.all("result_grades", ids=wanted)}
    jobs_ = {row["submission_id"]: row for row in tx.all("result_jobs", ids=wanted)}
    costs = {row["submission_id"]: row for row in tx.all("result_costs", ids=wanted)}
    return [
        _result(rows.to_submission(papers[one]), grades.get(one), jobs_.get(one), costs.get(one))
        for one in ids
        if one in papers
    ]


def _result(
    paper: Submission,
    grade: sqlite3.Row | None,
    job: sqlite3.Row | None,
    costs: sqlite3.Row | None,
) -> ResultRow:
    return ResultRow(
        submission=paper,
        grade=None if grade is None else rows.to_grade_row(grade),
        job=None if job is None else rows.to_job(job),
        attempts=costs["attempts"] if costs else 0,
        input_tokens=costs["input_tokens"] if costs else 0,
        output_tokens=costs["output_tokens"] if costs else 0,
        cost=costs["cost"] if costs else 0.0,
        pause_reason=job["pause_reason"] if job else None,
        pause_cause=job["pause_cause"] if job else None,
        mode=BatchMode(job["mode"]) if job else BatchMode.LIVE,
    )


def _damage(tx: Tx) -> list[str]:
    try:
        return [row[0] for row in tx.conn.execute("PRAGMA integrity_check") if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        return [f"the integrity check itself failed: {error}"]


def check(tx: Tx) -> list[str]:
    """Integrity, and every kept counter against a recount."""
    damage = _damage(tx)
    if damage:
        return damage
    found = [f"foreign key: {tuple(row)}" for row in tx.conn.execute("PRAGMA foreign_key_check")]
    for query, what in (
        ("check_badges", "badges unlike a recount"),
        ("check_batches", "job counters unlike a recount"),
        ("check_statuses", "status and current grade disagree"),
        ("check_spending", "spending unlike a recount"),
        ("check_money", "money unlike a recount"),
        ("check_provider_batches", "still in a provider's batch that has ended"),
    ):
        found += [f"{row['which']}: {what}" for row in tx.all(query)]
    return found
