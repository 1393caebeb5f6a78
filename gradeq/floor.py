"""Where the work is done: a dispatcher for each pool, the night shift, and their chores."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from random import Random

from gradeq.assembly import Assembly
from gradeq.clock import Clock
from gradeq.dispatcher import Dispatcher
from gradeq.limiter.names import find_pool
from gradeq.limiter.pool import Pool
from gradeq.limiter.state import PoolState
from gradeq.overnight.shift import NightShift
from gradeq.parked import Resumed, go_on, known_pools, read_states
from gradeq.rubrics import RubricShelf
from gradeq.store.base import Store
from gradeq.store.rows import Backlog
from gradeq.upkeep import PoolSaver, Upkeep
from gradeq.worker import Worker


class Floor:
    """Starts and stops whoever works, and keeps them in step with the pools there are."""

    def __init__(
        self,
        assembly: Assembly,
        rubrics: RubricShelf,
        worker: Worker,
        *,
        store: Store,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._assembly = assembly
        self._rubrics = rubrics
        self._store = store
        self._worker = worker
        self._clock = clock
        self._rng = rng
        self._saver = PoolSaver(store, clock, assembly.pools)
        self._is_claiming = False
        self._dispatchers: list[Dispatcher] = []
        self._dispatching: list[asyncio.Task[None]] = []
        self._night: NightShift | None = None
        self._chores: list[asyncio.Task[None]] = []

    # Start and stop -----------------------------------------------------------------------------

    def start(self) -> None:
        self._is_claiming = True
        for pool in self._assembly.pools.values():
            self._dispatch(pool)
            if not pool.is_untried:
                self._saver.note(pool)
        self._night = NightShift(
            self._assembly.batched,
            store=self._store,
            worker=self._worker,
            clock=self._clock,
            went_on=self.wake,
        )
        self._night.start()
        upkeep = Upkeep(self._store, self._worker, self._clock, self.wake)
        for chore in (
            upkeep.renew(),
            upkeep.prune(),
            upkeep.mind_parkings(self._saver, self.reread_keys),
            self._saver.run(),
        ):
            self._chores.append(asyncio.create_task(chore))

    def _dispatch(self, pool: Pool) -> None:
        dispatcher = Dispatcher(
            pool,
            self._assembly.handlers,
            store=self._store,
            worker=self._worker,
            clock=self._clock,
            rng=self._rng,
        )
        self._dispatchers.append(dispatcher)
        self._dispatching.append(asyncio.create_task(dispatcher.run()))

    def _dispatch_new(self) -> None:
        pools = self._assembly.pools
        if len(pools) > len(self._dispatchers):
            served = {dispatcher.pool.name for dispatcher in self._dispatchers}
            for name in pools.keys() - served:
                self._dispatch(pools[name])

    async def stop_claiming(self) -> None:
        """Take nothing new in hand; what is on its way goes on until `stop`."""
        self._is_claiming = False
        for dispatcher in self._dispatchers:
            dispatcher.stop()
        if self._night is not None:
            self._night.stop()
        await asyncio.gather(*self._dispatching)

    async def stop(self, grace_seconds: float) -> None:
        """Let calls finish for so many seconds; the others are returned uncounted."""
        await self.stop_claiming()
        if self._night is not None:
            await self._night.ended(grace_seconds)
        self._assembly.returned += await self._worker.stop(grace_seconds)
        await _cancel(self._chores)
        await self._saver.save()
        self._chores.clear()
        self._dispatchers.clear()
        self._dispatching.clear()
        self._night = None

    def hurry(self) -> None:
        """Cut the grace of `stop` short."""
        self._worker.hurry()
        if self._night is not None:
            self._night.hurry()

    # What happened elsewhere --------------------------------------------------------------------

    def pool_changed(self, pool: Pool) -> None:
        self._saver.note(pool)
        for dispatcher in self._dispatchers:
            if dispatcher.pool is pool:
                dispatcher.pool_changed()

    def wake(self, *, reconsider: bool = False) -> None:
        """After what may give work to the dispatchers, or bring a pool that has none yet."""
        if self._is_claiming:
            self._dispatch_new()
        for dispatcher in self._dispatchers:
            dispatcher.wake(reconsider=reconsider)

    def wake_all(self, *, reconsider: bool = False, try_again: bool = False) -> None:
        """After what a person did; `try_again` where it may have mended something."""
        self.wake(reconsider=reconsider)
        if self._night is not None:
            self._night.wake(try_again=try_again)

    # Pools --------------------------------------------------------------------------------------

    async def reread_keys(self) -> None:
        """Raises StoreError or ConfigError, see `Assembly.reread_keys`."""
        await self._assembly.reread_keys(self._store, self._rubrics.get)
        pools = self._assembly.pools
        for dispatcher in [one for one in self._dispatchers if one.pool.name not in pools]:
            dispatcher.stop()
            self._dispatchers.remove(dispatcher)
            self._saver.note(dispatcher.pool)
        self.wake()

    async def try_pool_again(self, name: str) -> None:
        """End its parking, here and in the store, and look for a new key."""
        pool = self._assembly.pools.get(name)
        if pool is not None:
            pool.resume()
        await self._store.unpark(name)
        await self.reread_keys()
        self.wake_all(try_again=True)

    async def take_back(self) -> None:
        """Go on with work of a batch that was over, maybe before its provider got another key."""
        if any(one.pool not in self._assembly.pools for one in await self._store.backlog()):
            await self._assembly.move_work(self._store)
        self.wake_all()

    async def resume_pool(self, name: str) -> Resumed:
        """Raises what `Engine.resume_pool` does."""
        states = read_states(await self._store.pools())
        known = known_pools(states, self._assembly.pools, self._clock.now_ms())
        found = find_pool(name, known).name
        pool = self._assembly.pools.get(found)
        reason = states[found].parked_reason if pool is None else pool.parked_reason
        opened = await self._opened_gate(found, states.get(found))
        batch_ids = await go_on(self._store, found, pool)
        await self.reread_keys()
        return Resumed(found, reason, batch_ids, self._successor(pool), opened)

    async def _opened_gate(self, name: str, state: PoolState | None) -> bool:
        """Here, or in the store where nobody here uses the pool."""
        if (pool := self._assembly.pools.get(name)) is not None:
            return pool.open_gate()
        now = self._clock.now_ms()
        if state is None or (state.gate_until_ms or 0) <= now:
            return False
        await self._store.save_pool(name, state.opened_gate(now).to_dict(), None)
        return True

    def _successor(self, retired: Pool | None) -> str | None:
        """The pool through which the work of a pool goes that was left just now."""
        if retired is None or retired.name in self._assembly.pools:
            return None
        providers = set(retired.setup.providers)
        pools = self._assembly.pools.values()
        return next((one.name for one in pools if providers & set(one.setup.providers)), None)

    # What is left to do -------------------------------------------------------------------------

    async def is_idle(self) -> bool:
        """True when no open job would move without a person. Raises StoreError."""
        if self._worker.trouble is not None and not self._worker.busy:
            raise self._worker.trouble
        backlog = await self._store.backlog()
        # Looked at last: a call that began meanwhile may be what parks its pool.
        return not self._worker.busy and all(one.is_idle or self._is_stuck(one) for one in backlog)

    def _is_stuck(self, work: Backlog) -> bool:
        """No grader here works through it, or only a person can end its parking.

        What goes through a batch API moves on, whatever the pool of the live calls does.
        """
        pool = self._assembly.pools.get(work.pool)
        if pool is None or work.overnight:
            return pool is None
        return work.processing == 0 and math.isinf(pool.reading().wait_seconds)


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
