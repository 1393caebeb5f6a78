"""How claimed jobs go on: answers stored, outcomes settled, everything fenced by the lease."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from gradeq.model import JobState
from gradeq.outcome import MAX_INTERRUPTIONS, Counter, ErrorClass
from gradeq.store.claims import Attempt, Claimed, PaidAnswer, Recovery, Settlement
from gradeq.store.sqlite import control, grades, money
from gradeq.store.sqlite.rows import from_attempt
from gradeq.store.sqlite.tx import Tx, as_json, ids_json

_WRITES = {
    JobState.COMPLETED: "jobs_complete",
    JobState.FAILED: "jobs_fail",
    JobState.PENDING: "jobs_return",
}
# What a bad value raises, as opposed to a disk or database in trouble.
_BAD_VALUE = (TypeError, ValueError, OverflowError)
_UNSTORABLE = (*_BAD_VALUE, sqlite3.IntegrityError, sqlite3.ProgrammingError)


def store_answer(tx: Tx, claimed: Claimed, attempt: Attempt, answer: PaidAnswer) -> int:
    """A paid answer goes on record before it is read; one that came too late is salvage."""
    held = tx.one("lease_held", id=claimed.job.id, lease=claimed.lease) is not None
    _record(tx, [(claimed.job.id, attempt)], "stored" if held else "salvage")
    attempt_id = int(tx.value("last_id"))
    money.end_reservation(tx, claimed.job.id, claimed.lease, is_late=not held)
    tx.run(
        "answer_insert",
        attempt_id=attempt_id,
        prefix_id=prefix_id(tx, answer.prefix),
        sent=answer.sent,
        text=answer.text,
        stop=answer.stop,
        raw=answer.raw,
    )
    return attempt_id


def prefix_id(tx: Tx, prefix: str) -> int | None:
    if not prefix:
        return None
    sha256 = hashlib.sha256(prefix.encode()).hexdigest()
    known = tx.value("prefix_id", sha256=sha256)
    if known is None:
        tx.run("prefix_ensure", sha256=sha256, text=prefix)
        known = tx.value("prefix_id", sha256=sha256)
    return int(known)


def _record(tx: Tx, attempts: Iterable[tuple[int, Attempt]], answer_use: str = "none") -> None:
    tx.many("attempt_insert", (from_attempt(*one, answer_use) for one in attempts))


def settle(tx: Tx, settlements: Sequence[Settlement], pause_after: int) -> list[bool]:
    """As one set; where one of them cannot be stored, one by one: the others are."""
    try:
        return _settle_together(tx, settlements, pause_after)
    except _UNSTORABLE:
        return [_settle_alone(tx, one, pause_after) for one in settlements]


def _settle_alone(tx: Tx, one: Settlement, pause_after: int) -> bool:
    try:
        return _settle_together(tx, [one], pause_after)[0]
    except _UNSTORABLE as error:
        return _settle_together(tx, [_unstorable(one, error)], pause_after)[0]


def _unstorable(one: Settlement, error: Exception) -> Settlement:
    reason = f"its outcome cannot be stored: {type(error).__name__}: {error}"[:500]
    crashed = ErrorClass.CRASHED
    return Settlement(
        one.job_id,
        one.lease,
        JobState.FAILED,
        error=crashed,
        reason=reason,
        attempt=None if one.attempt is None else replace(one.attempt, error=crashed, reason=reason),
        attempt_id=one.attempt_id,
    )


def _settle_together(tx: Tx, settlements: Sequence[Settlement], pause_after: int) -> list[bool]:
    """One statement per table, not per job."""
    with tx.piece():
        is_held = _fenced(tx, settlements)
        applied = [one for one, held in zip(settlements, is_held, strict=True) if held]
        for state, query in _WRITES.items():
            rows = [_row(one) for one in applied if one.state is state]
            if rows:
                tx.run(query, rows=as_json(rows), now=tx.now)
        _record_tries(tx, settlements, is_held)
        _mark_answers(tx, settlements, is_held)
        grades.apply(tx, [one for one in applied if one.grade is not None])
        _count_streaks(tx, applied, pause_after)
        return is_held


def _fenced(tx: Tx, settlements: Sequence[Settlement]) -> list[bool]:
    """Whether each one's lease is held; a lease ends one job once."""
    keys = [(one.job_id, one.lease) for one in settlements]
    held = set(map(tuple, tx.all("leases_held", leases=as_json(keys))))
    fenced = []
    for one, key in zip(settlements, keys, strict=True):
        fenced.append(key in held and one.state in _WRITES)
        held.discard(key)
    return fenced


def _row(one: Settlement) -> list[Any]:
    if one.state is JobState.COMPLETED:
        return [one.job_id, one.lease, None if one.result is None else as_json(one.result)]
    return [one.job_id, one.lease, one.error, one.reason, one.counter, one.run_at]


def _record_tries(tx: Tx, settlements: Sequence[Settlement], is_held: Sequence[bool]) -> None:
    """Every try goes on record, also one that came too late or whose end nobody tells."""
    claims = [(one.job_id, one.lease) for one in settlements]
    told = {key for key, one in zip(claims, settlements, strict=True) if one.attempt is not None}
    tries = [(one.job_id, one.attempt) for one in settlements if one.attempt is not None]
    tries += money.end_reservations(tx, claims, told)
    for (job_id, lease), held in zip(claims, is_held, strict=True):
        if not held and (job_id, lease) in told:
            money.end_reservation(tx, job_id, lease, is_late=True)
    if tries:
        _record(tx, tries)


def _mark_answers(tx: Tx, settlements: Sequence[Settlement], is_held: Sequence[bool]) -> None:
    """What became of the answers that were stored before they were read."""
    told = zip(settlements, is_held, strict=True)
    rows = [_answer_use(one, held=held) for one, held in told if one.attempt_id]
    if rows:
        tx.run("attempts_use", rows=as_json(rows))


def _answer_use(one: Settlement, *, held: bool) -> list[Any]:
    if not held:
        return [one.attempt_id, "salvage", None, None]
    if one.state is JobState.COMPLETED:
        return [one.attempt_id, "applied", None, None]
    return [one.attempt_id, "unusable", one.error, one.reason]


def _count_streaks(tx: Tx, applied: Sequence[Settlement], pause_after: int) -> None:
    """Enough failures in a row with one cause that no retry can mend pause the batch."""
    batches = tx.pairs("jobs_about", ids=ids_json([one.job_id for one in applied]))
    for batch_id in {batches[one.job_id] for one in applied if one.state is JobState.COMPLETED}:
        tx.run("batch_streak_over", id=batch_id)
    for one in applied:
        if one.stuck_on is not None:
            _count_failure(tx, batches[one.job_id], one, pause_after)


def _count_failure(tx: Tx, batch_id: int, one: Settlement, pause_after: int) -> None:
    # None where it is paused: what it stands still for stays on record.
    streak = tx.value("batch_failed_alike", id=batch_id, cause=one.stuck_on)
    if streak is not None and streak >= pause_after and one.stuck_on is not None:
        control.pause_by_itself(tx, batch_id, one.stuck_on, one.reason)


def return_left_behind(tx: Tx) -> Recovery:
    """At start: whatever an older process of this database had in hand is pending again."""
    tx.run("readings_forget")
    recovery = _interrupt(tx, "jobs_left_behind", "gradeq stopped while this was being graded")
    _record(tx, money.write_off(tx))
    return recovery


def return_expired(tx: Tx) -> Recovery:
    return _interrupt(tx, "jobs_expired", "its lease ran out", now=tx.now)


def _interrupt(tx: Tx, query: str, reason: str, **values: int) -> Recovery:
    interrupted = [_interruption(tx.now, row, reason) for row in tx.all(query, **values)]
    settle(tx, interrupted, pause_after=0)
    failed = sum(one.state is JobState.FAILED for one in interrupted)
    return Recovery(len(interrupted) - failed, failed)


def _interruption(now: int, row: sqlite3.Row, reason: str) -> Settlement:
    job_id, lease, interruptions, amount, reserved_at = row
    worn_out = interruptions + 1 >= MAX_INTERRUPTIONS
    return Settlement(
        job_id,
        lease,
        JobState.FAILED if worn_out else JobState.PENDING,
        counter=Counter.INTERRUPTION,
        error=ErrorClass.INTERRUPTED,
        reason=f"{reason}, {MAX_INTERRUPTIONS} times" if worn_out else reason,
        attempt=Attempt(
            reserved_at or now,
            now,
            ErrorClass.INTERRUPTED,
            reason,
            uncertain_cost=amount or 0.0,
            lease=lease if amount else None,
        ),
    )
