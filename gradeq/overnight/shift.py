"""The night shift: posts overnight batches, watches them at the providers, sends the rest live."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from gradeq.clock import Clock
from gradeq.errors import StoreError
from gradeq.handlers.batched import BatchedHandler
from gradeq.overnight.collecting import Collector
from gradeq.overnight.posting import Poster
from gradeq.store.base import Store
from gradeq.store.overnight import Night, ProviderBatch
from gradeq.worker import Worker

log = logging.getLogger("gradeq")
_SAFETY_POLL_SECONDS = 600.0
_SHORTEST_SECONDS = 0.05
_AFTER_TROUBLE_SECONDS = 1.0


class NightShift:
    """Works through all overnight batches, one after the other, until it is stopped.

    `handlers` are the graders whose provider has a batch API, by name. `went_on` is called when
    jobs may have become work for live calls.
    """

    def __init__(
        self,
        handlers: Mapping[str, BatchedHandler],
        *,
        store: Store,
        worker: Worker,
        clock: Clock,
        went_on: Callable[[], None],
    ) -> None:
        self._poster = Poster(handlers, store, worker, clock)
        self._collector = Collector(handlers, store, worker, clock)
        self._store = store
        self._clock = clock
        self._went_on = went_on
        self._woken = asyncio.Event()
        self._hurried = asyncio.Event()
        self._stopping = False
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = asyncio.create_task(self._run())

    def wake(self, *, try_again: bool = False) -> None:
        """There may be something to do. `try_again`: also where a provider refused just now."""
        if try_again:
            self._poster.try_again()
        self._woken.set()

    def stop(self) -> None:
        """Begin nothing more; what is on its way goes on until `ended`."""
        self._stopping = self._poster.is_stopping = self._collector.is_stopping = True
        self._woken.set()

    def hurry(self) -> None:
        """Cut the grace of `ended` short."""
        self._hurried.set()

    async def ended(self, grace_seconds: float) -> None:
        """Stop within so many seconds. What is cut off then is on disk, and is found again."""
        self.stop()
        assert self._running is not None
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait(
            (self._running, hurried), timeout=grace_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        self._running.cancel()
        hurried.cancel()
        await asyncio.gather(self._running, hurried, return_exceptions=True)

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            seconds = await self._rounded()
            if not self._stopping:
                await self._clock.wait_for(self._woken, seconds)

    async def _rounded(self) -> float:
        """Whatever goes wrong, the shift goes on: papers would wait for ever."""
        try:
            return await self._round()
        except StoreError as error:
            log.error("overnight: %s", error)
        except Exception:
            log.exception("overnight: gradeq itself failed")
        return _AFTER_TROUBLE_SECONDS

    async def _round(self) -> float:
        """Do what is due; the seconds until something is again."""
        book = self._store.provider_batches
        await self._send_live(await book.nights())
        for one in await book.open():
            if self._collector.is_due(one) and not self._stopping:
                await self._collector.look(one)
                self._poster.gather(one.batch_id)
                self._went_on()
        for night in await book.nights():
            await self._poster.post(night)
        return await self._seconds_left(await book.nights(), await book.open())

    async def _send_live(self, nights: Sequence[Night]) -> None:
        for night in nights:
            if night.fallback_at <= self._clock.now_ms():
                log.warning("batch %d: the night is over; the rest goes live", night.batch_id)
                await self._store.provider_batches.go_live(night.batch_id)
                self._went_on()

    async def _seconds_left(self, nights: Sequence[Night], open_: Sequence[ProviderBatch]) -> float:
        times = [one.look_at for one in open_] + [night.fallback_at for night in nights]
        due = await self._store.next_due() if nights else None
        if due is not None:
            times.append(due)
        now = self._clock.now_ms()
        held = [wait for night in nights if (wait := self._poster.wait_seconds(night))]
        seconds = [_SAFETY_POLL_SECONDS, *held, *((one - now) / 1000 for one in times)]
        return max(_SHORTEST_SECONDS, min(seconds))
