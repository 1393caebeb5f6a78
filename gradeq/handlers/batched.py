"""Jobs graded by a model through its provider's batch API: same questions, read the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradeq.decision import Failed
from gradeq.handlers.base import Tried
from gradeq.handlers.model import ModelHandler
from gradeq.limiter.base import Usage
from gradeq.outcome import ErrorClass
from gradeq.providers.base import Answer, Failure
from gradeq.providers.batching import BatchProvider, Entry
from gradeq.store.claims import Attempt, Claimed, PaidAnswer
from gradeq.store.overnight import Collected, Item


@dataclass(frozen=True, slots=True)
class Asked:
    """A job's question: as it is stored, as it is posted, and the bytes that this takes."""

    item: Item
    entry: Entry
    size: int


@dataclass(frozen=True, slots=True)
class BatchedHandler:
    """What `live` does call by call, `provider` does overnight."""

    live: ModelHandler
    provider: BatchProvider

    async def asked(self, claimed: Claimed, custom_id: str) -> Asked | Tried:
        """A Tried where nothing needs to be asked."""
        prepared = await self.live.question(claimed)
        if isinstance(prepared, Tried):
            return prepared
        prompt = prepared.prompt
        item = Item(claimed, prepared.request_key, prompt.system, prompt.user)
        entry = Entry(custom_id, prompt)
        return Asked(item, entry, self.provider.size(entry))

    async def affordable(self, chosen: Sequence[Asked]) -> list[Asked]:
        """Those that the caps leave money for, which is reserved for them."""
        calls = [(one.item.claimed, one.entry.prompt) for one in chosen]
        is_paid = await self.live.purse.afford(calls, self.share_of_price())
        return [one for one, paid in zip(chosen, is_paid, strict=True) if paid]

    def share_of_price(self) -> float:
        """What an overnight call costs of a live one."""
        live = self.live.provider.price(_MUCH)
        return self.provider.price(_MUCH) / live if live else 1.0

    def collected(self, item: Item, came: Answer | Failure, since: int) -> Collected:
        """What is to be stored of it. `since`: when it was posted, wall milliseconds."""
        if isinstance(came, Failure):
            return Collected(item.claimed)
        return Collected(item.claimed, self._answered(item, came, since), _paid(item, came))

    async def tried(
        self, item: Item, came: Answer | Failure, since: int, attempt_id: int | None
    ) -> Tried:
        """What came of the job; `attempt_id` is that of the stored answer."""
        if isinstance(came, Failure):
            return self._failed(came, since)
        prepared = await self.live.prepared(item.claimed)
        if isinstance(prepared, Tried):
            return replace(prepared, attempt_id=attempt_id)
        if prepared.request_key != item.request_key:
            return Tried(failed=_OUTDATED, attempt_id=attempt_id)
        return self.live.read(replace(_paid(item, came), attempt_id=attempt_id), prepared)

    def _answered(self, item: Item, answer: Answer, since: int) -> Attempt:
        return Attempt(
            since,
            self.live.clock.now_ms(),
            model=answer.model,
            request_id=answer.request_id,
            http_status=200,
            usage=answer.usage,
            cost=self.provider.price(answer.usage),
            request_key=item.request_key,
        )

    def _failed(self, failure: Failure, since: int) -> Tried:
        """An entry that was not asked at all is no request to the model."""
        was_asked = failure.error is not ErrorClass.SNOOZED
        attempt = Attempt(
            since,
            self.live.clock.now_ms(),
            error=failure.error,
            reason=failure.reason,
            model=self.live.provider.model if was_asked else None,
            request_id=failure.request_id,
            http_status=failure.status,
        )
        asked = None if was_asked else failure.signals.retry_after
        return Tried(failed=Failed(failure.error, failure.reason, asked), attempt=attempt)


_MUCH = Usage(1_000_000, 1_000_000)
_OUTDATED = Failed(
    ErrorClass.SNOOZED,
    "the model or the settings have changed since it was posted: the answer that came is kept, "
    "and it is asked anew",
)


def _paid(item: Item, answer: Answer) -> PaidAnswer:
    return PaidAnswer(
        request_key=item.request_key,
        prefix=item.prefix,
        sent=item.sent,
        text=answer.text,
        stop=answer.stop,
        raw=answer.raw,
        model=answer.model,
        usage=answer.usage,
    )
