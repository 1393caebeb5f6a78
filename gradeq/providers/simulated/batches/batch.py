"""A batch: what was posted, what has come of it, and when it is over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gradeq.providers.simulated.dialect import Dialect, Moment

WINDOW_SECONDS = 24 * 3600
"""What both providers promise; an entry that is not answered by then expires."""


class Ending(StrEnum):
    """How an entry ended, in Anthropic's words."""

    SUCCEEDED = "succeeded"
    ERRORED = "errored"
    EXPIRED = "expired"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Asked:
    """An entry as it was posted; `body` is the body of a live call."""

    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Result:
    """What came of an entry. `body` is an answer's or an error's, empty for the other endings."""

    custom_id: str
    ending: Ending
    body: bytes = b""
    status: int = 200
    is_damaged: bool = False
    """Its line in the results is broken off in the middle."""


@dataclass(slots=True, eq=False)
class Batch:
    """One posted batch of one key. Entries are answered in order, evenly over its time."""

    id: str
    key: str
    dialect: Dialect
    headers: Mapping[bytes, str]
    """Of the request that posted it: they name the version that its entries speak."""
    asked: Sequence[Asked]
    posted: Moment
    results: list[Result] = field(default_factory=list)
    cancelled_ms: int | None = None
    ended_ms: int | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something happened that its worker should look at."""

    @property
    def has_ended(self) -> bool:
        return self.ended_ms is not None

    @property
    def counts(self) -> Counter[Ending]:
        return Counter(result.ending for result in self.results)

    def due(self, now: float, seconds: float) -> int:
        """How many entries should have been answered by `now`, if all take `seconds`."""
        if self.cancelled_ms is not None:
            return len(self.results)
        passed = now - self.posted.monotonic
        share = 1.0 if passed >= seconds else max(0.0, passed) / seconds
        return int(share * len(self.asked))

    def cancel(self, now_ms: int) -> None:
        """Answer nothing more; what is answered stays."""
        if self.cancelled_ms is None:
            self.cancelled_ms = now_ms
        self.changed.set()
