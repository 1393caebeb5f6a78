"""What the batch APIs of all providers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar
from urllib.parse import quote

from gradeq.limiter.base import Usage
from gradeq.providers.base import Failure
from gradeq.providers.batches.client import BatchClient
from gradeq.providers.batches.entries import Entries
from gradeq.providers.batching import Entry, Progress
from gradeq.providers.prices import Prices

Form = TypeVar("Form")

BATCH_PRICE = 0.5
"""Of the live price (Anthropic, "Batch processing"; OpenAI, "Batch API")."""
CLOCK_SKEW_MS = 60_000
"""How far the provider's clock may be behind ours."""
FRAME_BYTES = 4096
"""More than what stands around the entries of a batch."""

_OVER = (400, 409)
"""How a batch that has ended refuses to be cancelled."""


class HttpBatches(ABC, Generic[Form]):
    """A BatchProvider, but for what differs: post, find, progress and outcomes."""

    path: str
    max_entries: int
    max_bytes: int

    def __init__(self, client: BatchClient, entries: Entries[Form], prices: Prices) -> None:
        self._client = client
        self._entries = entries
        self._prices = prices

    def size(self, entry: Entry) -> int:
        return len(self._entries.encoded(entry, self._entries.form)) + 1

    def price(self, usage: Usage) -> float:
        return BATCH_PRICE * self._prices.of(usage)

    @abstractmethod
    async def progress(self, batch_id: str) -> Progress | Failure: ...

    async def cancel(self, batch_id: str) -> Failure | None:
        """Where it has ended already, nothing is left to be cancelled: no failure."""
        refused = await self._client.post(f"{self._at(batch_id)}/cancel", dict)
        if not isinstance(refused, Failure):
            return None
        now = await self.progress(batch_id) if refused.status in _OVER else refused
        return None if isinstance(now, Progress) and now.is_ended else refused

    async def aclose(self) -> None:
        await self._client.aclose()

    def _at(self, batch_id: str) -> str:
        return f"{self.path}/{quote(batch_id, safe='')}"
