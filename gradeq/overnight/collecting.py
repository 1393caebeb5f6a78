"""What providers have of ours: found again, watched, cancelled, collected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from gradeq.clock import Clock
from gradeq.handlers.batched import BatchedHandler
from gradeq.outcome import ErrorClass
from gradeq.overnight.posting import custom_id
from gradeq.overnight.times import (
    CLOCK_SKEW_SECONDS,
    LOST_SECONDS,
    PATIENCE_SECONDS,
    next_look,
)
from gradeq.overnight.trouble import asked_wait, is_for_a_person, pause
from gradeq.providers.base import Answer, Failure
from gradeq.providers.batching import BatchProvider, Outcome, Progress
from gradeq.store.base import Store
from gradeq.store.overnight import Item, ProviderBatch
from gradeq.worker import Worker

log = logging.getLogger("gradeq")
_TOGETHER = 100
_NO_OUTCOME = Failure(
    ErrorClass.SERVER_ERROR, "the provider's batch ended without a word about this paper"
)
_NOT_ASKED = Failure(ErrorClass.SNOOZED, "the provider's batch was cancelled before its turn")


class Collector:
    """Looks after provider's batches until they have ended and everything is stored."""

    def __init__(
        self, handlers: Mapping[str, BatchedHandler], store: Store, worker: Worker, clock: Clock
    ) -> None:
        self.is_stopping = False
        self._handlers = handlers
        self._store = store
        self._worker = worker
        self._clock = clock

    def is_due(self, one: ProviderBatch) -> bool:
        return one.look_at <= self._clock.now_ms() or self._must_cancel(one)

    async def look(self, one: ProviderBatch) -> None:
        handler = self._handlers.get(one.grader)
        if handler is None:
            await self._without_provider(one)
        elif one.provider_batch_id is None:
            await self._search(one, handler.provider)
        else:
            await self._follow(one, one.provider_batch_id, handler)

    async def _without_provider(self, one: ProviderBatch) -> None:
        """The configuration has changed; it may change back before the time is over."""
        reason = f"the grader {one.grader!r} has no batch API any more"
        if self._seconds_late(one) >= 0:
            await self._end(one, reason, may_be_charged=True)
        else:
            await self._store.provider_batches.looked(
                one.intent, next_look(one.looks), reason=reason
            )

    # Its id is not known ------------------------------------------------------------------------

    async def _search(self, one: ProviderBatch, provider: BatchProvider) -> None:
        """Whoever posted it died, or heard nothing: did the provider get it?"""
        since = one.created_at - round(1000 * CLOCK_SKEW_SECONDS)
        found = await provider.find(one.intent, since_ms=since, entries=one.entries)
        if isinstance(found, Failure):
            await self._later(one, found)
            return
        is_open = False
        for candidate in await self._store.provider_batches.unknown(found):
            is_ours = await _is_ours(provider, candidate, one.intent)
            if is_ours:
                log.info("batch %d: found again as %s", one.batch_id, candidate)
                await self._store.provider_batches.posted(one.intent, candidate, 0.0)
                return
            is_open |= is_ours is None
        if is_open:
            await self._later(one, _CANDIDATE)
        else:
            await self._end(one, "the provider has no such batch: it was not posted")

    # Its id is known ----------------------------------------------------------------------------

    async def _follow(self, one: ProviderBatch, id_: str, handler: BatchedHandler) -> None:
        if self._must_cancel(one):
            one = await self._cancelled(one, id_, handler.provider)
        progress = await handler.provider.progress(id_)
        if isinstance(progress, Failure):
            await self._later(one, progress)
        elif not progress.is_ended:
            await self._note(one, progress)
        elif (trouble := await self._collect(one, id_, handler)) is not None:
            await self._later(one, trouble)
        elif not self.is_stopping:
            await self._end(one)

    async def _note(self, one: ProviderBatch, progress: Progress) -> None:
        if self._seconds_late(one) >= PATIENCE_SECONDS:
            reason = "the provider did not end it in time after it was cancelled"
            await self._end(one, reason, may_be_charged=True)
            return
        await self._store.provider_batches.looked(
            one.intent, next_look(one.looks), answered=progress.answered, failed=progress.failed
        )

    def _seconds_late(self, one: ProviderBatch) -> float:
        """Since it should be over; below 0 before that."""
        return (self._clock.now_ms() - one.fallback_at) / 1000

    def _must_cancel(self, one: ProviderBatch) -> bool:
        """Nobody waits for it any more, or not through a batch API."""
        is_over = not one.is_wanted or self._seconds_late(one) >= 0
        return is_over and one.cancel_asked_at is None and one.provider_batch_id is not None

    async def _cancelled(
        self, one: ProviderBatch, id_: str, provider: BatchProvider
    ) -> ProviderBatch:
        """As it is after the provider was asked; where that refused, it is asked again later."""
        refused = await provider.cancel(id_)
        if refused is not None:
            log.warning("%s was not cancelled: %s", id_, refused.reason)
            return one
        log.info("batch %d: %s is cancelled", one.batch_id, id_)
        await self._store.provider_batches.cancel_asked(one.intent)
        return replace(one, cancel_asked_at=self._clock.now_ms(), looks=0)

    async def _later(self, one: ProviderBatch, failure: Failure) -> None:
        if self._seconds_late(one) >= PATIENCE_SECONDS or self._is_gone(one, failure):
            await self._end(one, failure.reason, may_be_charged=True)
            return
        if is_for_a_person(failure):
            await pause(self._store, one.batch_id, failure)
        wait = next_look(one.looks, asked_wait(failure, self._clock.now_ms()))
        await self._store.provider_batches.looked(
            one.intent, wait, reason=failure.reason, is_lost=failure.status == 404
        )

    def _is_gone(self, one: ProviderBatch, failure: Failure) -> bool:
        if failure.status != 404 or one.lost_since is None:
            return False
        return self._clock.now_ms() - one.lost_since >= 1000 * LOST_SECONDS

    async def _end(
        self,
        one: ProviderBatch,
        abandoned_because: str | None = None,
        *,
        may_be_charged: bool = False,
    ) -> None:
        if abandoned_because is not None:
            log.warning("batch %d: waits no longer: %s", one.batch_id, abandoned_because)
        await self._store.provider_batches.end(
            one.intent, abandoned_because=abandoned_because, may_be_charged=may_be_charged
        )

    # Its outcomes -------------------------------------------------------------------------------

    async def _collect(
        self, one: ProviderBatch, id_: str, handler: BatchedHandler
    ) -> Failure | None:
        """Store and apply all that came; the reason where not all could be read."""
        async with _reading(handler.provider, id_) as outcomes:
            async for some in _some(outcomes):
                if isinstance(some, Failure):
                    return some
                await self._apply(one, handler, some)
                if self.is_stopping:
                    return None
        await self._settle(one, handler, await self._store.provider_batches.items(one.intent), {})
        return None

    async def _apply(
        self, one: ProviderBatch, handler: BatchedHandler, outcomes: Sequence[Outcome]
    ) -> None:
        came = {}
        for outcome in outcomes:
            job_id = _job_id(outcome.custom_id, one.intent)
            if job_id is not None:
                came[job_id] = outcome.came
        items = await self._store.provider_batches.items(one.intent, list(came))
        await self._settle(one, handler, items, came)

    async def _settle(
        self,
        one: ProviderBatch,
        handler: BatchedHandler,
        items: Sequence[Item],
        came: Mapping[int, Answer | Failure],
    ) -> None:
        """Answers are stored, then read; each item is read once, whatever happens in between."""
        since = one.posted_at or one.created_at
        missing = _NO_OUTCOME if one.cancel_asked_at is None else _NOT_ASKED
        told = [(item, came.get(item.claimed.job.id, missing)) for item in items]
        attempt_ids = await self._store.provider_batches.collect(
            [handler.collected(item, outcome, since) for item, outcome in told]
        )
        settling = []
        for (item, outcome), attempt_id in zip(told, attempt_ids, strict=True):
            if item.is_held:
                tried = await handler.tried(item, outcome, since, attempt_id)
                settling.append(self._worker.finish(item.claimed, tried))
            await asyncio.sleep(0)
        await asyncio.gather(*settling)


_CANDIDATE = Failure(
    ErrorClass.SNOOZED,
    "the provider has a batch that may be this one; which it is can be seen when it has ended",
)


async def _is_ours(provider: BatchProvider, id_: str, intent: str) -> bool | None:
    """By the name of its first outcome; None while that cannot be seen."""
    progress = await provider.progress(id_)
    if isinstance(progress, Failure) or not progress.is_ended:
        return None
    async with _reading(provider, id_) as outcomes:
        first = await anext(outcomes, None)
    if isinstance(first, Failure):
        return None
    return first is not None and _job_id(first.custom_id, intent) is not None


@asynccontextmanager
async def _reading(
    provider: BatchProvider, id_: str
) -> AsyncIterator[AsyncIterator[Outcome | Failure]]:
    """The outcomes; whoever reads no further leaves no connection open."""
    outcomes = provider.outcomes(id_)
    try:
        yield outcomes
    finally:
        close = getattr(outcomes, "aclose", None)
        if close is not None:
            await close()


async def _some(
    outcomes: AsyncIterator[Outcome | Failure],
) -> AsyncGenerator[list[Outcome] | Failure, None]:
    """A hundred at a time, then the rest; a Failure last."""
    some: list[Outcome] = []
    async for outcome in outcomes:
        if isinstance(outcome, Failure):
            yield some
            yield outcome
            return
        some.append(outcome)
        if len(some) == _TOGETHER:
            yield some
            some = []
    yield some


def _job_id(name: str, intent: str) -> int | None:
    """None where `name` is not one that we gave."""
    _, _, number = name.rpartition("-")
    is_ours = number.isascii() and number.isdecimal() and custom_id(intent, int(number)) == name
    return int(number) if is_ours else None
