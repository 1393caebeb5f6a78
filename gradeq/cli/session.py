"""Grading in the foreground: until everything has its outcome, nothing can move, or a signal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gradeq import money
from gradeq.cli import say
from gradeq.cli.causes import Causes
from gradeq.cli.plan import OURSELVES
from gradeq.cli.screen import Screen, progress_screen
from gradeq.cli.signals import Stop
from gradeq.cli.watch import Watch
from gradeq.clock import Clock, SystemClock
from gradeq.config import Config
from gradeq.engine import Engine
from gradeq.errors import StoreError
from gradeq.limiter.base import LimitedBy
from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import Reading
from gradeq.model import BatchMode
from gradeq.overnight.words import told_overnight
from gradeq.store.rows import BatchRow

_LOOK_SECONDS = 0.1
WORTH_WAITING_SECONDS = 600.0
"""A quota that returns later than this is not waited for."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How the grading ended. `stuck_on` is what holds the rest up, where something does."""

    interrupted: bool = False
    stuck_on: str | None = None
    trouble: StoreError | None = None
    requests: int = 0
    rate_limited: int = 0
    limited_by: str = LimitedBy.NOTHING.value
    limited_by_text: str = ""


@dataclass(slots=True)
class Session:
    """One engine at work on what `watch` looks at, until it ends."""

    config: Config
    watch: Watch
    stop: Stop
    grace_seconds: float
    clock: Clock = field(default_factory=SystemClock)
    _causes: Causes = field(default_factory=Causes)

    async def run(self) -> Ended:
        """Raises GradeqError where it cannot start."""
        if self.stop.asked.is_set() or not self.watch.work.batch_ids:
            return Ended(interrupted=self.stop.asked.is_set())
        stuck_on, trouble = None, None
        async with Engine.from_config(self.config, grace_seconds=self.grace_seconds) as engine:
            pools = tuple(engine.pools.values())
            self.stop.at_once(engine.hurry)
            try:
                stuck_on = await self._follow(engine)
            except StoreError as error:
                trouble = error
            self._say_that_it_stops(pools)
        limited_by = limited_longest([pool.reading() for pool in pools])
        return Ended(
            interrupted=self.stop.asked.is_set(),
            stuck_on=stuck_on,
            trouble=trouble,
            requests=sum(pool.requests_total for pool in pools),
            rate_limited=sum(pool.refused_total for pool in pools),
            limited_by=limited_by,
            limited_by_text=self._causes.words(limited_by),
        )

    async def _follow(self, engine: Engine) -> str | None:
        """What holds the rest up; None where all has ended or a stop was asked for."""
        with progress_screen(self.clock, engine.currency) as screen:
            while await self._is_going_on(engine, screen):
                if (stuck_on := why_stuck(self.watch.batches, engine)) is not None:
                    return stuck_on
                await self.clock.wait_for(self.stop.asked, _LOOK_SECONDS)
        return None

    async def _is_going_on(self, engine: Engine, screen: Screen) -> bool:
        standing = await self.watch.look(engine.store)
        screen.show(standing, self._limit(engine))
        if engine.trouble is not None:
            await engine.is_idle()
        return not standing.is_over and not self.stop.asked.is_set()

    def _limit(self, engine: Engine) -> str:
        if engine.trouble is not None:
            return f"the database: {engine.trouble}"
        left = [batch for batch in self.watch.batches if batch.finished_at is None]
        for batch in left:
            if (night := told_overnight(batch)) is not None:
                return night
        if left and left[0].is_short:
            return money.told_short(left[0].cost_cap, engine.currency)
        pools = (engine.pools.get(batch.pool) for batch in left)
        readings = [pool.reading() for pool in pools if pool is not None]
        return self._causes.see(readings[0].limited_by.value, readings[0].text) if readings else ""

    def _say_that_it_stops(self, pools: Sequence[Pool]) -> None:
        in_flight = sum(pool.in_flight for pool in pools)
        if self.stop.asked.is_set() and in_flight:
            calls = say.counted(in_flight, "call")
            say.note(
                f"Stopping: waiting up to {self.grace_seconds:g} s for {calls} on the way. "
                "Ctrl-C again stops at once."
            )


async def go_on(engine: Engine, batch_ids: Sequence[int]) -> None:
    """Whoever starts gradeq again wants another try: what gradeq itself stopped goes on."""
    for batch_id in batch_ids:
        batch = await engine.store.batch(batch_id)
        if batch is not None and batch.paused_by in (None, OURSELVES):
            await engine.resume(batch_id)


def why_stuck(batches: Sequence[BatchRow], engine: Engine) -> str | None:
    """What keeps every unfinished batch from moving; None as long as one can move."""
    reasons = [_why_stuck(batch, engine) for batch in batches if batch.finished_at is None]
    return reasons[0] if reasons and None not in reasons else None


def _why_stuck(batch: BatchRow, engine: Engine) -> str | None:
    if batch.processing:
        return None
    if batch.paused_at is not None:
        return batch.pause_reason or f"batch {batch.id} was paused by {batch.paused_by}"
    if batch.mode is BatchMode.OVERNIGHT:
        return None
    pool = engine.pools.get(batch.pool)
    if pool is None:
        return f"there is no grader {batch.grader!r} here"
    reading = pool.reading()
    if reading.parked_reason is None or reading.wait_seconds <= WORTH_WAITING_SECONDS:
        return None
    until = "" if math.isinf(reading.wait_seconds) else f" ({reading.wait_seconds / 3600:.1f} h)"
    return f"{reading.parked_reason}{until}"


def limited_longest(readings: Sequence[Reading]) -> str:
    """The cause that has held calls back for most seconds."""
    seconds: dict[LimitedBy, float] = {}
    for reading in readings:
        for cause, held in reading.limited_for.items():
            if cause is not LimitedBy.NOTHING and held > 0:
                seconds[cause] = seconds.get(cause, 0.0) + held
    return max(seconds, key=lambda cause: seconds[cause], default=LimitedBy.NOTHING).value
