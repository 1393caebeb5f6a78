"""Caps on cost: money is reserved before a call is made, and counted when its cost is known."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from gradeq.days import day_of
from gradeq.errors import NotFoundError
from gradeq.outcome import ErrorClass
from gradeq.store.claims import Attempt
from gradeq.store.costs import CapReached, DayRow, Need, Reserved
from gradeq.store.sqlite import control
from gradeq.store.sqlite.rows import to_day
from gradeq.store.sqlite.tx import Tx, as_json

_ROUNDING = 1e-9
"""Of a cap: sums of fractions are not exact. The trigger batch_short_of_money knows it too."""


def set_cap(tx: Tx, batch_id: int, cap: float | None) -> None:
    if not tx.run("batch_cap", id=batch_id, cap=cap, now=tx.now).rowcount:
        raise NotFoundError(f"there is no batch {batch_id}")


def day(tx: Tx, day: str) -> DayRow:
    row = tx.one("day_get", day=day)
    return DayRow(day) if row is None else to_day(row)


def reserve(
    tx: Tx, needs: Sequence[Need], day_cap: float | None
) -> list[Reserved | CapReached | None]:
    return [_reserve(tx, one, day_cap) for one in needs]


def _reserve(tx: Tx, need: Need, day_cap: float | None) -> Reserved | CapReached | None:
    batch = tx.one("purse_of_job", id=need.job_id, lease=need.lease)
    if batch is None:
        return None
    today = day_of(tx.now)
    spent_today = None if day_cap is None else tx.one("day_get", day=today)
    for amount in need.amounts:
        reached = _reached(
            batch, batch["cost_cap"], amount, need.currency, batch["id"]
        ) or _reached(spent_today, day_cap, amount, need.currency, None)
        if reached is None:
            return _reserved(tx, need, amount, batch["id"], today)
    assert reached is not None
    _remember(tx, reached, batch["id"], today)
    return reached


def _reserved(tx: Tx, need: Need, amount: float, batch_id: int, today: str) -> Reserved:
    tx.run(
        "reservation_insert",
        job_id=need.job_id,
        lease=need.lease,
        batch_id=batch_id,
        day=today,
        amount=amount,
        now=tx.now,
    )
    return Reserved(amount, tx.now)


def _remember(tx: Tx, reached: CapReached, batch_id: int, today: str) -> None:
    """While calls are in hand, no more are claimed than there is money for; without any, the
    batch whose cap it is is paused.
    """
    needed = reached.needed
    if reached.batch_id is None:
        tx.run("pool_needs", batch_id=batch_id, day=today, cap=reached.cap, needed=needed)
        return
    tx.run("batch_needs", id=batch_id, needed=needed)
    if not reached.waits:
        control.pause_by_itself(tx, batch_id, ErrorClass.COST_CAP, reached.reason)


def _reached(
    purse: sqlite3.Row | None,
    cap: float | None,
    needed: float,
    currency: str,
    batch_id: int | None,
) -> CapReached | None:
    if cap is None:
        return None
    spent, uncertain, in_hand, reserving = _taken(purse)
    if spent + uncertain + in_hand + needed <= cap * (1 + _ROUNDING):
        return None
    is_waiting = reserving > 0
    return CapReached(cap, spent, uncertain, in_hand, needed, is_waiting, batch_id, currency)


def _taken(purse: sqlite3.Row | None) -> tuple[float, float, float, int]:
    if purse is None:
        return 0.0, 0.0, 0.0, 0
    return (
        purse["cost"],
        purse["uncertain_cost"],
        purse["reserved_cost"],
        purse["reserving"],
    )


def affordable_today(tx: Tx, pool: str, limit: int) -> int:
    """How many jobs are worth claiming: near the day's cap no more than there is money for."""
    affordable = tx.value("day_affords", pool=pool, day=day_of(tx.now))
    return limit if affordable is None else min(limit, affordable)


def end_reservation(tx: Tx, job_id: int, lease: str, *, is_late: bool) -> None:
    """What its call has cost is known; a late one's was given up as uncertain, perhaps."""
    tx.run("reservation_end", job_id=job_id, lease=lease)
    if is_late:
        tx.run("attempt_certain", job_id=job_id, lease=lease)


def end_reservations(
    tx: Tx, claims: Sequence[tuple[int, str]], told: Collection[tuple[int, str]]
) -> list[tuple[int, Attempt]]:
    """These claims are over. Where no attempt tells what became of the call, one is made up: it
    may have cost all that was reserved.
    """
    ended = tx.all("reservations_end", leases=as_json(claims))
    return [
        (job_id, _lost(lease, amount, reserved_at, tx.now))
        for job_id, lease, amount, reserved_at in ended
        if (job_id, lease) not in told
    ]


def _lost(lease: str, amount: float, reserved_at: int, now: int) -> Attempt:
    reason = "gradeq stopped during the call, which may have been charged"
    return Attempt(
        reserved_at, now, ErrorClass.INTERRUPTED, reason, uncertain_cost=amount, lease=lease
    )


def write_off(tx: Tx) -> list[tuple[int, Attempt]]:
    """At start: the calls of jobs that were cancelled meanwhile, by a process that is gone.

    What was known to be short of money is found out anew: prices and caps may have changed.
    """
    tx.run("batches_need_nothing")
    tx.run("pools_need_nothing")
    left = [(row["job_id"], row["lease"]) for row in tx.all("reservations_left")]
    return end_reservations(tx, left, ())
