"""Watching a daemon grade: the same bar, read from the database beside it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from gradeq.cli.causes import NOTHING, Causes
from gradeq.cli.remote import Daemon
from gradeq.cli.screen import progress_screen
from gradeq.cli.session import Ended
from gradeq.cli.signals import Stop
from gradeq.cli.watch import Watch
from gradeq.clock import Clock, SystemClock
from gradeq.errors import GradeqError
from gradeq.store.base import Store
from gradeq.store.rows import BatchRow

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Onlooker:
    """Looks on until everything has its outcome, a batch is paused, or somebody has seen enough."""

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
                if (stuck_on := _paused(self.watch.batches)) is not None:
                    return stuck_on
                await self.clock.wait_for(self.stop.asked, _LOOK_SECONDS)
        return None

    async def _limit(self) -> str:
        left = [batch.id for batch in self.watch.batches if batch.finished_at is None]
        if not left:
            return ""
        with suppress(GradeqError):  # it may be stopping just now
            cause, text = await asyncio.to_thread(self.daemon.limit_of, left[0])
            return self._causes.see(cause or NOTHING, text)
        return ""


def _paused(batches: tuple[BatchRow, ...]) -> str | None:
    """Why nothing moves any more."""
    left = [batch for batch in batches if batch.finished_at is None]
    if any(batch.paused_at is None or batch.processing for batch in left) or not left:
        return None
    return left[0].pause_reason or f"batch {left[0].id} was paused by {left[0].paused_by}"
