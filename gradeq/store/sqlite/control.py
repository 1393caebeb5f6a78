"""What people do to batches and jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradeq.errors import ConflictError, NotFoundError
from gradeq.model import Cancelled
from gradeq.outcome import ErrorClass
from gradeq.store.sqlite.papers import ensure_assignment
from gradeq.store.sqlite.tx import Tx, as_json, ids_json


def pause(tx: Tx, batch_id: int, by: str, reason: str | None) -> None:
    if not _pause(tx, batch_id, by, reason) and _batch(tx, batch_id)["paused_at"] is None:
        raise ConflictError(f"batch {batch_id} is over; there is nothing to pause")


def pause_by_itself(tx: Tx, batch_id: int, cause: ErrorClass, reason: str | None) -> None:
    """For what only a person can mend."""
    _pause(tx, batch_id, "gradeq", reason or cause.value, cause)


def _pause(
    tx: Tx, batch_id: int, by: str, reason: str | None, cause: ErrorClass | None = None
) -> bool:
    told = {"by": by, "reason": reason, "cause": cause}
    return tx.run("batch_pause", id=batch_id, now=tx.now, **told).rowcount > 0


def resume(tx: Tx, batch_id: int) -> None:
    if not tx.run("batch_resume", id=batch_id, now=tx.now).rowcount:
        _batch(tx, batch_id)


def cancel(tx: Tx, batch_id: int | None, job_ids: Sequence[int]) -> int:
    reason = {"reason": Cancelled.BY_PERSON, "now": tx.now}
    if batch_id is None:
        return tx.run("jobs_cancel", ids=ids_json(job_ids), **reason).rowcount
    _batch(tx, batch_id)
    tx.run("batch_cancel", id=batch_id, now=tx.now)
    return tx.run("jobs_cancel_batch", batch_id=batch_id, **reason).rowcount


def retry(tx: Tx, batch_id: int | None, job_ids: Sequence[int]) -> int:
    if batch_id is not None:
        _batch(tx, batch_id)
        job_ids = [row["id"] for row in tx.all("jobs_failed_of_batch", batch_id=batch_id)]
    again = tx.all("jobs_retry", ids=ids_json(job_ids), now=tx.now)
    tx.run("jobs_rejoin", ids=ids_json([row["id"] for row in again]))
    for reopened in {row["batch_id"] for row in again}:
        tx.run("batch_reopen", id=reopened, now=tx.now)
        tx.run("batch_resume", id=reopened, now=tx.now)
    return len(again)


def _batch(tx: Tx, batch_id: int) -> Mapping[str, Any]:
    row = tx.one("batch_get", id=batch_id)
    if row is None:
        raise NotFoundError(f"there is no batch {batch_id}")
    return dict(row)


def save_rubric(tx: Tx, name: str, sha256: str, source: str) -> int:
    known = tx.value("rubric_same", name=name, sha256=sha256)
    if known is not None:
        return int(known)
    cursor = tx.run("rubric_insert", name=name, sha256=sha256, source=source, now=tx.now)
    return cursor.lastrowid or 0


def assign_rubric(tx: Tx, course: str, assignment: str, rubric_id: int) -> None:
    assignment_id = ensure_assignment(tx, course, assignment)
    tx.run("assignment_set_rubric", id=assignment_id, rubric_id=rubric_id)
    tx.run("assignment_rubric_keep", id=assignment_id, rubric_id=rubric_id, now=tx.now)


def replace_rubric(tx: Tx, course: str, assignment: str, rubric_id: int, seen: int | None) -> bool:
    given = {"id": ensure_assignment(tx, course, assignment), "rubric_id": rubric_id}
    if not tx.run("assignment_replace_rubric", **given, seen=seen).rowcount:
        return False
    tx.run("assignment_rubric_keep", **given, now=tx.now)
    return True


def save_pool(
    tx: Tx, pool: str, state: Mapping[str, Any], reading: Mapping[str, Any] | None
) -> None:
    read = None if reading is None else as_json(reading)
    tx.run("pool_save", pool=pool, state=as_json(state), reading=read, now=tx.now)


def unpark(tx: Tx, pool: str) -> bool:
    return tx.run("pool_unpark", pool=pool, now=tx.now).rowcount > 0


def resume_stuck(tx: Tx, pool: str, pause_after: int) -> list[int]:
    """Neither those that a cap holds, nor those whose grader is not registered."""
    rows = tx.all(
        "batches_resume_stuck",
        pool=pool,
        other_cause=ErrorClass.NO_GRADER,
        streak=pause_after,
        now=tx.now,
    )
    return sorted(row["id"] for row in rows)
