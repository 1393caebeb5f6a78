"""Watching a daemon grade: the same bar, read from the database beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from gradeq.cli.causes import NOTHING, Causes
from gradeq.cli.remote import Daemon
from gradeq.cli.screen import progress_screen
from gradeq.cli.session import WORTH_WAITING_SECONDS, Ended
from gradeq.cli.signals import Stop
from gradeq.cli.watch import Watch
from gradeq.clock import Clock, SystemClock
from gradeq.errors import GradeqError
from gradeq.model import BatchMode
from gradeq.standing import Standing
from gradeq.store.base import Store
from gradeq.store.rows import BatchRow

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Onlooker:
    """Looks on until everything has its outcome, a batch is paused, its pool stands still for
    long, or somebody has seen enough."""

    daemon: Daemon
    watch: Watch
    stop: Stop
    currency: str
    clock: Clock = field(default_factory=SystemClock)
    _causes: Causes = field(default_factory=Causes)

    async def run(self, store: Store) -> Ended:
        """A stop ends the looking on; the daemon goes on grading."""
        stuck_on = await self._follow(store)
        spent = (await self.watch.look(store)).spent
        limited_by = self._causes.most_seen
        return Ended(
            interrupted=self.stop.asked.is_set(),
            stuck_on=stuck_on,
            requests=spent.requests,
            rate_limited=spent.rate_limited,
            limited_by=limited_by,
            limited_by_text=self._causes.words(limited_by),
        )

    async def _follow(self, store: Store) -> str | None:
        with progress_screen(self.clock, self.currency) as screen:
            while not self.stop.asked.is_set():
                standing = await self.watch.look(store)
                screen.show(standing, await self._limit())
                if standing.is_over:
                    return None
                left = [batch for batch in self.watch.batches if batch.finished_at is None]
                stuck_on = _paused(left) or await self._parked(store, left)
                if stuck_on is not None:
                    return stuck_on
                await self.clock.wait_for(self.stop.asked, _LOOK_SECONDS)
        return None

    async def _parked(self, store: Store, left: Sequence[BatchRow]) -> str | None:
        """Why every pool that is waited for stands still, where that is for long."""
        if any(one.processing or one.mode is BatchMode.OVERNIGHT for one in left):
            return None
        now = self.clock.now_ms()
        standings = {one.name: one for one in await Standing.stored(store, now)}
        reasons = []
        for name in {one.pool for one in left if one.paused_at is None}:
            pool = standings.get(name)
            if pool is None or pool.parked_reason is None:
                return None
            until = pool.parked_until
            if until is not None and until - now <= 1000 * WORTH_WAITING_SECONDS:
                return None
            reasons.append(pool.parked_reason)
        return reasons[0] if reasons else None

    async def _limit(self) -> str:
        left = [batch.id for batch in self.watch.batches if batch.finished_at is None]
        if not left:
            return ""
        with suppress(GradeqError):  # it may be stopping just now
            cause, text = await asyncio.to_thread(self.daemon.limit_of, left[0])
            return self._causes.see(cause or NOTHING, text)
        return ""


def _paused(left: Sequence[BatchRow]) -> str | None:
    """Why nothing moves any more."""
    if any(batch.paused_at is None or batch.processing for batch in left) or not left:
        return None
    return left[0].pause_reason or f"batch {left[0].id} was paused by {left[0].paused_by}"
