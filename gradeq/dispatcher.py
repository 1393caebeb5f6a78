"""Capacity first, claim second: one dispatcher per pool fills the room that its limiter has.

A row stays pending until its call can really start, so that pause, cancel, archive, priority and
fairness act at once. Only one job may be held ahead of its permit, and only for a moment.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from gradeq.clock import Clock
from gradeq.decision import Failed
from gradeq.errors import StoreError
from gradeq.handlers.base import Handler, Ready, Tried
from gradeq.limiter.base import Cost, LimitedBy
from gradeq.limiter.permit import Denied, NeverFits
from gradeq.limiter.pool import Pool
from gradeq.outcome import ErrorClass
from gradeq.store.base import Work
from gradeq.store.claims import Claimed
from gradeq.worker import LEASE_SECONDS, Worker

log = logging.getLogger("gradeq")
_MOST_PER_CLAIM = 500
_SAFETY_POLL_SECONDS = 60.0
_LONGEST_HOLD_SECONDS = 1.0
_AFTER_TROUBLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class _Head:
    """The one job that is claimed ahead of its permit."""

    claimed: Claimed
    ready: Ready


class Dispatcher:
    """Claims for one pool until it is stopped. `wake` after anything that may change its mind."""

    def __init__(
        self,
        pool: Pool,
        handlers: Mapping[str, Handler],
        *,
        store: Work,
        worker: Worker,
        clock: Clock,
        rng: Random,
    ) -> None:
        self.pool = pool
        self._handlers = handlers
        self._store = store
        self._worker = worker
        self._clock = clock
        self._rng = rng
        self._woken = asyncio.Event()
        self._head: _Head | None = None
        self._following: dict[int, Cost] = {}
        """Batches whose prefix another call writes to the provider's cache just now."""
        self._reconsider = False
        self._stopping = False
        self._in_flight = 0

    def pool_changed(self) -> None:
        """A call that ends makes room at once, long before its result is on disk."""
        if self.pool.in_flight < self._in_flight:
            self.wake()
        self._in_flight = self.pool.in_flight

    def wake(self, *, reconsider: bool = False) -> None:
        """There may be work or room. `reconsider`: a job in hand may not be the next any more."""
        self._reconsider |= reconsider
        self._woken.set()

    async def run(self) -> None:
        """Until stopped, never cancelled: a claim on its way would be in nobody's hand."""
        while not self._stopping:
            self._woken.clear()
            due_in = await self._filled()
            if not self._stopping:
                await self._clock.wait_for(self._woken, due_in)
        await self._drop_head()

    def stop(self) -> None:
        """Start nothing more; `run` gives back what waits for its permit and ends."""
        self._stopping = True
        self._woken.set()

    async def _filled(self) -> float:
        """Whatever goes wrong, a dispatcher goes on: its queue would stand still for ever."""
        try:
            return await self._fill()
        except StoreError as error:
            log.error("pool %s: cannot claim: %s", self.pool.name, error)
        except Exception:
            log.exception("pool %s: gradeq itself failed", self.pool.name)
        return _AFTER_TROUBLE_SECONDS

    async def _fill(self) -> float:
        """Start what can start; the seconds until it is worth looking again."""
        if self._reconsider:
            self._reconsider = False
            await self._drop_head()
        while not self._stopping:
            if self._head is not None:
                wait = await self._admit(self._head.claimed, self._head.ready)
                if wait is not None:
                    return wait
                self._head = None
            room = min(self.pool.room(), _MOST_PER_CLAIM)
            if room <= 0:
                return self._until(self.pool.ready_at())
            claims = await self._store.claim(
                self.pool.name, room, LEASE_SECONDS, but=self._followers()
            )
            if not claims:
                return await self._until_due()
            wait = await self._take(claims)
            if wait is not None:
                return wait
        return 0.0

    def _followers(self) -> tuple[int, ...]:
        self._following = {
            batch_id: cost
            for batch_id, cost in self._following.items()
            if self.pool.must_follow(cost)
        }
        return tuple(self._following)

    async def _take(self, claims: list[Claimed]) -> float | None:
        """Start claimed jobs in order; at the first without a permit give back the others."""
        for claimed in claims:
            self._worker.hold(claimed)
        followers = []
        try:
            for place, claimed in enumerate(claims):
                if claimed.job.batch_id in self._following:
                    followers.append(claimed)
                    continue
                wait = 0.0 if self._stopping else await self._begin(claimed)
                if wait is not None:
                    followers += claims[place if self._stopping else place + 1 :]
                    return wait
            return None
        finally:
            await self._worker.give_back(followers)

    async def _begin(self, claimed: Claimed) -> float | None:
        ready = await self._prepared(claimed)
        if isinstance(ready, Tried):
            self._finish(claimed, ready)
            return None
        return await self._admit(claimed, ready)

    async def _prepared(self, claimed: Claimed) -> Ready | Tried:
        handler = self._handlers.get(claimed.job.grader)
        if handler is None:
            why = f"no grader named {claimed.job.grader!r} is registered in this process"
            return Tried(failed=Failed(ErrorClass.NO_GRADER, why))
        try:
            return await handler.prepare(claimed)
        except Exception as error:
            log.exception("job %d: cannot be prepared", claimed.job.id)
            why = f"it could not be prepared: {type(error).__name__}: {error}"
            return Tried(failed=Failed(ErrorClass.CRASHED, why[:500]))

    async def _admit(self, claimed: Claimed, ready: Ready) -> float | None:
        """Start the call, or the seconds until its next chance."""
        try:
            permit = self.pool.acquire(ready.cost)
        except NeverFits as error:
            self._finish(claimed, Tried(failed=Failed(ErrorClass.TOO_LARGE, str(error))))
            return None
        if isinstance(permit, Denied):
            if permit.reason is LimitedBy.PROMPT_CACHE:
                await self._let_follow(claimed, ready)
                return None
            return await self._hold(claimed, ready, permit)
        task = self._worker.start(claimed, ready, permit)
        task.add_done_callback(lambda _: self.wake())
        return None

    async def _let_follow(self, claimed: Claimed, ready: Ready) -> None:
        """Other batches run while this one waits for its leader."""
        self._following[claimed.job.batch_id] = ready.cost
        await self._worker.give_back([claimed])

    async def _hold(self, claimed: Claimed, ready: Ready, denied: Denied) -> float:
        wait = self._until(denied.ready_at)
        if denied.ready_at is not None and wait <= _LONGEST_HOLD_SECONDS:
            self._head = _Head(claimed, ready)
        else:
            self._head = None
            await self._worker.give_back([claimed])
        return wait

    def _finish(self, claimed: Claimed, tried: Tried) -> None:
        self._worker.finish(claimed, tried).add_done_callback(lambda _: self.wake())

    async def _drop_head(self) -> None:
        if self._head is not None:
            head, self._head = self._head, None
            await self._worker.give_back([head.claimed])

    def _until(self, ready_at: float | None) -> float:
        if ready_at is None:
            return self._poll()
        return min(self._poll(), max(0.001, ready_at - self._clock.monotonic()))

    async def _until_due(self) -> float:
        due = await self._store.next_due()
        if due is None:
            return self._poll()
        return min(self._poll(), max(0.0, (due - self._clock.now_ms()) / 1000))

    def _poll(self) -> float:
        return _SAFETY_POLL_SECONDS * self._rng.uniform(0.5, 1.0)
