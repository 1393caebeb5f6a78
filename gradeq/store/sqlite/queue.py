"""Jobs from submit to claim: what goes in, and who is served next."""

from __future__ import annotations

import heapq
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gradeq.model import Submission, SubmissionStatus
from gradeq.store.claims import Claimed
from gradeq.store.orders import QueuedAlready, Skipped, SubmitOrder, Submitted
from gradeq.store.rows import QueuePosition
from gradeq.store.sqlite import money, papers
from gradeq.store.sqlite.rows import NO_DEADLINE, to_claimed, to_paper
from gradeq.store.sqlite.tx import Tx, as_json, ids_json, tell

_GRADABLE = frozenset({SubmissionStatus.SUBMITTED.value, SubmissionStatus.GRADED.value})


def submit(tx: Tx, order: SubmitOrder) -> Submitted:
    """Batch and jobs in one transaction; open jobs of the same paper and grader answer for it."""
    owner_id = _owner_id(tx, order.owner)
    key = {"owner_id": owner_id, "key": order.idempotency_key}
    if order.idempotency_key is not None and (known := tx.one("order_by_key", **key)) is not None:
        return _earlier(tx, known, order)
    submitted = (_submit_payloads if order.payloads else _submit_papers)(tx, order, owner_id)
    if order.idempotency_key is not None:
        tx.run("order_keep", grader=order.grader, batch_id=submitted.batch_id, now=tx.now, **key)
    return submitted


def _owner_id(tx: Tx, name: str) -> int:
    tx.run("owner_ensure", name=name)
    return int(tx.value("owner_id", name=name))


def _new_batch(tx: Tx, order: SubmitOrder, owner_id: int) -> int:
    cursor = tx.run(
        "batch_insert",
        kind=order.kind,
        grader=order.grader,
        pool=order.pool,
        owner_id=owner_id,
        rubric_id=order.rubric_id,
        interactive=int(order.interactive),
        priority=order.priority,
        deadline=NO_DEADLINE if order.deadline is None else order.deadline,
        cost_cap=order.cost_cap,
        fallback_at=order.fallback_at,
        now=tx.now,
    )
    return cursor.lastrowid or 0


def _timing(tx: Tx, order: SubmitOrder) -> dict[str, Any]:
    run_at = tx.now if order.run_at is None else order.run_at
    return {
        "grader": order.grader,
        "waiting": int(run_at > tx.now),
        "run_at": run_at,
        "max_attempts": order.max_attempts,
        "now": tx.now,
    }


def _submit_payloads(tx: Tx, order: SubmitOrder, owner_id: int) -> Submitted:
    batch_id = _new_batch(tx, order, owner_id)
    payloads = as_json(order.payloads)
    tx.run("jobs_insert_payloads", batch_id=batch_id, payloads=payloads, **_timing(tx, order))
    ids = tuple(row[0] for row in tx.all("jobs_of_batch", batch_id=batch_id))
    return Submitted(batch_id, ids, len(ids))


def _submit_papers(tx: Tx, order: SubmitOrder, owner_id: int) -> Submitted:
    accepted, skipped, assignments = _sort_out(tx, order)
    jobs = tx.pairs("jobs_open_for", ids=ids_json(accepted), grader=order.grader)
    already = _by_batch(tx, jobs.values())
    fresh = [one for one in dict.fromkeys(accepted) if one not in jobs]
    batch_id = None
    if fresh:
        batch_id = _new_batch(tx, order, owner_id)
        ids = ids_json(fresh)
        tx.run("jobs_insert_submissions", batch_id=batch_id, ids=ids, **_timing(tx, order))
        jobs |= tx.pairs("jobs_open_for", ids=ids, grader=order.grader)
        for assignment_id in {assignments[one] for one in fresh}:
            tell(tx, "jobs.queued", assignment_id=assignment_id, batch_id=batch_id)
    job_ids = tuple(jobs[one] for one in accepted)
    return Submitted(batch_id, job_ids, len(fresh), tuple(skipped), already)


def _by_batch(tx: Tx, job_ids: Iterable[int], but: int | None = None) -> tuple[QueuedAlready, ...]:
    rows = tx.all("jobs_by_batch", job_ids=ids_json(sorted(job_ids)))
    return tuple(QueuedAlready(*row) for row in rows if row["batch_id"] != but)


def _sort_out(tx: Tx, order: SubmitOrder) -> tuple[list[int], list[Skipped], dict[int, int]]:
    """Papers that can be graded, the others with their reasons, the assignments of the first."""
    accepted: list[int] = []
    skipped: list[Skipped] = []
    assignments: dict[int, int] = {}
    gradable = _GRADABLE if order.again else _GRADABLE - {SubmissionStatus.GRADED.value}
    for row in tx.all("submission_states", ids=ids_json(order.submission_ids)):
        wanted, found, status, archived_at, assignment_id = row
        if found is not None and archived_at is None and status in gradable:
            accepted.append(found)
            assignments[found] = assignment_id
        else:
            skipped.append(_why_not_gradable(wanted, found, status, archived_at))
    return accepted, skipped, assignments


def _why_not_gradable(
    wanted: int, found: int | None, status: str, archived_at: int | None
) -> Skipped:
    if found is None:
        return papers.not_found(wanted)
    if archived_at is not None:
        return papers.archived(wanted)
    if status == SubmissionStatus.RELEASED:
        return Skipped(wanted, "released", "its grade is released already")
    if status == SubmissionStatus.GRADED:
        return Skipped(wanted, "graded", "it is graded already")
    return Skipped(wanted, "in_progress", "the student is still writing it")


def _earlier(tx: Tx, known: sqlite3.Row, order: SubmitOrder) -> Submitted:
    """The same order again: the first answer again, in the order that was asked."""
    batch_id = known["batch_id"]
    own = tx.all("jobs_of_batch", batch_id=batch_id)
    if order.payloads:
        return Submitted(batch_id, tuple(row["id"] for row in own), 0)
    then = {"grader": known["grader"], "ordered_at": known["ordered_at"]}
    jobs = tx.pairs("jobs_open_then", ids=ids_json(order.submission_ids), **then)
    jobs |= {row["submission_id"]: row["id"] for row in own}
    found = tuple(jobs[one] for one in order.submission_ids if one in jobs)
    return Submitted(batch_id, found, 0, already=_by_batch(tx, set(found), but=batch_id))


@dataclass(frozen=True, slots=True)
class _Turn:
    """An owner's claim to be next; the smallest is served."""

    in_flight: int
    last_served: int
    owner_id: int
    ready: int

    def key(self) -> tuple[int, int, int]:
        return self.in_flight, self.last_served, self.owner_id


def share(limit: int, turns: Iterable[_Turn]) -> dict[int, int]:
    """How many jobs each owner gets of `limit`: one at a time to whoever has fewest in flight,
    then was served longest ago.
    """
    heap = [(*turn.key(), turn.ready) for turn in turns if turn.ready > 0]
    heapq.heapify(heap)
    given: dict[int, int] = {}
    while heap and sum(given.values()) < limit:
        in_flight, last_served, owner_id, ready = heapq.heappop(heap)
        given[owner_id] = given.get(owner_id, 0) + 1
        if ready > 1:
            heapq.heappush(heap, (in_flight + 1, last_served, owner_id, ready - 1))
    return given


@dataclass(frozen=True, slots=True)
class Lease:
    """What every job of one claim is marked with."""

    token: str
    until: int


def claim(tx: Tx, pool: str, limit: int, lease_ms: int, but: Sequence[int] = ()) -> list[Claimed]:
    """The next `limit` due jobs of `pool`, tier by tier, fairly between owners."""
    tx.run("jobs_become_due", now=tx.now)
    limit = money.affordable_today(tx, pool, limit)
    line = {"pool": pool, "but": ids_json(but)}
    lease = Lease(secrets.token_hex(16), tx.now + lease_ms)
    claimed: list[Claimed] = []
    while len(claimed) < limit:
        tier = tx.one("claim_tier", **line)
        if tier is None:
            break
        claimed += _claim_tier(tx, {**line, **dict(tier)}, limit - len(claimed), lease)
    return claimed


def _claim_tier(tx: Tx, tier: dict[str, Any], limit: int, lease: Lease) -> list[Claimed]:
    claimed: list[Claimed] = []
    for owner_id, count in share(limit, _turns(tx, tier)).items():
        tx.run("owner_served", id=owner_id)
        claimed += _claim_owner(tx, {**tier, "owner_id": owner_id}, count, lease)
    return claimed


def _claim_owner(tx: Tx, line: dict[str, Any], limit: int, lease: Lease) -> list[Claimed]:
    claimed: list[Claimed] = []
    for batch in tx.all("claim_batches", limit=limit, **line):
        claimed += take(tx, batch, min(limit - len(claimed), batch["affordable"]), lease)
        if len(claimed) == limit:
            break
    return claimed


def _turns(tx: Tx, tier: dict[str, Any]) -> Iterator[_Turn]:
    owner_id = tx.value("claim_owner", after=-1, **tier)
    while owner_id is not None:
        load = tx.one("claim_owner_load", owner_id=owner_id, **tier)
        if load is not None:
            yield _Turn(load["in_flight"], load["last_served"], owner_id, load["ready"])
        owner_id = tx.value("claim_owner", after=owner_id, **tier)


def take(tx: Tx, batch: sqlite3.Row, limit: int, lease: Lease) -> list[Claimed]:
    rows = tx.all(
        "claim_take",
        batch_id=batch["id"],
        limit=limit,
        lease=lease.token,
        lease_until=lease.until,
        now=tx.now,
    )
    papers_ = papers_of(tx, [row[3] for row in rows if row[3] is not None])
    taken = [to_claimed(row, batch, lease.token, papers_.get(row[3])) for row in rows]
    # RETURNING keeps no order.
    return sorted(taken, key=lambda one: (one.counters.interruptions, one.job.id))


def papers_of(tx: Tx, ids: list[int]) -> dict[int, tuple[Submission, bool]]:
    if not ids:
        return {}
    return {row[0]: to_paper(row) for row in tx.all("claim_papers", ids=ids_json(ids))}


def renew(tx: Tx, leases: Sequence[tuple[int, str]], lease_ms: int) -> list[int]:
    held = {
        row["id"]
        for row in tx.all("lease_renew", leases=as_json(leases), lease_until=tx.now + lease_ms)
    }
    return [job_id for job_id, _ in leases if job_id not in held]


def position(tx: Tx, job_id: int) -> QueuePosition | None:
    place = tx.one("job_place", id=job_id)
    if place is None or place["state"] != "pending":
        return None
    told = dict(place)
    ahead = tx.value(
        "ahead_in_batch",
        batch_id=told["batch_id"],
        interruptions=told["interruptions"],
        id=job_id,
    ) + tx.value(
        "ahead_in_other_batches",
        **{
            name: told[name]
            for name in ("pool", "batch_id", "interactive", "priority", "deadline", "owner_id")
        },
    )
    return QueuePosition(
        ahead=ahead,
        run_at=told["run_at"],
        waiting=bool(told["waiting"]),
        paused_by=told["paused_by"],
        pause_reason=told["pause_reason"],
        pool=told["pool"],
    )
