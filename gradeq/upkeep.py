"""What keeps a running engine well: leases renewed, lost jobs returned, limiter state stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gradeq.clock import Clock
from gradeq.errors import StoreError
from gradeq.limiter.pool import Pool
from gradeq.store.base import Store
from gradeq.worker import LEASE_SECONDS, Worker

log = logging.getLogger("gradeq")
_KEPT_EVENTS = 200_000
_PRUNE_SECONDS = 600.0


@dataclass(slots=True)
class PoolSaver:
    """Stores the limiters' states: at most once a second, and only what changed."""

    store: Store
    clock: Clock
    _changed: dict[str, Pool] = field(default_factory=dict)
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
            await _quietly(self.store.save_pool(pool.name, pool.state().to_dict()))


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
    """A store in trouble must not end upkeep: it is tried again next time."""
    try:
        await work
    except StoreError as error:
        log.error("upkeep: %s", error)
