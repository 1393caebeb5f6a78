"""Provider's batches on disk: intended, posted, collected, ended."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from gradeq.model import JobState
from gradeq.store.claims import Claimed, Settlement
from gradeq.store.overnight import Collected, Item, Night, PostState, ProviderBatch
from gradeq.store.sqlite import outcomes, queue
from gradeq.store.sqlite.rows import to_claimed
from gradeq.store.sqlite.tx import Tx, as_json, ids_json, tell

T = TypeVar("T")


class Write(Protocol):
    async def __call__(self, work: Callable[[Tx], T], *, durable: bool = True) -> T: ...


class Read(Protocol):
    def __call__(self, work: Callable[[Tx], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class SqliteProviderBatches:
    """ProviderBatches over a store's way to write and to read."""

    write: Write
    read: Read

    async def nights(self) -> list[Night]:
        return await self.read(lambda tx: [_night(row) for row in tx.all("nights")])

    async def claim(self, batch_id: int, limit: int, lease_seconds: float) -> list[Claimed]:
        lease_ms = round(lease_seconds * 1000)
        return await self.write(
            partial(_claim, batch_id=batch_id, limit=limit, lease_ms=lease_ms), durable=False
        )

    async def intend(
        self, batch_id: int, intent: str, items: Sequence[Item], look_in: float
    ) -> list[int]:
        return await self.write(
            partial(_intend, batch_id=batch_id, intent=intent, items=items, look_in=look_in)
        )

    async def posted(self, intent: str, provider_batch_id: str, look_in: float) -> None:
        await self.write(partial(_posted, intent=intent, id_=provider_batch_id, look_in=look_in))

    async def looked(
        self,
        intent: str,
        look_in: float,
        *,
        answered: int | None = None,
        failed: int | None = None,
        reason: str | None = None,
        is_lost: bool = False,
    ) -> None:
        told = {"intent": intent, "answered": answered, "failed": failed, "reason": reason}
        await self.write(
            partial(_looked, told=told, look_in=look_in, is_lost=is_lost), durable=False
        )

    async def cancel_asked(self, intent: str) -> None:
        await self.write(
            lambda tx: tx.run("provider_batch_cancel_asked", intent=intent, now=tx.now).rowcount
        )

    async def unknown(self, provider_batch_ids: Sequence[str]) -> list[str]:
        ids = as_json(list(provider_batch_ids))
        known = await self.read(
            lambda tx: {row[0] for row in tx.all("provider_batch_known", ids=ids)}
        )
        return [one for one in provider_batch_ids if one not in known]

    async def items(self, intent: str, job_ids: Sequence[int] | None = None) -> list[Item]:
        return await self.read(partial(_items, intent=intent, job_ids=job_ids))

    async def collect(self, collected: Sequence[Collected]) -> list[int | None]:
        return await self.write(lambda tx: [_collect(tx, one) for one in collected])

    async def end(
        self, intent: str, *, abandoned_because: str | None = None, may_be_charged: bool = False
    ) -> int:
        is_free = not may_be_charged
        return await self.write(
            partial(_end, intent=intent, reason=abandoned_because, is_free=is_free)
        )

    async def go_live(self, batch_id: int) -> None:
        await self.write(partial(_go_live, batch_id=batch_id))

    async def open(self) -> list[ProviderBatch]:
        return await self.read(
            lambda tx: [_provider_batch(row) for row in tx.all("provider_batches_open")]
        )

    async def holding(self, job_id: int) -> ProviderBatch | None:
        row = await self.read(lambda tx: tx.one("provider_batch_holding", job_id=job_id))
        return None if row is None else _provider_batch(row)


def _night(row: sqlite3.Row) -> Night:
    return Night(**{**dict(row), "is_paused": bool(row["is_paused"])})


def _provider_batch(row: sqlite3.Row) -> ProviderBatch:
    told = dict(row)
    is_wanted, state = bool(told.pop("is_wanted")), PostState(told.pop("state"))
    return ProviderBatch(**told, state=state, is_wanted=is_wanted)


def _claim(tx: Tx, batch_id: int, limit: int, lease_ms: int) -> list[Claimed]:
    tx.run("jobs_become_due", now=tx.now)
    batch = tx.one("night_claimable", id=batch_id)
    if batch is None:
        return []
    lease = queue.Lease(secrets.token_hex(16), tx.now + lease_ms)
    return queue.take(tx, batch, limit, lease)


def _intend(tx: Tx, batch_id: int, intent: str, items: Sequence[Item], look_in: float) -> list[int]:
    fallback_at = tx.value("night_may_post", id=batch_id)
    if fallback_at is None:
        return []
    leases = as_json([(one.claimed.job.id, one.claimed.lease) for one in items])
    taken = {
        row["id"]
        for row in tx.all("jobs_intend", rows=leases, intent=intent, lease_until=fallback_at)
    }
    kept = [one for one in items if one.claimed.job.id in taken]
    tx.run("reservations_follow", leases=leases, lease=intent)
    if kept:
        _insert(tx, batch_id, intent, kept, look_in)
    return [one.claimed.job.id for one in kept]


def _insert(tx: Tx, batch_id: int, intent: str, items: Sequence[Item], look_in: float) -> None:
    cursor = tx.run(
        "provider_batch_insert",
        batch_id=batch_id,
        intent=intent,
        entries=len(items),
        look_at=_in(tx, look_in),
        now=tx.now,
    )
    prefixes = {one: outcomes.prefix_id(tx, one) for one in {item.prefix for item in items}}
    tx.many(
        "item_insert",
        [
            (cursor.lastrowid, one.claimed.job.id, one.request_key, prefixes[one.prefix], one.sent)
            for one in items
        ],
    )


def _posted(tx: Tx, intent: str, id_: str, look_in: float) -> None:
    batch_id = tx.value(
        "provider_batch_posted",
        intent=intent,
        provider_batch_id=id_,
        look_at=_in(tx, look_in),
        now=tx.now,
    )
    if batch_id is not None:
        tell(tx, "batch.posted", batch_id=batch_id)


def _looked(tx: Tx, told: dict[str, Any], look_in: float, is_lost: bool) -> None:
    look_at = _in(tx, look_in)
    tx.run("provider_batch_looked", **told, look_at=look_at, is_lost=is_lost, now=tx.now)


def _in(tx: Tx, seconds: float) -> int:
    return tx.now + round(1000 * seconds)


def _items(tx: Tx, intent: str, job_ids: Sequence[int] | None) -> list[Item]:
    batch = tx.one("items_batch", intent=intent)
    if batch is None:
        return []
    which = {"id": tx.value("provider_batch_id", intent=intent), "intent": intent}
    if job_ids is None:
        rows = tx.all("items_all", **which)
    else:
        rows = tx.all("items_of_jobs", job_ids=ids_json(job_ids), **which)
    papers = queue.papers_of(tx, [row[3] for row in rows if row[3] is not None])
    items = []
    for row in rows:
        *job, request_key, prefix, sent, is_held = row
        claimed = to_claimed(job, batch, intent, papers.get(row[3]))
        items.append(Item(claimed, request_key, prefix, sent, bool(is_held)))
    return items


def _collect(tx: Tx, one: Collected) -> int | None:
    job_id, intent = one.claimed.job.id, one.claimed.lease
    is_new = tx.run("item_collect", job_id=job_id, intent=intent).rowcount
    if not is_new or one.attempt is None or one.answer is None:
        return None
    return outcomes.store_answer(tx, one.claimed, one.attempt, one.answer)


def _end(tx: Tx, intent: str, reason: str | None, is_free: bool) -> int:
    waiting = [row["id"] for row in tx.all("jobs_still_waiting", intent=intent)]
    returned = [Settlement(one, intent, JobState.PENDING) for one in waiting]
    if is_free:
        tx.run("reservations_free", intent=intent)
    outcomes.settle(tx, returned, pause_after=0)
    tx.run("items_drop", id=tx.value("provider_batch_id", intent=intent))
    tx.run("provider_batch_end", intent=intent, reason=reason, now=tx.now)
    return len(returned)


def _go_live(tx: Tx, batch_id: int) -> None:
    if tx.run("night_over", id=batch_id, now=tx.now).rowcount:
        tell(tx, "batch.went_live", batch_id=batch_id)
