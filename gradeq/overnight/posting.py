"""Posting: claimed jobs become an intent on disk, then a provider's batch."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Mapping, Sequence

from gradeq.clock import Clock
from gradeq.decision import Failed
from gradeq.handlers.base import Tried
from gradeq.handlers.batched import Asked, BatchedHandler
from gradeq.outcome import ErrorClass
from gradeq.overnight.times import (
    FIRST_LOOK_SECONDS,
    GATHER_SECONDS,
    LISTED_SECONDS,
    WORTH_POSTING_SECONDS,
    next_look,
)
from gradeq.overnight.trouble import asked_wait, is_certain, is_for_a_person, pause
from gradeq.providers.base import Failure
from gradeq.providers.batching import BatchProvider, Entry
from gradeq.store.base import Store
from gradeq.store.claims import Claimed
from gradeq.store.overnight import Night
from gradeq.worker import LEASE_SECONDS, Worker

log = logging.getLogger("gradeq")
_MOST_ENTRIES = 2000
_MOST_BYTES = 32 << 20
"""Below what providers allow: what is posted together lies in memory together."""


class Poster:
    """Posts what is due of overnight batches. It holds no permit of any limiter."""

    def __init__(
        self, handlers: Mapping[str, BatchedHandler], store: Store, worker: Worker, clock: Clock
    ) -> None:
        self.is_stopping = False
        self._handlers = handlers
        self._store = store
        self._worker = worker
        self._clock = clock
        self._refusals: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._gathering: dict[int, float] = {}

    def try_again(self) -> None:
        """Somebody may have mended what posting was refused for."""
        self._not_before.clear()

    def gather(self, batch_id: int) -> None:
        """Some of it may have to be posted again, and becomes due soon."""
        self._gathering.setdefault(batch_id, self._clock.monotonic() + GATHER_SECONDS)

    def wait_seconds(self, night: Night) -> float | None:
        """How long posting is held back; None while nothing of this batch can be posted at all."""
        left = night.fallback_at - self._clock.now_ms()
        if night.grader not in self._handlers or night.is_paused or not night.pending:
            return None
        if left < 1000 * WORTH_POSTING_SECONDS:
            return None
        refused = self._not_before.get(night.grader, 0.0)
        gathering = self._gathering.get(night.batch_id, 0.0)
        return max(0.0, max(refused, gathering) - self._clock.monotonic())

    async def post(self, night: Night) -> None:
        """All that is due of it, in as many provider's batches as it takes."""
        if self._gathering.get(night.batch_id, math.inf) <= self._clock.monotonic():
            del self._gathering[night.batch_id]
        while self.wait_seconds(night) == 0 and not self.is_stopping:
            handler = self._handlers[night.grader]
            claims = await self._store.provider_batches.claim(
                night.batch_id, _most_entries(handler.provider), LEASE_SECONDS
            )
            if not claims or not await self._post(night, handler, claims):
                return

    async def _post(self, night: Night, handler: BatchedHandler, claims: list[Claimed]) -> bool:
        """False where nothing more should be posted for now."""
        intent = secrets.token_hex(8)
        ours = {claimed.job.id: claimed for claimed in claims}
        for claimed in claims:
            self._worker.hold(claimed)
        try:
            chosen = _chosen(await self._asked(handler, intent, ours), handler.provider)
            posted = await self._intended(night, intent, await handler.affordable(chosen))
            self._worker.let_go(ours.pop(one.item.claimed.job.id) for one in posted)
        finally:
            await self._worker.give_back(ours.values())
        if not posted:
            return not chosen
        return await self._send(night, handler.provider, intent, [one.entry for one in posted])

    async def _asked(
        self, handler: BatchedHandler, intent: str, ours: dict[int, Claimed]
    ) -> list[Asked]:
        """The questions; what needs none is settled at once, and taken out of `ours`."""
        asked: list[Asked] = []
        for job_id, claimed in tuple(ours.items()):
            if self.is_stopping:
                return []
            one = await self._one_asked(handler, claimed, custom_id(intent, job_id))
            if isinstance(one, Asked):
                asked.append(one)
            else:
                self._worker.finish(ours.pop(job_id), one)
            # Live calls go on in between, however many papers there are.
            await asyncio.sleep(0)
        return asked

    async def _one_asked(
        self, handler: BatchedHandler, claimed: Claimed, name: str
    ) -> Asked | Tried:
        try:
            one = await handler.asked(claimed, name)
        except Exception as error:
            log.exception("job %d: cannot be prepared", claimed.job.id)
            why = f"it could not be prepared: {type(error).__name__}: {error}"
            return Tried(failed=Failed(ErrorClass.CRASHED, why[:500]))
        if isinstance(one, Asked) and one.size > _most_bytes(handler.provider):
            why = "it is larger than the provider's batch API takes at all"
            return Tried(failed=Failed(ErrorClass.TOO_LARGE, why))
        return one

    async def _intended(self, night: Night, intent: str, chosen: Sequence[Asked]) -> list[Asked]:
        """What is on disk to be posted: all of it, unless somebody paused it just now."""
        if not chosen:
            return []
        items = [one.item for one in chosen]
        kept = set(
            await self._store.provider_batches.intend(night.batch_id, intent, items, LISTED_SECONDS)
        )
        return [one for one in chosen if one.item.claimed.job.id in kept]

    async def _send(
        self, night: Night, provider: BatchProvider, intent: str, entries: list[Entry]
    ) -> bool:
        came = await provider.post(intent, entries)
        if isinstance(came, Failure):
            await self._refused(night, intent, came)
            return False
        await self._store.provider_batches.posted(intent, came, FIRST_LOOK_SECONDS)
        self._refusals.pop(night.grader, None)
        log.info("batch %d: %d papers posted as %s", night.batch_id, len(entries), came)
        return True

    async def _refused(self, night: Night, intent: str, failure: Failure) -> None:
        """Where the provider may have it all the same, only a search can tell."""
        log.warning("batch %d was not posted: %s", night.batch_id, failure.reason)
        if is_certain(failure):
            await self._store.provider_batches.end(intent, abandoned_because=failure.reason)
        else:
            await self._store.provider_batches.looked(intent, LISTED_SECONDS, reason=failure.reason)
        if is_for_a_person(failure):
            await pause(self._store, night.batch_id, failure)
            return
        times = self._refusals.get(night.grader, 0)
        self._refusals[night.grader] = times + 1
        wait = next_look(times, asked_wait(failure, self._clock.now_ms()))
        self._not_before[night.grader] = self._clock.monotonic() + wait


def custom_id(intent: str, job_id: int) -> str:
    """What an answer comes back under. It begins with the intent, as BatchProvider asks."""
    return f"{intent}-{job_id}"


def _most_entries(provider: BatchProvider) -> int:
    return min(_MOST_ENTRIES, provider.max_entries)


def _most_bytes(provider: BatchProvider) -> int:
    return min(_MOST_BYTES, provider.max_bytes)


def _chosen(asked: Sequence[Asked], provider: BatchProvider) -> list[Asked]:
    """The first that fit into one provider's batch. The others stay in the queue."""
    left = _most_bytes(provider)
    chosen = []
    for one in asked:
        left -= one.size
        if left < 0:
            break
        chosen.append(one)
    return chosen
