"""What keeps a running engine well: leases renewed, lost jobs returned, limiter state stored."""

from __future__ import annotations

import asyncio
import logging
import math
import shlex
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gradeq.clock import Clock
from gradeq.errors import GradeqError
from gradeq.limiter.pool import Pool
from gradeq.limiter.reading import duration
from gradeq.store.base import Store
from gradeq.worker import LEASE_SECONDS, Worker

log = logging.getLogger("gradeq")
pools_log = logging.getLogger("gradeq.pools")
_KEPT_EVENTS = 200_000
_PRUNE_SECONDS = 600.0
LOOK_SECONDS = 30.0
"""How often a key file is read again while a pool is parked."""


@dataclass(slots=True)
class PoolSaver:
    """Stores the limiters' states and readings: at most once a second, and only what changed.

    What is stored of a parking tells an event; here it is logged. Of a pool that is not among
    `pools` any more no reading is kept.
    """

    store: Store
    clock: Clock
    pools: Mapping[str, Pool]
    _changed: dict[str, Pool] = field(default_factory=dict)
    _parked: dict[str, Pool] = field(default_factory=dict)
    _noted: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, pool: Pool) -> None:
        self._changed[pool.name] = pool
        self._noted.set()

    async def run(self) -> None:
        while True:
            await self._noted.wait()
            await self.save()
            await self.clock.sleep(1.0)

    async def save(self) -> None:
        self._noted.clear()
        changed, self._changed = self._changed, {}
        for pool in changed.values():
            self._tell(pool)
            reading = pool.reading().to_dict() if pool.name in self.pools else None
            await _quietly(self.store.save_pool(pool.name, pool.state().to_dict(), reading))

    def note_parked(self) -> bool:
        """Note every pool that stood still when last seen; a date may have come since."""
        for pool in self._parked.values():
            self.note(pool)
        return bool(self._parked)

    def _tell(self, pool: Pool) -> None:
        was_parked = self._parked.pop(pool.name, None) is not None
        if pool.parked_reason is not None:
            self._parked[pool.name] = pool
            if not was_parked:
                _log_parking(pool)
        elif was_parked:
            pools_log.info("pool %s goes on", pool.name)


def _log_parking(pool: Pool) -> None:
    reading = pool.reading()
    name = shlex.quote(next(iter(pool.setup.providers), pool.name))
    if math.isinf(reading.wait_seconds):
        mended = f"When that is mended: gradeq resume {name}"
    else:
        left = duration(reading.wait_seconds)
        mended = f"It goes on by itself in {left}, or at once by: gradeq resume {name}"
    pools_log.warning("pool %s is parked: %s %s", pool.name, reading.parked_reason, mended)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Renews first, expires second: after a laptop's sleep our own jobs are still ours."""

    store: Store
    worker: Worker
    clock: Clock
    wake: Callable[[], None]

    async def renew(self) -> None:
        while True:
            await self.clock.sleep(LEASE_SECONDS / 3)
            leases = self.worker.leases()
            if leases:
                await _quietly(self.store.renew(leases, LEASE_SECONDS))
            await _quietly(self._expire())

    async def mind_parkings(self, saver: PoolSaver, reread: Callable[[], Awaitable[None]]) -> None:
        """While a pool stands still: look whether its date has come, or its key was changed."""
        while True:
            await self.clock.sleep(LOOK_SECONDS)
            if saver.note_parked():
                await _quietly(reread())

    async def prune(self) -> None:
        while True:
            await self.clock.sleep(_PRUNE_SECONDS)
            await _quietly(self.store.prune_events(_KEPT_EVENTS))

    async def _expire(self) -> None:
        found = await self.store.expire()
        if found.returned or found.failed:
            log.warning("returned %d jobs whose lease had run out", found.returned)
            self.wake()


async def _quietly(work: Awaitable[object]) -> None:
    """Trouble must not end upkeep: it is tried again next time."""
    try:
        await work
    except GradeqError as error:
        log.error("upkeep: %s", error)
