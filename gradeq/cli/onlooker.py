"""Watching a daemon grade: the same bar, read from the database beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from gradeq.cli.remote import Daemon
from gradeq.cli.screen import progress_screen
from gradeq.cli.session import Ended
from gradeq.cli.signals import Stop
from gradeq.cli.watch import Watch
from gradeq.clock import Clock, SystemClock
from gradeq.store.base import BatchRow, Store

_LOOK_SECONDS = 0.5


@dataclass(slots=True)
class Onlooker:
    """Looks on until everything has its outcome, a batch is paused, or somebody has seen enough."""

    daemon: Daemon
    watch: Watch
    stop: Stop
    clock: Clock = field(default_factory=SystemClock)

    async def run(self, store: Store) -> Ended:
        """A stop ends the looking on; the daemon goes on grading."""
        stuck_on = None
        with progress_screen(self.clock) as screen:
            while not self.stop.asked.is_set() and stuck_on is None:
                standing = await self.watch.look(store)
                screen.show(standing, "")
                if standing.is_over:
                    break
                stuck_on = _paused(self.watch.batches)
                await self.clock.wait_for(self.stop.asked, _LOOK_SECONDS)
        spent = (await self.watch.look(store)).spent
        return Ended(
            interrupted=self.stop.asked.is_set(),
            stuck_on=stuck_on,
            requests=spent.requests,
            rate_limited=spent.rate_limited,
        )


def _paused(batches: tuple[BatchRow, ...]) -> str | None:
    """Why nothing moves any more."""
    left = [batch for batch in batches if batch.finished_at is None]
    if any(batch.paused_at is None or batch.processing for batch in left) or not left:
        return None
    return left[0].pause_reason or f"batch {left[0].id} was paused by {left[0].paused_by}"
